"""Training data joined from several suites."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multifield import training
from multifield.config.data import NormalizationConfig
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Theta
from multifield.data import MapLoader, Normalization, SplitLoaders, fit_normalization
from multifield.data.joined import JoinedMaps
from multifield.maps import Split
from multifield.maps.splits import Simulations
from multifield.studies.robustness.suite_maps import SuiteMaps


@dataclass(frozen=True, eq=False)
class TrainingSuites:
    """Suites joined for training.

    Attributes
    ----------
    data : SplitLoaders
        Loaders of the joined training, validation and test simulations.
    normalization : Normalization or None
        Common normalization, which every test uses. None if each suite has its own.
    ends : tuple of int
        End index of each part of the training maps: all suites at the first smoothing, then at the
        next.
    n_suites : int
        Number of suites in the training maps. The target suite is the last, if given.
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
    target: SuiteMaps | None = None,
) -> TrainingSuites:
    """Join suites to train one network.

    Parameters
    ----------
    suites : sequence of SuiteMaps
        One or more suites with parameters.
    field : str
        Fields of the channels, joined with ``_``.
    widths : sequence of float
        Smoothing widths [pixels]. Training maps use all, validation and test maps the first.
    over : NormalizationConfig
        Simulations that mean and std are computed over, at the first smoothing.
    config : TrainingConfig
        Batch size and loader settings.
    causes : mapping of str to str
        Further settings that determine the training, for its fingerprint.
    own_scale : bool, optional
        Whether to standardize the maps of each suite by its own mean and std.
    target : SuiteMaps, optional
        Target suite, without true parameters. Its training maps are added, with pseudo-labels or
        NaN. It is not used for validation, tests or the common normalization.

    Returns
    -------
    joined : TrainingSuites
        Loaders and normalization of the joined suites.
    """
    names = field.split("_")
    every = [*suites, target] if target else [*suites]
    shared = None if own_scale else fit_scale(suites, names, widths[0], over)
    scales = [shared or fit_scale([each], names, widths[0], over) for each in every]
    channels = [
        JoinedMaps(
            tuple(each.log_maps[name, width].maps for width in widths for each in every),
            tuple((scale.mean[c], scale.std[c]) for _ in widths for scale in scales),
        )
        for c, name in enumerate(names)
    ]
    theta = np.concatenate([each.theta for each in every] * len(widths))
    split, seen = (_join_splits([each.split for each in chosen]) for chosen in (suites, every))
    n = seen.n_simulations
    train = tuple(copy * n + number for copy in range(len(widths)) for number in seen.train)

    def load(simulations: Simulations) -> MapLoader:
        return _load(suites[0], channels, theta, simulations, _standardized(names, over), config)

    data = SplitLoaders(
        train=load(train),
        valid=load(split.valid),
        test=load(split.test),
        causes=_list_causes(every, names, widths, scales, {**causes, **_label_checksum(target)}),
        periodic=all(suites[0].log_maps[name, widths[0]].periodic for name in names),
    )
    return TrainingSuites(data, shared, tuple(channels[0].ends.tolist()), len(every))


def fit_scale(
    suites: Sequence[SuiteMaps], names: Sequence[str], width: float, over: NormalizationConfig
) -> Normalization:
    """Fit one mean and std per field to several suites. Parameters are not used.

    Parameters
    ----------
    suites : sequence of SuiteMaps
        Suites that share the normalization.
    names : sequence of str
        Names of single fields.
    width : float
        Smoothing width [pixels].
    over : NormalizationConfig
        Simulations to use: training simulations or all.

    Returns
    -------
    normalization : Normalization
        Mean and std of each field.
    """
    moments = {
        name: np.concatenate([each.log_maps[name, width].moments for each in suites])
        for name in names
    }
    return fit_normalization(moments, _join_splits([each.split for each in suites]), over.over)


def _standardized(names: Sequence[str], over: NormalizationConfig) -> Normalization:
    """Make the identity normalization for maps that are already standardized."""
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
    """Load maps of a suite for a network trained on other suites.

    Parameters
    ----------
    suite : SuiteMaps
        Maps of the suite.
    field : str
        Fields of the channels, joined with ``_``.
    width : float
        Smoothing width [pixels].
    simulations : tuple of int
        Simulations to load.
    normalization : Normalization
        Normalization of the training maps, or of this suite if the network was trained with one
        normalization per suite.
    config : TrainingConfig
        Batch size and loader settings.

    Returns
    -------
    loader : MapLoader
        Loader of the simulations.
    """
    maps = [suite.log_maps[name, width].maps for name in field.split("_")]
    channels = [JoinedMaps((each,)) for each in maps]
    return _load(suite, channels, suite.theta, simulations, normalization, config)


def _load(
    suite: SuiteMaps,
    channels: list[JoinedMaps],
    theta: Theta,
    simulations: Simulations,
    normalization: Normalization,
    config: TrainingConfig,
) -> MapLoader:
    """Load maps. Astrophysical parameters mean something else in each suite, and are left out."""
    space = suite.space
    return MapLoader(
        channels,
        theta,
        simulations,
        normalization,
        batch_size=config.batch_size,
        inferred=space.columns(space.cosmology),
        space=space,
        maps_per_simulation=suite.maps_per_simulation,
        **training.loader_options(config),
    )


def _join_splits(splits: Sequence[Split]) -> Split:
    """Join splits; simulations of several suites are numbered consecutively."""
    starts = np.cumsum([0, *(split.n_simulations for split in splits)])[:-1].tolist()

    def join(part: str) -> Simulations:
        pairs = zip(starts, splits, strict=True)
        return tuple(start + number for start, split in pairs for number in getattr(split, part))

    return Split(seed=splits[0].seed, train=join("train"), valid=join("valid"), test=join("test"))


def _label_checksum(target: SuiteMaps | None) -> dict[str, str]:
    """Identify the labels of the target suite; those of other suites follow from their maps."""
    if target is None:
        return {}
    labels = hashlib.sha256(np.ascontiguousarray(target.theta).tobytes()).hexdigest()
    return {f"{target.suite}.theta_sha256": labels}


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
