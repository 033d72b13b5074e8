"""Short names of the architectures, as the configuration spells them."""

from collections.abc import Mapping

from torch import Tensor

from multifield.models.band_powers import FIRST_TENSOR as FIRST_OF_BAND_POWERS
from multifield.models.band_powers import BandPowers
from multifield.models.network import Network
from multifield.models.o3_err import O3Err
from multifield.models.summary_statistics import FIRST_TENSOR as FIRST_OF_SUMMARY_STATISTICS
from multifield.models.summary_statistics import SummaryStatistics

ARCHITECTURES: dict[str, type[Network]] = {
    "o3_err": O3Err,
    "band_powers": BandPowers,
    "summary_statistics": SummaryStatistics,
}

MARKS = {
    "C01.weight": "o3_err",
    FIRST_OF_BAND_POWERS: "band_powers",
    FIRST_OF_SUMMARY_STATISTICS: "summary_statistics",
}
"""A tensor of which the presence says the architecture of a state dict."""


def find_architecture(state: Mapping[str, Tensor]) -> str:
    """Say of which architecture a state dict is.

    Raises
    ------
    ValueError
        If it is of none; names the tensors that would say it.
    """
    found = [name for mark, name in MARKS.items() if mark in state]
    if len(found) != 1:
        marks = " or ".join(f"{mark} ({name})" for mark, name in MARKS.items())
        raise ValueError(f"missing tensor {marks}, so these are no weights of a known network")
    return found[0]
