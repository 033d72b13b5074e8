"""Linear growth of structure in a flat universe of matter and a cosmological constant.

The growing mode has a closed form, so nothing is integrated numerically. Radiation is neglected.

References
----------
Growing mode: Silveira and Waga 1994, PRD 50, 4890. Second order: Bouchet et al. 1995, A&A 296, 575,
astro-ph/9406013. Growth of momenta: Feng et al. 2016, arXiv:1603.00476.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import hyp2f1


@dataclass(frozen=True)
class Growth:
    """Growth functions of the scale factor a (1 today).

    Attributes
    ----------
    Omega_m : float
        Matter density today over the critical density.
    """

    Omega_m: float

    def hubble(self, a: float) -> float:
        """Compute H / H_0."""
        return float(np.sqrt(self.Omega_m / a**3 + 1.0 - self.Omega_m))

    def matter_fraction(self, a: float) -> float:
        """Compute Omega_m at `a`."""
        return float(self.Omega_m / (a**3 * self.hubble(a) ** 2))

    def factor(self, a: float) -> float:
        """Compute D, the growth of the density contrast, 1 today."""
        return self._early(a) / self._early(1.0)

    def rate(self, a: float) -> float:
        """Compute f = d ln D / d ln a."""
        return self.matter_fraction(a) * (2.5 * a / self._early(a) - 1.5)

    def momentum(self, a: float) -> float:
        """Compute a^3 (H / H_0) dD/da, the growth of momenta in linear theory."""
        return a**2 * self.hubble(a) * self.rate(a) * self.factor(a)

    def second_factor(self, a: float) -> float:
        """Compute the growth of the second-order displacement, 3/7 D^2 at early times."""
        return float(3.0 / 7.0 * self.factor(a) ** 2 * self.matter_fraction(a) ** (-1.0 / 143.0))

    def second_momentum(self, a: float) -> float:
        """Compute `momentum` at second order; its rate is 2 Omega_m(a)^(6/11)."""
        rate = 2.0 * self.matter_fraction(a) ** (6.0 / 11.0)
        return float(a**2 * self.hubble(a) * rate * self.second_factor(a))

    def _early(self, a: float) -> float:
        """Compute D, normalized to a at early times."""
        return float(a * hyp2f1(1.0 / 3.0, 1.0, 11.0 / 6.0, (1.0 - 1.0 / self.Omega_m) * a**3))
