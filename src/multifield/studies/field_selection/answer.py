"""The smallest sets of fields that keep most of the information, with bootstrap intervals.

All fields contain at least the information of any subset. So the information in all fields is
measured by the network with most information on validation maps, whatever its set. The network
trained on all fields may do worse, because many fields can make training harder.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass as plain_dataclass

import numpy as np
from jaxtyping import Float64
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.data.field_sets import FieldSet
from multifield.evaluation.bootstrap import Resamples
from multifield.evaluation.information import Nats
from multifield.evaluation.intervals import Interval, percentile_interval
from multifield.studies.field_selection.networks import FieldScores, SetInformation
from multifield.studies.field_selection.search import choose_goals

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SmallestSet:
    """The smallest set of fields that keeps a fraction of the information in all fields.

    Attributes
    ----------
    goal : str
        ``cosmology`` or ``all``.
    parameters : tuple of str
        Parameters whose information counts.
    asked : float
        Required fraction of the information in all fields.
    fields : tuple of str or None
        Fields of the set; among sets of the same size, the one with most information. None if all
        fields together have no information.
    n_fields : int or None
        Number of fields in the set.
    information : Interval or None
        Information in the set [nats].
    fraction : Interval or None
        Fraction of the information in all fields, on the same resamples of simulations.
    share : float or None
        Share of resamples in which the set keeps the required fraction.
    """

    goal: str
    parameters: tuple[str, ...]
    asked: float
    fields: tuple[str, ...] | None
    n_fields: int | None
    information: Interval | None
    fraction: Interval | None
    share: float | None


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class FieldSelection:
    """Result of a field selection.

    Attributes
    ----------
    suite : str
        Name of the suite.
    mock : bool
        Whether the suite was made by this project.
    fields : tuple of str
        All fields.
    n_simulations : int
        Number of test simulations, which are resampled.
    level : float
        Confidence level of the intervals.
    best_fields : dict of str to (tuple of str)
        Set with most information on validation maps, by goal.
    information_in_all : dict of str to Interval
        Information of that set on test maps [nats], by goal. It is a lower limit of the
        information in all fields.
    smallest : tuple of SmallestSet
        Smallest set of each goal and fraction.
    """

    suite: str
    mock: bool
    fields: tuple[str, ...]
    n_simulations: int
    level: float
    best_fields: dict[str, tuple[str, ...]]
    information_in_all: dict[str, Interval]
    smallest: tuple[SmallestSet, ...]


@plain_dataclass(frozen=True, eq=False)
class MeasuredSet:
    """Information of a network trained on one set, on test maps and for one goal.

    Attributes
    ----------
    fields : tuple of str
        Fields of the set.
    goal : str
        ``cosmology`` or ``all``.
    information : Interval
        Information [nats].
    fraction : Interval or None
        Fraction of the information in all fields. None unless that is > 0 in every resample.
    is_best : bool
        Whether this network defines the information in all fields.
    resamples : (R,) float64
        Information in each resample [nats].
    """

    fields: FieldSet
    goal: str
    information: Interval
    fraction: Interval | None
    is_best: bool
    resamples: Float64[np.ndarray, " R"]


def compare_sets(
    information: Mapping[FieldSet, SetInformation],
    bootstrap: BootstrapConfig,
    maps_per_simulation: int = camels.MAPS_PER_SIMULATION,
) -> list[MeasuredSet]:
    """Compare sets with all fields, on the same resamples of the test simulations.

    Parameters
    ----------
    information : mapping of tuple of str to SetInformation
        Information of each set on the same maps, ordered (simulation, map).
    bootstrap : BootstrapConfig
        Resampling of simulations.
    maps_per_simulation : int, optional
        Number of maps per simulation.

    Returns
    -------
    measured : list of MeasuredSet
        All sets in the given order, for each goal.

    Raises
    ------
    ValueError
        If the maps do not come from two or more complete simulations.
    """
    first = next(iter(information.values())).test
    resamples = _resample(len(next(iter(first.values()))), maps_per_simulation, bootstrap)
    measured = []
    for goal in first:
        best = max(information, key=lambda f: float(information[f].valid[goal].mean()))
        whole, whole_resampled = _average(information[best].test[goal], resamples)
        for fields, each in information.items():
            value, values = _average(each.test[goal], resamples)
            measured.append(
                MeasuredSet(
                    fields,
                    goal,
                    _interval(value, values, bootstrap.level),
                    _fraction(value, values, whole, whole_resampled, bootstrap.level),
                    fields == best,
                    values,
                )
            )
    return measured


def find_smallest(
    measured: Sequence[MeasuredSet],
    fractions: Sequence[float],
    suite: str,
    bootstrap: BootstrapConfig,
    scores: FieldScores,
    n_simulations: int,
) -> FieldSelection:
    """Find the smallest set for each goal and fraction.

    Parameters
    ----------
    measured : sequence of MeasuredSet
        Sets from `compare_sets`.
    fractions : sequence of float
        Required fractions of the information in all fields.
    suite : str
        Name of the suite.
    bootstrap : BootstrapConfig
        Confidence level of the intervals.
    scores : FieldScores
        Scores that list the inferred parameters.
    n_simulations : int
        Number of test simulations.

    Returns
    -------
    selection : FieldSelection
        Smallest sets and the information in all fields.
    """
    goals = choose_goals(scores.inferred)
    of_goals = {goal: [each for each in measured if each.goal == goal] for goal in goals}
    return FieldSelection(
        suite=suite,
        mock=camels.find_suite(suite).mock,
        fields=max((each.fields for each in measured), key=len),
        n_simulations=n_simulations,
        level=bootstrap.level,
        best_fields={goal: _best(sets).fields for goal, sets in of_goals.items()},
        information_in_all={goal: _best(sets).information for goal, sets in of_goals.items()},
        smallest=tuple(
            _find(sets, goal, goals[goal], asked)
            for goal, sets in of_goals.items()
            for asked in fractions
        ),
    )


def _find(
    sets: Sequence[MeasuredSet], goal: str, parameters: tuple[str, ...], asked: float
) -> SmallestSet:
    everything = _best(sets)
    enough = [s for s in sets if s.information.value >= asked * everything.information.value]
    if everything.information.value <= 0:
        logger.warning("%s: all fields together have no information, so no set is selected", goal)
        nothing = {"fields": None, "n_fields": None, "information": None, "fraction": None}
        return SmallestSet(goal=goal, parameters=parameters, asked=asked, share=None, **nothing)
    found = min(enough, key=lambda s: (len(s.fields), -s.information.value))
    return SmallestSet(
        goal=goal,
        parameters=parameters,
        asked=asked,
        fields=found.fields,
        n_fields=len(found.fields),
        information=found.information,
        fraction=found.fraction,
        share=float(np.mean(found.resamples >= asked * everything.resamples)),
    )


def _resample(n_maps: int, maps_per_simulation: int, bootstrap: BootstrapConfig) -> Resamples:
    n_simulations, rest = divmod(n_maps, maps_per_simulation)
    if rest or n_simulations < 2:
        raise ValueError(
            f"test maps: Expected {maps_per_simulation} maps of each of two or more "
            f"simulations, got {n_maps} maps."
        )
    rows = np.repeat(np.arange(n_simulations, dtype=np.int64), maps_per_simulation)
    return Resamples(rows, bootstrap)


def _average(nats: Nats, resamples: Resamples) -> tuple[float, Float64[np.ndarray, " R"]]:
    """Average over all maps, and over those of each resample."""
    averages: np.ndarray = resamples.totals(nats) / resamples.sizes()
    return float(nats.mean()), averages


def _interval(value: float, values: Float64[np.ndarray, " R"], level: float) -> Interval:
    interval = percentile_interval(value, values, level)
    if interval is None:
        raise ValueError(f"information: Expected finite values, got {value}.")
    return interval


def _fraction(
    value: float,
    values: Float64[np.ndarray, " R"],
    whole: float,
    whole_resampled: Float64[np.ndarray, " R"],
    level: float,
) -> Interval | None:
    """Compute the fraction of the information in all fields, resampled together."""
    if whole <= 0 or not (whole_resampled > 0).all():
        return None
    return percentile_interval(value / whole, values / whole_resampled, level)


def _best(sets: Sequence[MeasuredSet]) -> MeasuredSet:
    return next(each for each in sets if each.is_best)
