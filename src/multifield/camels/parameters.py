"""Parameters of the simulations, their bounds, and the scaling to [0, 1]."""

from dataclasses import dataclass

import numpy as np

from multifield.core.arrays import Theta


@dataclass(frozen=True)
class Parameter:
    """One column of a parameter table, with the bounds that scale it to [0, 1].

    The bounds are those of IllustrisTNG's latin hypercube. As in the benchmark, they scale every
    suite without clipping: values outside of them (EX, 1P, Astrid's A_AGN2) scale outside [0, 1].

    Attributes
    ----------
    name : str
        Name in tables and files.
    minimum, maximum : float
        Bounds in physical units.
    label : str
        Name in figures, LaTeX.
    """

    name: str
    minimum: float
    maximum: float
    label: str


PARAMETERS = (
    Parameter("Omega_m", 0.1, 0.5, r"$\Omega_\mathrm{m}$"),
    Parameter("sigma_8", 0.6, 1.0, r"$\sigma_8$"),
    Parameter("A_SN1", 0.25, 4.0, r"$A_\mathrm{SN1}$"),
    Parameter("A_AGN1", 0.25, 4.0, r"$A_\mathrm{AGN1}$"),
    Parameter("A_SN2", 0.5, 2.0, r"$A_\mathrm{SN2}$"),
    Parameter("A_AGN2", 0.5, 2.0, r"$A_\mathrm{AGN2}$"),
)
"""The six parameters with their bounds, in the order of the columns of parameter tables."""
PARAMETER_NAMES = tuple(parameter.name for parameter in PARAMETERS)
"""Names of the six parameters."""
COSMOLOGY = PARAMETER_NAMES[:2]
"""Names of the cosmological parameters."""
FEEDBACK = PARAMETER_NAMES[2:]
"""Names of the astrophysical parameters."""


def _bounds() -> tuple[np.ndarray, np.ndarray]:
    minimum = np.array([parameter.minimum for parameter in PARAMETERS])
    maximum = np.array([parameter.maximum for parameter in PARAMETERS])
    return minimum, maximum


def scale_theta(theta: Theta) -> Theta:
    """Scale parameters linearly to [0, 1] by their bounds, without clipping.

    Parameters
    ----------
    theta : (S, 6) float
        Parameters in physical units.

    Returns
    -------
    scaled : (S, 6) float
        Scaled parameters.
    """
    minimum, maximum = _bounds()
    scaled: Theta = (theta - minimum) / (maximum - minimum)
    return scaled


def unscale_theta(scaled: Theta) -> Theta:
    """Invert `scale_theta`.

    Parameters
    ----------
    scaled : (S, 6) float
        Scaled parameters.

    Returns
    -------
    theta : (S, 6) float
        Parameters in physical units.
    """
    minimum, maximum = _bounds()
    theta: Theta = minimum + scaled * (maximum - minimum)
    return theta


def unscale_theta_std(scaled_std: Theta) -> Theta:
    """Convert standard deviations of scaled parameters to physical units.

    Parameters
    ----------
    scaled_std : (S, 6) float
        Standard deviations of scaled parameters.

    Returns
    -------
    std : (S, 6) float
        Standard deviations in physical units.
    """
    minimum, maximum = _bounds()
    std: Theta = scaled_std * (maximum - minimum)
    return std
