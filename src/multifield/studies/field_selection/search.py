"""Which sets of fields to look at: all of them, or those on greedy ways up and down; and which to train."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from multifield import camels
from multifield.config.studies import SearchConfig
from multifield.data.field_sets import FieldSet, all_sets

Goals = Mapping[str, tuple[str, ...]]
"""Name -> the parameters whose information counts."""


@dataclass(frozen=True, kw_only=True)
class ScoredSet:
    """A set of fields, and what the scorer says of it on validation maps.

    Attributes
    ----------
    fields : tuple of str
    information, rmse_information : dict of str to float
        Of each parameter, [nats]; see `multifield.evaluation.information`.
    """

    fields: tuple[str, ...]
    information: dict[str, float]
    rmse_information: dict[str, float]

    def total(self, parameters: tuple[str, ...]) -> float:
        """Sum over some parameters."""
        return sum(self.information[name] for name in parameters)


def choose_goals(inferred: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Ask for the cosmology, and for all parameters where there are others."""
    cosmology = tuple(name for name in inferred if name in camels.COSMOLOGY)
    goals = {"cosmology": cosmology} if cosmology else {}
    return goals if cosmology == tuple(inferred) else goals | {"all": tuple(inferred)}


def search_sets(
    fields: FieldSet, score: Callable[[FieldSet], ScoredSet], goals: Goals, config: SearchConfig
) -> list[ScoredSet]:
    """Score sets of fields, each once.

    Up to `config.exhaustive_up_to` fields all sets. Beyond, for each goal, those that a greedy search looks
    at: from no field upwards it adds the field that adds most, from all downwards it takes away the one that
    is missed least. Of 13 fields these are at most 181 a goal, instead of 8,191.

    Parameters
    ----------
    fields : tuple of str
    score : callable
        Scores a set; called once for each.
    goals : mapping of str to tuple of str
    config : SearchConfig

    Returns
    -------
    scored : list of ScoredSet
        The smallest first, in the order of the fields.
    """
    known: dict[FieldSet, ScoredSet] = {}

    def look(chosen: FieldSet) -> ScoredSet:
        if chosen not in known:
            known[chosen] = score(chosen)
        return known[chosen]

    def total(parameters: tuple[str, ...], chosen: FieldSet) -> float:
        return look(chosen).total(parameters)

    if len(fields) <= config.exhaustive_up_to:
        for chosen in all_sets(fields):
            look(chosen)
    else:
        for parameters in goals.values():
            _search_greedily(fields, partial(total, parameters))
    order = {field: position for position, field in enumerate(fields)}
    return sorted(known.values(), key=lambda s: (len(s.fields), [order[f] for f in s.fields]))


def _search_greedily(fields: FieldSet, total: Callable[[FieldSet], float]) -> None:
    chosen: FieldSet = ()
    while len(chosen) < len(fields):
        chosen = max(_one_more(fields, chosen), key=total)
    while len(chosen) > 1:
        chosen = max(_one_less(chosen), key=total)


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
    """Choose the sets that are worth training from scratch.

    For each goal and fraction: the best sets of each size around the smallest that, to the scorer, holds this
    fraction of the most that any set does. And the set of all fields.

    Parameters
    ----------
    scored : sequence of ScoredSet
        With the set of all fields.
    goals : mapping of str to tuple of str
    fractions : sequence of float
    config : SearchConfig

    Returns
    -------
    finalists : list of tuple of str
        Each once, in the order of `scored`.
    """
    chosen = {_largest(scored).fields}
    for parameters in goals.values():
        for fraction in fractions:
            middle = _smallest_size(scored, parameters, fraction)
            for size in range(middle - config.margin, middle + config.margin + 1):
                chosen |= _best_of_size(scored, parameters, size, config.per_size)
    return [each.fields for each in scored if each.fields in chosen]


def _largest(scored: Sequence[ScoredSet]) -> ScoredSet:
    return max(scored, key=lambda each: len(each.fields))


def _smallest_size(
    scored: Sequence[ScoredSet], parameters: tuple[str, ...], fraction: float
) -> int:
    """Size of the smallest set that holds the fraction; all fields where no set holds anything."""
    asked = fraction * max(each.total(parameters) for each in scored)
    enough = [len(each.fields) for each in scored if each.total(parameters) >= asked > 0]
    return min(enough, default=len(_largest(scored).fields))


def _best_of_size(
    scored: Sequence[ScoredSet], parameters: tuple[str, ...], size: int, n_best: int
) -> set[FieldSet]:
    """Give the best sets of a size; none where there is none."""
    of_size = [each for each in scored if len(each.fields) == size]
    ranked = sorted(of_size, key=lambda each: -each.total(parameters))
    return {each.fields for each in ranked[:n_best]}
