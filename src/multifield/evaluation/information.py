r"""Information of maps about the parameters [nats]: how much the posterior narrows the prior.

For a map with posterior mean mu, calibrated standard deviation sigma and truth theta,

.. math::

    I = \log \frac{\sigma_\mathrm{prior}}{\sigma}
        + \frac{1}{2} \left[ 1 - \left( \frac{\theta - \mu}{\sigma} \right)^2 \right] ,

summed over parameters and averaged over maps. If sigma is correct, the second term averages to zero
and I is <log(sigma_prior / sigma)>. I is the logarithmic score of a Gaussian posterior: no wrong
mean or sigma can raise it on average. <log(sigma_prior / sigma)> alone would rise with a sigma that
is too small on the test maps. Sums over parameters treat their errors as independent.

sigma is calibrated on validation maps: sigma^2 = a^2 s^2 + b^2, where s is the standard deviation
that the network gives. A single factor would be dominated by the few maps with s near zero. For a
network with uninformative s, a = 0 and I is log(sigma_prior / RMSE).

References
----------
Gneiting & Raftery 2007, JASA 102, 359, for the score.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import minimize

from multifield import camels
from multifield.core.arrays import Theta
from multifield.evaluation.results import Results

_Column = Float64[np.ndarray, " M"]
LOG_BOUNDS = (-23.0, 23.0)  # of a^2 <s^2> and b^2 in units of the mean squared error: 10^+-10


@dataclass(frozen=True)
class Calibration:
    """Calibrated variance ``scale s^2 + floor`` of one parameter, with s from the network.

    Attributes
    ----------
    scale : float
        a^2, dimensionless.
    floor : float
        b^2 in the squared unit of the parameter.
    """

    scale: float
    floor: float

    def variance(self, std: _Column) -> _Column:
        """Convert standard deviations of the network to calibrated variances."""
        variance: _Column = self.scale * std**2 + self.floor
        return variance


Calibrations = Mapping[str, Calibration]
"""Parameter -> calibration."""


@dataclass(frozen=True, eq=False)
class Information:
    """Information of each map.

    Attributes
    ----------
    parameters : tuple of str
        Names of the inferred parameters.
    nats : (M, P) float64
        Information of each row and parameter; see the top of this module.
    rmse_nats : (P,) float64
        log(sigma_prior / RMSE) of each parameter: information of the means of all rows.
    """

    parameters: tuple[str, ...]
    nats: Float64[np.ndarray, "M P"]
    rmse_nats: Float64[np.ndarray, " P"]

    def rows_of(self, parameters: tuple[str, ...]) -> _Column:
        """Sum the information of each row over some of the parameters."""
        rows: _Column = self.nats[:, self._columns(parameters)].sum(axis=1)
        return rows

    def rmse_of(self, parameters: tuple[str, ...]) -> float:
        """Sum the information of the means over some of the parameters."""
        return float(self.rmse_nats[self._columns(parameters)].sum())

    def _columns(self, parameters: tuple[str, ...]) -> list[int]:
        if not set(parameters) <= set(self.parameters):
            raise ValueError(
                f"parameters: Expected some of {', '.join(self.parameters)}, "
                f"got {', '.join(parameters)}."
            )
        return [self.parameters.index(name) for name in parameters]


def prior_widths(theta: Theta, inferred: tuple[int, ...]) -> dict[str, float]:
    """Compute the prior width: the standard deviation of each parameter in the training set.

    Parameters
    ----------
    theta : (N, 6) float64
        Parameters of the training maps, with as many maps of each simulation.
    inferred : tuple of int
        Columns of the inferred parameters.

    Returns
    -------
    widths : dict of str to float
        Standard deviation of each parameter, in physical units.

    Raises
    ------
    ValueError
        If a parameter does not vary.
    """
    widths = {camels.PARAMETER_NAMES[column]: float(theta[:, column].std()) for column in inferred}
    for name, width in widths.items():
        if not width > 0:
            raise ValueError(f"theta: Expected a prior width > 0 of {name}, got {width}.")
    return widths


def fit_calibrations(valid_results: Results) -> dict[str, Calibration]:
    """Fit the variance of each inferred parameter by maximum likelihood with Gaussian errors.

    Parameters
    ----------
    valid_results : Results
        Posteriors of validation maps, in the same orientations as the results to calibrate.

    Returns
    -------
    calibrations : dict of str to Calibration
        Calibration of each inferred parameter.

    Raises
    ------
    ValueError
        If all errors of a parameter are zero.
    """
    return {name: _fit(name, *_errors(valid_results, name)) for name in valid_results.inferred}


def measure_information(
    results: Results, calibrations: Calibrations, prior: Mapping[str, float]
) -> Information:
    """Measure the information of maps about the inferred parameters.

    Parameters
    ----------
    results : Results
        Truth and posteriors of the maps.
    calibrations : mapping of str to Calibration
        Calibrations from `fit_calibrations` for the same network.
    prior : mapping of str to float
        Standard deviation of each parameter's prior, from `prior_widths`.

    Returns
    -------
    information : Information
        Information of each row of `results`.
    """
    nats, rmse_nats = [], []
    for name in results.inferred:
        error2, std = _errors(results, name)
        variance = calibrations[name].variance(std)
        nats.append(np.log(prior[name]) + 0.5 * (1 - np.log(variance) - error2 / variance))
        rmse_nats.append(np.log(prior[name]) - 0.5 * np.log(error2.mean()))
    return Information(results.inferred, np.stack(nats, axis=1), np.array(rmse_nats))


def _errors(results: Results, name: str) -> tuple[_Column, _Column]:
    """Give squared errors and standard deviations."""
    theta, mean, std = results.of(name)
    return (mean - theta) ** 2, std


def _fit(name: str, error2: _Column, std: _Column) -> Calibration:
    """Minimize <log v + e^2 / v> over log a^2 and log b^2, in units where <e^2> and <s^2> are 1."""
    if not error2.any():
        raise ValueError(f"valid_results: Expected errors > 0 of {name}, got only zeros.")
    mean_error2 = float(error2.mean())
    mean_std2 = float(np.mean(std**2))
    if mean_std2 == 0:
        return Calibration(0.0, mean_error2)
    scaled_error2, scaled_std2 = error2 / mean_error2, std**2 / mean_std2

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        scale, floor = np.exp(logs)
        variance = scale * scaled_std2 + floor
        slope = (1 - scaled_error2 / variance) / variance
        gradient = np.array([np.mean(slope * scaled_std2) * scale, np.mean(slope) * floor])
        return float(np.mean(np.log(variance) + scaled_error2 / variance)), gradient

    found = minimize(loss, np.log([0.5, 0.5]), jac=True, method="L-BFGS-B", bounds=[LOG_BOUNDS] * 2)
    scale, floor = np.exp(found.x)
    return Calibration(float(scale * mean_error2 / mean_std2), float(floor * mean_error2))
