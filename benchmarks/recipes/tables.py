"""Tables of the networks' errors, and of the smallest possible errors."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from benchmarks.recipes.maps import Mock, know_exactly
from benchmarks.recipes.search import Found
from benchmarks.recipes.training import Trained
from multifield import camels
from multifield.evaluation import (
    Results,
    average_networks,
    fit_sigma_factors,
    recalibrate,
    score_results,
    simulation_of_rows,
)
from multifield.evaluation.information import robust_information
from multifield.mock.gaussian import SUITE as GAUSSIAN
from multifield.mock.gaussian_likelihood import cramer_rao_bound


def scores(results: Results, metric: str) -> np.ndarray:
    """Compute one metric of every inferred parameter, NaN if it is undefined."""
    of_metric = score_results(results)[metric]
    return np.array([of_metric.get(name, np.nan) for name in results.inferred], np.float64)


def with_error(values: Sequence[np.ndarray], digits: str) -> list[str]:
    """Format the mean over seeds, with its standard error for several seeds."""
    mean = np.mean(values, axis=0)
    if len(values) == 1:
        return [f"{value:{digits}}" for value in mean]
    error = np.std(values, axis=0, ddof=1) / len(values) ** 0.5
    return [f"{value:{digits}} +- {e:{digits}}" for value, e in zip(mean, error, strict=True)]


@cache  # two columns need it
def recalibrated(network: Trained) -> Results:
    """Recalibrate the posteriors of the test maps on validation maps."""
    factors = fit_sigma_factors(network.valid, simulation_of_rows(network.valid, 1))
    return recalibrate(network.test, factors)


def nats(results: Results) -> np.ndarray:
    """Compute the mean information of a map, which is the same in the row of every parameter."""
    information = robust_information(results.posterior, results.truth).mean()
    return np.full(len(results.inferred), information)


COLUMNS: dict[str, tuple[Callable[[Trained], np.ndarray], str]] = {
    "RMSE": (lambda network: scores(network.test, "RMSE"), ".5f"),
    "RMSE, one orientation": (lambda network: scores(network.single, "RMSE"), ".5f"),
    "epsilon [%]": (lambda network: 100 * scores(network.test, "epsilon"), ".3f"),
    "chi2": (lambda network: scores(network.test, "chi2"), ".2f"),
    "chi2 recalibrated": (lambda network: scores(recalibrated(network), "chi2"), ".2f"),
    "nats": (lambda network: nats(network.test), ".3f"),
    "nats recalibrated": (lambda network: nats(recalibrated(network)), ".3f"),
}
TRIALS_HEADER = ("trial", "epochs", "cost [s]", "lr", "wd", "dr", "hidden", "validation loss", "")
HEADER = ("recipe", "epochs", "cost [s]", "parameter", *COLUMNS)


def rows_of(name: str, epochs: str, networks: Sequence[Trained]) -> list[tuple[str, ...]]:
    """Make one row per parameter."""
    cells = [with_error([get(n) for n in networks], digits) for get, digits in COLUMNS.values()]
    seconds = f"{np.mean([network.seconds for network in networks]):.0f}"
    parameters = networks[0].test.inferred
    return [
        (name, epochs, seconds, parameter, *values)
        for parameter, *values in zip(parameters, *cells, strict=True)
    ]


def rows_of_trials(found: Found) -> list[tuple[str, ...]]:
    """Make one row per trial of a search."""
    rows = []
    for number, trial in enumerate(found.trials):
        drawn = trial.recipe.hyperparameters
        rows.append(
            (
                *(str(number), str(trial.recipe.training.epochs), f"{trial.seconds:.0f}"),
                *(f"{drawn.lr:.2g}", f"{drawn.wd:.2g}", f"{drawn.dr:.2g}", str(drawn.hidden)),
                f"{trial.network.best_valid_loss:.4f}",
                "chosen" if number == found.chosen else "",
            )
        )
    return rows


def ensemble(networks: Sequence[Trained]) -> Trained:
    """Average the networks of all seeds; the cost is that of all of them."""
    return Trained(
        average_networks([network.test for network in networks]),
        average_networks([network.single for network in networks]),
        average_networks([network.valid for network in networks]),
        sum(network.seconds for network in networks),
    )


def rows_of_truth(mock: Mock) -> list[tuple[str, ...]]:
    """Make rows of the exact posterior and the Cramer-Rao bound of Gaussian fields."""
    if mock.suite != GAUSSIAN:
        return []
    exact, bound = know_exactly(mock), cramer_rao_bound(mock.map_size)
    rmse, chi2 = scores(exact, "RMSE"), scores(exact, "chi2")
    epsilon = 100 * scores(exact, "epsilon")
    blank = ("",) * (len(COLUMNS) - 1)
    rows: list[tuple[str, ...]] = []
    for k, name in enumerate(camels.COSMOLOGY):
        known = (f"{rmse[k]:.5f}", "", f"{epsilon[k]:.3f}", f"{chi2[k]:.2f}", "", "", "")
        rows.append(("exact posterior", "", "", name, *known))
        rows.append(("Cramer-Rao bound", "", "", name, f"{bound[k]:.5f}", *blank))
    return rows
