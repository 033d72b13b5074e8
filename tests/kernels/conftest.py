from collections.abc import Iterator
from types import ModuleType

import mapkernels
import pytest

from multifield.maps import reference

COMPILED = mapkernels.available_instructions()


@pytest.fixture(scope="session", params=COMPILED)
def compiled(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The extension, with each set of instructions that this machine has."""
    yield from _with_instructions(request.param)


@pytest.fixture(scope="session", params=[*COMPILED, "reference"])
def kernels(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """All implementations of the kernels, so that each test is asked of all."""
    if request.param == "reference":
        yield reference
    else:
        yield from _with_instructions(request.param)


def _with_instructions(name: str) -> Iterator[ModuleType]:
    best = mapkernels.instructions()
    mapkernels.set_instructions(name)
    yield mapkernels
    mapkernels.set_instructions(best)
