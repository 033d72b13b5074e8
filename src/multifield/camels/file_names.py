"""Names of files: those of CMD and of the benchmark, and our own."""

import re

from multifield.camels.fields import REDSHIFT_LABEL
from multifield.camels.suites import find_suite


def maps_names(field: str, suite: str, sim_set: str) -> tuple[str, ...]:
    """File names that hold a field, the published one first, then older spellings."""
    stems = ("Maps", "Images")
    redshifts = (REDSHIFT_LABEL, "z=0.0")
    return tuple(
        f"{stem}_{field}_{suite}_{sim_set}_{redshift}.npy"
        for redshift in redshifts
        for stem in stems
    )


def theta_names(suite: str, sim_set: str) -> tuple[str, ...]:
    """File names of a parameter table, the published one first, then the older spelling (LH)."""
    published = f"params_{sim_set}_{suite}.txt"
    return (published, f"params_{suite}.txt") if sim_set == "LH" else (published,)


def smoothing_suffix(smoothing_width: float | int) -> str:
    """``_smoothing_<width>`` [pixels], or nothing for maps as they are."""
    return f"_smoothing_{smoothing_width:g}" if smoothing_width else ""


def monopole_suffix(remove_monopole: bool) -> str:
    """``_no_monopole`` where each log map's own mean was subtracted, or nothing."""
    return "_no_monopole" if remove_monopole else ""


LABEL_WORDS = {"o3_err": "o3"}
"""What the names of files call an architecture, if not by its name. The benchmark's files say ``o3``."""

_LABEL = re.compile(
    r"all_(?:one_cycle|steps_\d+_\d+)_(\w+?)(?:_smoothing_[\d.e+-]+)?(?:_no_monopole)?"
    r"(?:_field_(?:scorer|finalists))?"
)


def recipe_label(
    steps_up: int,
    steps_down: int,
    smoothing_width: float | int,
    remove_monopole: bool = False,
    architecture: str = "o3_err",
    schedule: str = "cyclic",
) -> str:
    """Give the part of a name that says how a network was trained: ``all_steps_500_500_o3``.

    Parameters
    ----------
    steps_up, steps_down : int
        Of the cyclic learning rate [batches].
    smoothing_width : float
        Of the maps [pixels].
    remove_monopole : bool, optional
        Whether each log map's own mean was subtracted.
    architecture, schedule : str, optional
        Names; the benchmark's have the benchmark's words. Of ``module:Class`` the class is taken.
    """
    # an architecture that is unknown is refused with the parameters
    word = LABEL_WORDS.get(architecture, architecture.rpartition(":")[2])
    suffix = smoothing_suffix(smoothing_width) + monopole_suffix(remove_monopole)
    steps = "one_cycle" if schedule == "one_cycle" else f"steps_{steps_up}_{steps_down}"
    return f"all_{steps}_{word}{suffix}"


def word_of_label(label: str) -> str:
    """Give what a label of `recipe_label` calls the architecture; the benchmark's ``o3`` if nothing else."""
    match = _LABEL.fullmatch(label.removeprefix("single_"))
    return match[1] if match else LABEL_WORDS["o3_err"]


def run_name(suite: str, field: str, label: str) -> str:
    """Name what was trained or tested, as the benchmark's files do: ``Nbody_Mtot_all_steps_500_500_o3``.

    Parameters
    ----------
    suite : str
        Suite, of which the short name is taken.
    field : str
        Field, or fields joined with ``_``.
    label : str
        From `recipe_label`.

    Returns
    -------
    name : str
    """
    return f"{find_suite(suite).short_name}_{field}_{label}"


def log_maps_name(
    field: str,
    suite: str,
    sim_set: str,
    smoothing_width: float | int,
    remove_monopole: bool,
    compact: bool = False,
) -> str:
    """File name of preprocessed maps (our own; the benchmark keeps none).

    Parameters
    ----------
    field, suite, sim_set : str
    smoothing_width : float
        [pixels]
    remove_monopole : bool
        Whether each log map's own mean was subtracted.
    compact : bool, optional
        Whether they are kept in 16 bits, which adds ``_float16``.
    """
    suffix = smoothing_suffix(smoothing_width) + monopole_suffix(remove_monopole)
    suffix += "_float16" if compact else ""
    return f"log_Maps_{field}_{suite}_{sim_set}_{REDSHIFT_LABEL}{suffix}.npy"
