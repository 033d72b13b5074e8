"""Search for sets of fields, exhaustive or greedy, and choice of the sets to train."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from multifield import camels
from multifield.config.studies import SearchConfig
from multifield.data.field_sets import FieldSet, all_sets

Goals = Mapping[str, tuple[str, ...]]
"""Parameters whose information counts, by name of the goal."""


@dataclass(frozen=True, kw_only=True)
class ScoredSet:
    """A set of fields and its information according to the scorer, on validation maps.

    Attributes
    ----------
    fields : tuple of str
        Fields of the set.
    information : dict of str to float
        Information about the parameters of each goal [nats]; see
        `multifield.evaluation.information`.
    """

    fields: tuple[str, ...]
    information: dict[str, float]


def choose_goals(inferred: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Choose the goals: the cosmology, and all parameters if others are inferred.

    Parameters
    ----------
    inferred : sequence of str
        Inferred parameters.

    Returns
    -------
    goals : dict of str to tuple of str
        Parameters of each goal, ``cosmology`` or ``all``.
    """
    cosmology = tuple(name for name in inferred if name in camels.COSMOLOGY)
    goals = {"cosmology": cosmology} if cosmology else {}
    return goals if cosmology == tuple(inferred) else goals | {"all": tuple(inferred)}


def search_sets(
    fields: FieldSet, score: Callable[[FieldSet], ScoredSet], goals: Goals, config: SearchConfig
) -> list[ScoredSet]:
    """Score sets of fields, each once.

    Up to `config.exhaustive_up_to` fields, all sets are scored. Beyond, a greedy search is run for
    each goal. Upwards it adds the field that adds most information. Downwards it removes the field
    that costs least. For 13 fields it scores at most 181 sets per goal instead of 8,191.

    Parameters
    ----------
    fields : tuple of str
        All fields.
    score : callable
        Function that scores a set. It is called once per set.
    goals : mapping of str to tuple of str
        Parameters of each goal.
    config : SearchConfig
        Settings of the search.

    Returns
    -------
    scored : list of ScoredSet
        Scored sets, smallest first, then in the order of the fields.
    """
    known: dict[FieldSet, ScoredSet] = {}

    def score_once(chosen: FieldSet) -> ScoredSet:
        if chosen not in known:
            known[chosen] = score(chosen)
        return known[chosen]

    def information(goal: str, chosen: FieldSet) -> float:
        return score_once(chosen).information[goal]

    if len(fields) <= config.exhaustive_up_to:
        for chosen in all_sets(fields):
            score_once(chosen)
    else:
        for goal in goals:
            _search_greedily(fields, partial(information, goal))
    order = {field: position for position, field in enumerate(fields)}
    return sorted(known.values(), key=lambda s: (len(s.fields), [order[f] for f in s.fields]))


def _search_greedily(fields: FieldSet, information: Callable[[FieldSet], float]) -> None:
    chosen: FieldSet = ()
    while len(chosen) < len(fields):
        chosen = max(_one_more(fields, chosen), key=information)
    while len(chosen) > 1:
        chosen = max(_one_less(chosen), key=information)


def _one_more(fields: FieldSet, chosen: FieldSet) -> Iterator[FieldSet]:
    for added in fields:
        if added not in chosen:
            yield tuple(field for field in fields if field in chosen or field == added)


def _one_less(chosen: FieldSet) -> Iterator[FieldSet]:
    for left_out in chosen:
        yield tuple(field for field in chosen if field != left_out)


def propose_finalists(
    scored: Sequence[ScoredSet], goals: Goals, fractions: Sequence[float], config: SearchConfig
) -> list[FieldSet]:
    """Choose the sets to train from scratch.

    For each goal and fraction, find the size of the smallest set that keeps this fraction of the
    largest information, according to the scorer. The best sets of sizes around it are chosen, and
    the set of all fields.

    Parameters
    ----------
    scored : sequence of ScoredSet
        Scored sets, including the set of all fields.
    goals : mapping of str to tuple of str
        Parameters of each goal.
    fractions : sequence of float
        Required fractions of the information.
    config : SearchConfig
        Margin of sizes and number of sets per size.

    Returns
    -------
    finalists : list of tuple of str
        Chosen sets, each once, in the order of `scored`.
    """
    chosen = {_largest(scored).fields}
    for goal in goals:
        for fraction in fractions:
            middle = _smallest_size(scored, goal, fraction)
            for size in range(middle - config.margin, middle + config.margin + 1):
                chosen |= _best_of_size(scored, goal, size, config.per_size)
    return [each.fields for each in scored if each.fields in chosen]


def _largest(scored: Sequence[ScoredSet]) -> ScoredSet:
    return max(scored, key=lambda each: len(each.fields))


def _smallest_size(scored: Sequence[ScoredSet], goal: str, fraction: float) -> int:
    """Find the smallest size that keeps the fraction; all fields if no set has information."""
    asked = fraction * max(each.information[goal] for each in scored)
    enough = [len(each.fields) for each in scored if each.information[goal] >= asked > 0]
    return min(enough, default=len(_largest(scored).fields))


def _best_of_size(scored: Sequence[ScoredSet], goal: str, size: int, n_best: int) -> set[FieldSet]:
    """Select the best sets of a size; none if there are none."""
    of_size = [each for each in scored if len(each.fields) == size]
    ranked = sorted(of_size, key=lambda each: -each.information[goal])
    return {each.fields for each in ranked[:n_best]}
