"""File names of CMD, of the benchmark, and of this project."""

import re

from multifield.camels.fields import REDSHIFT_LABEL
from multifield.camels.suites import find_set, find_suite


def maps_names(field: str, suite: str, sim_set: str) -> tuple[str, ...]:
    """Return the possible file names of the maps of a field.

    Parameters
    ----------
    field, suite, sim_set : str
        Field, suite and set of simulations.

    Returns
    -------
    names : tuple of str
        Published name, then older ones, then those with other names of the suite.
    """
    stems = ("Maps", "Images")
    redshifts = (REDSHIFT_LABEL, "z=0.0")
    return tuple(
        f"{stem}_{field}_{name}_{sim_set}_{redshift}.npy"
        for name in _names_of(suite)
        for redshift in redshifts
        for stem in stems
    )


def theta_names(suite: str, sim_set: str) -> tuple[str, ...]:
    """Return the possible file names of a parameter table.

    Parameters
    ----------
    suite, sim_set : str
        Suite and set of simulations.

    Returns
    -------
    names : tuple of str
        Published name, then for LH the older one, then names in the tables of CAMELS.
    """
    entry = find_set(sim_set, suite)
    design, _, _ = sim_set.partition("_")
    volume = f"L{entry.box:.0f}n{entry.map_size}"
    names = _names_of(suite)
    older = [f"params_{name}.txt" for name in names if sim_set == "LH"]
    return (
        *(f"params_{sim_set}_{name}.txt" for name in names),
        *older,
        *(f"CosmoAstroSeed_{name}_{volume}_{design}.txt" for name in names),
    )


def _names_of(suite: str) -> tuple[str, ...]:
    entry = find_suite(suite)
    return (entry.name, *entry.aliases)


def _preprocessing_suffix(smoothing_width: float | int, remove_monopole: bool) -> str:
    """Return ``_smoothing_<width>`` and ``_no_monopole``, if they apply."""
    smoothing = f"_smoothing_{smoothing_width:g}" if smoothing_width else ""
    return smoothing + ("_no_monopole" if remove_monopole else "")


_LABEL_WORDS = {"o3_err": "o3"}
"""Names of architectures in file names, where they differ. The benchmark's files have ``o3``."""

_LABEL = re.compile(
    r"all_(?:one_cycle|steps_\d+_\d+)_(\w+?)(?:_autoregressive|_flow)?(?:_smoothing_[\d.e+-]+)?(?:_no_monopole)?"
    r"(?:_cutout_\d+)?(?:_mask_[0-9a-f]{6})?(?:_floor)?"
    r"(?:_noise_[\d.e+-]+)?(?:_beam_[\d.e+-]+)?"
    r"(?:_field_(?:scorer|finalists))?"
)


def recipe_label(
    steps_up: int,
    steps_down: int,
    smoothing_width: float | int,
    remove_monopole: bool = False,
    architecture: str = "o3_err",
    schedule: str = "cyclic",
    head: str = "diagonal",
) -> str:
    """Return the part of a file name for the training: ``all_steps_500_500_o3``.

    Parameters
    ----------
    steps_up, steps_down : int
        Steps of the cyclic learning rate [batches].
    smoothing_width : float
        Width of the smoothing of the maps [pixels].
    remove_monopole : bool, optional
        Whether the mean of each log map is subtracted.
    architecture : str, optional
        Name of the architecture. ``module:Class`` is shortened to the class.
    schedule : str, optional
        Schedule of the learning rate.
    head : str, optional
        Name of the posterior. ``diagonal``, the benchmark's, is not named.

    Returns
    -------
    label : str
        Part of a file name, without leading ``_``.
    """
    # unknown architectures are rejected with the parameters
    word = _LABEL_WORDS.get(architecture, architecture.rpartition(":")[2])
    suffix = _preprocessing_suffix(smoothing_width, remove_monopole)
    steps = "one_cycle" if schedule == "one_cycle" else f"steps_{steps_up}_{steps_down}"
    of_head = "" if head == "diagonal" else f"_{head}"
    return f"all_{steps}_{word}{of_head}{suffix}"


def word_of_label(label: str) -> str:
    """Return the name of the architecture in a label of `recipe_label`.

    Parameters
    ----------
    label : str
        Label, also with the prefix ``single_``.

    Returns
    -------
    word : str
        Name of the architecture. ``o3``, the benchmark's, for other labels.
    """
    match = _LABEL.fullmatch(label.removeprefix("single_"))
    return match[1] if match else _LABEL_WORDS["o3_err"]


def run_name(suite: str, field: str, label: str) -> str:
    """Return the benchmark's name of a training or test: ``Nbody_Mtot_all_steps_500_500_o3``.

    Parameters
    ----------
    suite : str
        Suite, whose short name is used.
    field : str
        Field, or fields joined with ``_``.
    label : str
        Label from `recipe_label`.

    Returns
    -------
    name : str
        Name for files and folders.
    """
    return f"{find_suite(suite).short_name}_{field}_{label}"


def log_maps_name(
    field: str,
    suite: str,
    sim_set: str,
    smoothing_width: float | int,
    remove_monopole: bool,
    compact: bool = False,
    suffix: str = "",
) -> str:
    """Return the file name of preprocessed maps, which the benchmark does not store.

    Parameters
    ----------
    field, suite, sim_set : str
        Field, suite and set of simulations.
    smoothing_width : float
        Width of the smoothing [pixels].
    remove_monopole : bool
        Whether the mean of each log map is subtracted.
    compact : bool, optional
        Whether the maps are stored in 16 bits, which adds ``_float16``.
    suffix : str, optional
        End of the name for cut-outs, masks and instrument.

    Returns
    -------
    name : str
        File name.
    """
    of_maps = _preprocessing_suffix(smoothing_width, remove_monopole) + suffix
    of_maps += "_float16" if compact else ""
    return f"log_Maps_{field}_{suite}_{sim_set}_{REDSHIFT_LABEL}{of_maps}.npy"
