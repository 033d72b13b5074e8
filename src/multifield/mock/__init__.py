"""Mock universes in CMD's layout. Every field carries information about the parameters."""

from multifield.config.ingest import MockConfig
from multifield.mock.gas_models import MOCK_ASTRID, MOCK_SIMBA, MOCK_TNG, GasModel
from multifield.mock.simulations import (
    GAS_MODELS,
    HYPERCUBES,
    MOCK_SUITES,
    MockBlocks,
    make_suite,
    simulate,
)
from multifield.mock.universe import sample_theta

__all__ = [
    "GAS_MODELS",
    "HYPERCUBES",
    "MOCK_ASTRID",
    "MOCK_SIMBA",
    "MOCK_SUITES",
    "MOCK_TNG",
    "GasModel",
    "MockBlocks",
    "MockConfig",
    "make_suite",
    "sample_theta",
    "simulate",
]
