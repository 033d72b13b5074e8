"""Several suites brought and preprocessed together, each file under its usual name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from multifield.camels.selection import Selection
from multifield.config.data import PreprocessingConfig, SplitConfig
from multifield.config.ingest import SourceConfig
from multifield.config.studies import RobustnessConfig
from multifield.data.manifest import verify_suite
from multifield.ingest.raw_maps import bring_raw, make_log_maps
from multifield.maps.splits import split_simulations
from multifield.studies.robustness.training_suites import SuiteMaps


@dataclass(frozen=True)
class SuiteFolders:
    """Where files of all suites lie, a sub-folder each."""

    raw: Path
    log_maps: Path


def bring_suites(
    config: RobustnessConfig,
    sim_set: str,
    source: SourceConfig,
    preprocessing: PreprocessingConfig,
    split_config: SplitConfig,
    folders: SuiteFolders,
) -> dict[str, SuiteMaps]:
    """Make or find the maps of every suite, verify them, smooth them and take their logarithm.

    Files have the names of `ingest` and `preprocess`. Raw maps of mock suites that are there, of the same
    origin, and log maps of the same raw maps are used as they are.

    Parameters
    ----------
    config : RobustnessConfig
        Suites, fields and smoothing.
    sim_set : str
    source : SourceConfig
    preprocessing : PreprocessingConfig
        Its smoothing is replaced by the configuration's.
    split_config : SplitConfig
        The same simulations are held out in each suite.
    folders : SuiteFolders

    Returns
    -------
    suites : dict of suite to SuiteMaps
        In the order of the configuration.

    Raises
    ------
    ValueError
        If log maps are to be kept in 16 bits, which cannot be joined, or suites differ in the number of
        their simulations, so that a number would be held out in one and not in another.
    """
    if preprocessing.compact:
        raise ValueError("preprocessing.compact: expected false for robustness, got True")
    suites = {}
    for suite in config.suites:
        selection = Selection(suite=suite, sim_set=sim_set, field="_".join(config.single_fields))
        maps, theta = bring_raw(selection, source, folders.raw / suite)
        manifest = verify_suite(suite, sim_set, maps, theta, partial=source.partial)
        suites[suite] = SuiteMaps(
            suite,
            theta,
            split_simulations(
                len(theta),
                split_config.seed,
                n_valid=split_config.n_valid,
                n_test=split_config.n_test,
            ),
            {
                (field, width): log_maps
                for width in config.all_widths
                for field, log_maps in make_log_maps(
                    selection,
                    maps,
                    manifest,
                    replace(preprocessing, smoothing_width=width),
                    folders.log_maps / suite,
                ).items()
            },
        )
    check_equal_sizes(suites)
    return suites


def check_equal_sizes(suites: Mapping[str, SuiteMaps]) -> None:
    """Require as many simulations of each suite, so that the same numbers are held out; ValueError if not."""
    numbers = {name: len(each.theta) for name, each in suites.items()}
    if len(set(numbers.values())) > 1:
        raise ValueError(
            f"robustness.suites: expected as many simulations of each, got {numbers}; the same numbers "
            "are held out in all"
        )
