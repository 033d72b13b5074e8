"""Linear growth of structure in a flat universe of matter and a cosmological constant.

The growing mode is known in closed form, so that nothing is integrated. Radiation is left out.

References
----------
Silveira and Waga 1994, PRD 50, 4890, for the growing mode; Bouchet et al. 1995, A&A 296, 575,
astro-ph/9406013, for its second order; Feng et al. 2016, arXiv:1603.00476, for the rate `momentum`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import hyp2f1


@dataclass(frozen=True)
class Growth:
    """Growth functions of the scale factor a, which is 1 today.

    Attributes
    ----------
    Omega_m : float
        Matter density today over the critical density.
    """

    Omega_m: float

    def hubble(self, a: float) -> float:
        """H / H_0."""
        return float(np.sqrt(self.Omega_m / a**3 + 1.0 - self.Omega_m))

    def matter_fraction(self, a: float) -> float:
        """Omega_m at `a`."""
        return float(self.Omega_m / (a**3 * self.hubble(a) ** 2))

    def factor(self, a: float) -> float:
        """D, the growth of the density contrast, 1 today."""
        return self._early(a) / self._early(1.0)

    def rate(self, a: float) -> float:
        """F = d ln D / d ln a."""
        return self.matter_fraction(a) * (2.5 * a / self._early(a) - 1.5)

    def momentum(self, a: float) -> float:
        """a^3 (H / H_0) dD/da: what the momentum of a particle in linear theory grows with."""
        return a**2 * self.hubble(a) * self.rate(a) * self.factor(a)

    def second_factor(self, a: float) -> float:
        """Growth of the second-order displacement, 3/7 D^2 at early times."""
        return float(3.0 / 7.0 * self.factor(a) ** 2 * self.matter_fraction(a) ** (-1.0 / 143.0))

    def second_momentum(self, a: float) -> float:
        """`momentum` of the second order; its rate is 2 Omega_m(a)^(6/11)."""
        rate = 2.0 * self.matter_fraction(a) ** (6.0 / 11.0)
        return float(a**2 * self.hubble(a) * rate * self.second_factor(a))

    def _early(self, a: float) -> float:
        """D with the norm of early times, a."""
        return float(a * hyp2f1(1.0 / 3.0, 1.0, 11.0 / 6.0, (1.0 - 1.0 / self.Omega_m) * a**3))
