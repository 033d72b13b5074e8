"""The reader: a fast regression from statistics to a joint posterior.

Means are a polynomial in the statistics, fitted by ridge regression on the training maps. The
validation maps choose the penalty and give the covariance of the posterior, a Gaussian inside the
prior whose widths have the largest likelihood. All readers of a study see the same maps, so
differences between them are differences between the statistics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64

from multifield import camels
from multifield.data.split_loaders import SplitLoaders
from multifield.evaluation.bootstrap import Simulation
from multifield.evaluation.information import Nats, robust_information
from multifield.evaluation.joint import JointPosterior
from multifield.evaluation.recalibration import fit_factors
from multifield.evaluation.results import Results
from multifield.studies.explain.statistics import Features

ROUNDING = 1e-6  # relative scatter of constant statistics, which are computed in float32
LIMIT = 4.0  # [standard deviations] at which statistics are clipped; polynomials diverge beyond
PENALTIES = np.logspace(-7, 2, 28)  # relative to the number of training maps
SIMULATIONS_PER_PARAMETER = 3  # for validation, from which correlations are fitted
N_FOLDS = 5  # of validation simulations
FLOOR = 1e-4  # [standard deviations of the training parameters] of residuals

Targets = Float64[np.ndarray, "_ P"]
Table = Float[np.ndarray, "_ _"]
Chosen = Bool[np.ndarray, " F"]
PartNats = Float64[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Truth:
    """True parameters of the three parts of a suite.

    Attributes
    ----------
    names : tuple of str
        Names of the P inferred parameters.
    columns : tuple of int
        Their columns in the parameter table.
    theta : tuple of array
        Parameters of training, validation and test maps, in the coordinates that networks learn.
    space : ParameterSpace, optional
        Parameters of the table in these coordinates.
    maps_per_simulation : int, optional
        Number of maps per simulation.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    theta: tuple[Table, Table, Table]
    space: camels.ParameterSpace = camels.CMD
    maps_per_simulation: int = camels.MAPS_PER_SIMULATION

    @classmethod
    def of(cls, data: SplitLoaders) -> "Truth":
        """Read the parameters of the maps of a suite."""
        columns = tuple(sorted(data.inferred))
        names = tuple(data.space.names[column] for column in columns)
        space = data.space
        train, valid, test = (
            space.to_learned(part.theta) for part in (data.train, data.valid, data.test)
        )
        maps_per_simulation = data.test.maps_per_simulation
        return cls(
            names, columns, (train, valid, test), space.learned or space, maps_per_simulation
        )

    def targets(self, part: int) -> Targets:
        """Return the inferred parameters of a part: 0 training, 1 validation, 2 test."""
        return np.asarray(self.theta[part][:, list(self.columns)], dtype=np.float64)

    def simulation(self, part: int) -> Simulation:
        """Return the number of the simulation of each map of a part."""
        n = len(self.theta[part])
        return np.arange(n, dtype=np.int64) // self.maps_per_simulation


class Regression:
    """Ridge regressions on subsets of the same statistics.

    Parameters
    ----------
    features : sequence of (M, F) float64
        Statistics of training, validation and test maps.
    targets : sequence of (M, P) float64
        Numbers to be predicted for training and validation maps.
    degree : int
        Degree of the polynomial in each statistic.
    """

    def __init__(
        self, features: Sequence[Features], targets: Sequence[Targets], degree: int
    ) -> None:
        mean, std = features[0].mean(axis=0), features[0].std(axis=0)
        std = np.where(
            std > ROUNDING * np.maximum(np.abs(mean), 1), std, np.inf
        )  # zeros if constant
        scaled = [np.clip((part - mean) / std, -LIMIT, LIMIT) for part in features]
        powers = [[part**power for power in range(1, degree + 1)] for part in scaled]
        designs = [np.concatenate(each, axis=1) for each in powers]
        center = designs[0].mean(axis=0)
        self._degree = degree
        self._designs = [design - center for design in designs]
        self._mean, self._targets = targets[0].mean(axis=0), targets
        self._gram = self._designs[0].T @ self._designs[0] / len(targets[0])
        self._moment = self._designs[0].T @ (targets[0] - self._mean) / len(targets[0])

    def predict(self, chosen: Chosen) -> tuple[Targets, Targets]:
        """Fit the statistics `chosen` and predict validation and test maps."""
        columns = np.flatnonzero(np.tile(chosen, self._degree))
        valid, test = (design[:, columns] for design in self._designs[1:])
        if not len(columns):
            return np.tile(self._mean, (len(valid), 1)), np.tile(self._mean, (len(test), 1))
        values, vectors = np.linalg.eigh(self._gram[np.ix_(columns, columns)])
        moment = vectors.T @ self._moment[columns]
        shrunk = moment[:, None] / (values.clip(min=0)[:, None] + PENALTIES)[:, :, None]
        found = np.einsum("mf,fap->map", valid @ vectors, shrunk) + self._mean
        errors = np.mean((found - self._targets[1][:, None]) ** 2, axis=0)  # (penalties, P)
        best = errors.argmin(axis=0)
        weights = vectors @ np.stack([shrunk[:, a, p] for p, a in enumerate(best)], axis=1)
        return valid @ weights + self._mean, test @ weights + self._mean


def fit_posteriors(
    predictions: tuple[Targets, Targets], truth: Truth
) -> tuple[JointPosterior, JointPosterior]:
    """Make posteriors from predicted parameters.

    Parameters
    ----------
    predictions : (M, P), (M, P) float64
        Predictions of the parameters of validation and test maps; see `Regression.predict`.
    truth : Truth
        True parameters.

    Returns
    -------
    valid, test : JointPosterior
        Posteriors of validation and test maps. Covariance and widths are fitted to the validation
        maps.
    """
    residuals = predictions[0] - truth.targets(1)
    floor = np.diag((FLOOR * truth.targets(0).std(axis=0)) ** 2)
    covariance = residuals.T @ residuals / len(residuals) + floor
    if truth.simulation(1)[-1] + 1 < SIMULATIONS_PER_PARAMETER * len(truth.names):
        covariance = np.diag(np.diag(covariance))  # of few simulations it is almost singular
    valid, test = (
        JointPosterior.of_gaussians(
            mean, np.tile(covariance, (len(mean), 1, 1)), truth.names, truth.space
        )
        for mean in predictions
    )
    theta, columns = truth.theta[1], list(truth.columns)
    mean, std = np.full(theta.shape, np.nan), np.full(theta.shape, np.nan)
    mean[:, columns], std[:, columns] = predictions[0], np.sqrt(np.diag(covariance))
    # a first guess needs no moments of truncated Gaussians, which take most of the time
    first = Results(theta, mean, std, truth.names, valid, truth.space, truth.maps_per_simulation)
    fitted = fit_factors(first, truth.simulation(1))
    factors = np.exp(fitted.logs).tolist()
    return valid.widened(factors), test.widened(factors)


def measure_reader(
    regression: Regression, chosen: Chosen, truth: Truth
) -> tuple[PartNats, PartNats]:
    """Measure the information in some statistics of validation and test maps [nats per map]."""
    if not chosen.any():
        return np.zeros(len(truth.theta[1])), np.zeros(len(truth.theta[2]))
    posteriors = fit_posteriors(regression.predict(chosen), truth)
    valid, test = (
        robust_information(each, truth.targets(part)) for part, each in enumerate(posteriors, 1)
    )
    return valid, test


Sets = Mapping[frozenset[Any], Chosen]


def _fit_affine(valid: Targets, test: Targets, truth: Truth) -> tuple[Targets, Targets]:
    """Fit the parameters by affine functions of posterior means of the validation maps.

    Validation maps are predicted from other simulations, so that errors are not underestimated.
    """
    center, scale = valid.mean(axis=0), np.maximum(valid.std(axis=0), np.finfo(np.float64).tiny)
    designs = [np.column_stack([np.ones(len(x)), (x - center) / scale]) for x in (valid, test)]
    targets, fold = truth.targets(1), truth.simulation(1) % N_FOLDS
    found = np.empty_like(targets)
    for rows in (fold == number for number in np.unique(fold)):
        found[rows] = designs[0][rows] @ np.linalg.lstsq(designs[0][~rows], targets[~rows])[0]
    return found, designs[1] @ np.linalg.lstsq(designs[0], targets)[0]


def measure_sets(regression: Regression, sets: Sets, truth: Truth) -> dict[frozenset[Any], Nats]:
    """Measure the information in sets of groups of statistics, or of fields.

    The reader of a set may ignore a part of it: the subset among `sets` with most information on
    the validation maps is used. Otherwise a group without information would lower that of others.

    Parameters
    ----------
    regression : Regression
        Regression on the statistics of all groups.
    sets : mapping of frozenset to (F,) bool
        Statistics of each set.
    truth : Truth
        True parameters.

    Returns
    -------
    nats : dict of frozenset to (M,) float64
        Information of the test maps in each set.
    """
    found = {each: measure_reader(regression, chosen, truth) for each, chosen in sets.items()}
    within = {each: [found[other] for other in found if other <= each] for each in found}
    return {each: max(some, key=lambda nats: nats[0].mean())[1] for each, some in within.items()}


def measure_network(valid: Results, test: Results, truth: Truth) -> Nats:
    """Measure the information of the test maps in the posteriors of a network [nats per map].

    The posteriors are recalibrated on the validation maps. Either their widths are multiplied by
    one factor per parameter, or the parameters are fitted by an affine function of their means,
    with constant covariance. The way with more information on the validation maps is used: the
    second one, if changed maps shift the means.
    """
    factors = np.exp(fit_factors(valid, truth.simulation(1)).logs).tolist()
    means = [each.mean[:, list(truth.columns)] for each in (valid, test)]
    fitted = fit_posteriors(_fit_affine(means[0], means[1], truth), truth)
    ways = [
        [robust_information(each.posterior.widened(factors), each.truth) for each in (valid, test)],
        [robust_information(each, truth.targets(part)) for part, each in enumerate(fitted, 1)],
    ]
    return max(ways, key=lambda nats: nats[0].mean())[1]


def shapley_values(
    nats: Mapping[frozenset[str], np.ndarray], groups: Sequence[str], first: str | None = None
) -> dict[str, np.ndarray]:
    """Divide the information among groups of statistics.

    Parameters
    ----------
    nats : mapping of frozenset of str to (M,) float64
        Information in each of the 2^G sets of groups.
    groups : sequence of str
        Names of the G groups.
    first : str, optional
        Group that is credited with all it contains: others get what they add to it. Without it,
        groups share what they have in common.

    Returns
    -------
    values : dict of str to (M,) float64
        Mean gain of each group over the orders in which groups are added. They sum to the
        information in all groups.

    References
    ----------
    Shapley 1953; Frye, Rowat & Feige 2020, arXiv:1910.06358, for orders with a first group.
    """
    orders = [order for order in permutations(groups) if first is None or order[0] == first]
    values = {group: np.zeros_like(nats[frozenset()]) for group in groups}
    for order in orders:
        for number, group in enumerate(order):
            gain = nats[frozenset(order[: number + 1])] - nats[frozenset(order[:number])]
            values[group] += gain / len(orders)
    return values
