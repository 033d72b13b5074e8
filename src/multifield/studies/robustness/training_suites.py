"""Maps of several suites together, ready for a network."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multifield import camels, training
from multifield.config.data import NormalizationConfig
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Theta
from multifield.data import MapLoader, Normalization, SplitLoaders, fit_normalization
from multifield.data.joined import JoinedMaps
from multifield.maps import Split
from multifield.maps.splits import Simulations
from multifield.studies.robustness.suite_maps import SuiteMaps

COLUMNS = tuple(camels.PARAMETER_NAMES.index(name) for name in camels.COSMOLOGY)
"""What is inferred: the astrophysical parameters mean different things in each suite."""


@dataclass(frozen=True, eq=False)
class TrainingSuites:
    """Suites joined to train on.

    Attributes
    ----------
    data : SplitLoaders
        Their training, validation and test simulations together.
    normalization : Normalization or None
        One for all of them, which every test uses; None where each suite has its own.
    ends : tuple of int
        Number behind the last map of each part: the suites, one after another, at each smoothing.
    n_suites : int
        In the training maps; the last of them is the one that is asked about, if it was given.
    """

    data: SplitLoaders
    normalization: Normalization | None
    ends: tuple[int, ...]
    n_suites: int


def join_suites(
    suites: Sequence[SuiteMaps],
    field: str,
    widths: Sequence[float],
    over: NormalizationConfig,
    config: TrainingConfig,
    causes: Mapping[str, str],
    *,
    own_scale: bool = False,
    asked_about: SuiteMaps | None = None,
) -> TrainingSuites:
    """Join suites to train one network on.

    Parameters
    ----------
    suites : sequence of SuiteMaps
        One or more.
    field : str
        The fields joined with ``_`` are the channels.
    widths : sequence of float
        Smoothing [pixels]. Validation and test maps have the first, training maps all of them.
    over : NormalizationConfig
        What mean and std are taken over, of maps with the first smoothing.
    config : TrainingConfig
    causes : mapping of str to str
        What else decides the numbers of the training.
    own_scale : bool, optional
        Standardize the maps of each suite by its own mean and std.
    asked_about : SuiteMaps, optional
        A suite whose training maps are joined to the others', with whatever parameters it has here: a
        teacher's, or NaN. It is not validated or tested on, and has no part in a mean and std of all.

    Returns
    -------
    joined : TrainingSuites
    """
    names = field.split("_")
    every = [*suites, asked_about] if asked_about else [*suites]
    shared = None if own_scale else fit_scale(suites, names, widths[0], over)
    scales = [shared or fit_scale([each], names, widths[0], over) for each in every]
    channels = [
        JoinedMaps(
            tuple(_maps_of(each, name, width) for width in widths for each in every),
            tuple((scale.mean[c], scale.std[c]) for _ in widths for scale in scales),
        )
        for c, name in enumerate(names)
    ]
    theta = np.concatenate([each.theta for each in every] * len(widths))
    split, seen = (_join_splits([each.split for each in chosen]) for chosen in (suites, every))
    n = seen.n_simulations
    train = tuple(copy * n + number for copy in range(len(widths)) for number in seen.train)

    def load(simulations: Simulations) -> MapLoader:
        return _load(channels, theta, simulations, _standardized(names, over), config)

    data = SplitLoaders(
        train=load(train),
        valid=load(split.valid),
        test=load(split.test),
        causes=_list_causes(every, names, widths, scales, {**causes, **_told_of(asked_about)}),
    )
    return TrainingSuites(data, shared, tuple(channels[0].ends.tolist()), len(every))


def fit_scale(
    suites: Sequence[SuiteMaps], names: Sequence[str], width: float, over: NormalizationConfig
) -> Normalization:
    """Give one mean and std a field of suites together; it takes their maps and no parameters.

    Parameters
    ----------
    suites : sequence of SuiteMaps
    names : sequence of str
        Single fields.
    width : float
        Smoothing [pixels].
    over : NormalizationConfig
        Their training simulations, or all.
    """
    moments = {
        name: np.concatenate([each.log_maps[name, width].moments for each in suites])
        for name in names
    }
    return fit_normalization(moments, _join_splits([each.split for each in suites]), over.over)


def _standardized(names: Sequence[str], over: NormalizationConfig) -> Normalization:
    """Leave maps as they are, which have mean 0 and std 1 already."""
    n = len(names)
    return Normalization(over=over.over, fields=tuple(names), mean=(0.0,) * n, std=(1.0,) * n)


def load_suite(
    suite: SuiteMaps,
    field: str,
    width: float,
    simulations: Simulations,
    normalization: Normalization,
    config: TrainingConfig,
) -> MapLoader:
    """Load maps of a suite as a network of others sees them.

    Parameters
    ----------
    suite : SuiteMaps
    field : str
    width : float
        Smoothing [pixels].
    simulations : tuple of int
    normalization : Normalization
        Of what the network was trained on, or of the suite itself for one that was trained on suites with
        scales of their own.
    config : TrainingConfig
    """
    maps = [_maps_of(suite, name, width) for name in field.split("_")]
    return _load(
        [JoinedMaps((each,)) for each in maps], suite.theta, simulations, normalization, config
    )


def _load(
    channels: list[JoinedMaps],
    theta: Theta,
    simulations: Simulations,
    normalization: Normalization,
    config: TrainingConfig,
) -> MapLoader:
    return MapLoader(
        channels,
        theta,
        simulations,
        normalization,
        batch_size=config.batch_size,
        inferred=COLUMNS,
        **training.loader_options(config),
    )


def _maps_of(suite: SuiteMaps, name: str, width: float) -> np.ndarray:
    maps = suite.log_maps[name, width].maps
    if not isinstance(maps, np.ndarray):
        raise TypeError(f"{suite.suite} {name}: expected log maps that are kept, got streamed ones")
    return maps


def _join_splits(splits: Sequence[Split]) -> Split:
    """Give the simulations of several suites one numbering, each suite behind the one before."""
    starts = np.cumsum([0, *(split.n_simulations for split in splits)])[:-1].tolist()

    def join(part: str) -> Simulations:
        pairs = zip(starts, splits, strict=True)
        return tuple(start + number for start, split in pairs for number in getattr(split, part))

    return Split(seed=splits[0].seed, train=join("train"), valid=join("valid"), test=join("test"))


def _told_of(asked_about: SuiteMaps | None) -> dict[str, str]:
    """Tell apart what a suite is said to have for parameters; those of others follow from their maps."""
    if asked_about is None:
        return {}
    told = hashlib.sha256(np.ascontiguousarray(asked_about.theta).tobytes()).hexdigest()
    return {f"{asked_about.suite}.theta_sha256": told}


def _list_causes(
    suites: Sequence[SuiteMaps],
    names: Sequence[str],
    widths: Sequence[float],
    scales: Sequence[Normalization],
    causes: Mapping[str, str],
) -> dict[str, str]:
    listed = dict(causes)
    for each, scale in zip(suites, scales, strict=True):
        listed[f"{each.suite}.split"] = str(each.split)
        listed[f"{each.suite}.normalization"] = str(scale)
        for name in names:
            for width in widths:
                provenance = each.log_maps[name, width].provenance
                listed[f"{each.suite}.{name}.{width:g}"] = str(dict(provenance))
    return listed
