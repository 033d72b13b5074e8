"""Settings of the source of raw maps: mock suites, a folder, a download."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.core.strict_types import Flag, Integer, Real, Text

SMALLEST_MAP, LARGEST_MAP = 16, 256  # [pixels per side]; CMD's own maps are the largest
SEEDS = 2**32  # below it a seed is one word, and no pair (seed, simulation) is another's


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class MockConfig:
    """Size and seed of a mock suite.

    MockNbody is the dark matter twin of MockTNG, as CMD's N-body suites are of the hydrodynamic ones: of
    equal configuration, they have the same parameters and the same structures. MockSIMBA and MockAstrid
    have a latin hypercube and structures of their own, as the LH sets of CMD's suites do. MockGaussian
    and MockTwoFields have MockTNG's parameters and no structure; size and seed are from here, and no lattice.

    Attributes
    ----------
    n_simulations : int
        Rows of the parameter table. The latin hypercube depends on it.
    map_size : int
        Pixels per side, a power of two from 16 to 256.
    lattice : int
        Particles per side, and nodes of the force mesh, even. Half of `map_size` or more.
    refine : int
        Mass elements per particle, along each axis. Voids show the lattice where
        ``lattice * refine`` is less than twice `map_size`.
    seed : int
        Of everything.
    n_threads : int
        Simulations at once, 0 for one a core. The maps do not depend on it.
    """

    n_simulations: Integer = Field(ge=1)
    map_size: Integer = Field(ge=SMALLEST_MAP, le=LARGEST_MAP)
    lattice: Integer = Field(ge=8, le=512, multiple_of=2)
    refine: Integer = Field(ge=1, le=8)
    seed: Integer = Field(ge=0, lt=SEEDS)
    n_threads: Integer = Field(ge=0)

    @field_validator("map_size")
    @classmethod
    def _check_power_of_two(cls, map_size: int) -> int:
        if map_size & (map_size - 1):
            raise ValueError(
                f"map_size: expected a power of two from {SMALLEST_MAP} to {LARGEST_MAP}, "
                f"got {map_size}"
            )
        return map_size


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DownloadConfig:
    """Whether, whence and how `ingest` fetches published files that are missing."""

    enabled: Annotated[Flag, Field(strict=True)]
    base_url: Text  # files are at <base_url>/<suite>/<name> or <base_url>/<name>
    n_parallel: Annotated[Integer, Field(strict=True, ge=1, le=16)]  # files at once
    n_retries: Annotated[
        int, Field(strict=True, ge=0)
    ]  # attempts in a row that may bring nothing new
    timeout: Annotated[Real, Field(strict=True, gt=0, allow_inf_nan=False)]  # [s] without a byte
    backoff: Annotated[
        float, Field(strict=True, gt=0, allow_inf_nan=False)
    ]  # [s], doubled at each failure

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, base_url: str) -> str:
        address = urlsplit(base_url)
        if "@" in address.netloc:  # the value is not shown: it holds a password
            raise ValueError("expected an address without user and password, got one with them")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(f"expected an http:// or https:// address, got {base_url!r}")
        if address.query or address.fragment:
            raise ValueError("expected the address of a folder, got one with ? or #")
        return base_url.rstrip("/")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SourceConfig:
    """Where `ingest` takes its maps from."""

    kind: Literal["mock", "folder"]
    folder: Text  # published files, in it or in a sub-folder named like the suite
    partial: (
        bool  # published files may hold fewer simulations than their set has; nothing is fetched
    )
    mock: MockConfig
    download: DownloadConfig


def check_source(suite: str, config: SourceConfig, *, name: str = "suite") -> None:
    """Require a mock suite where maps are made here, a published one where they are found.

    Parameters
    ----------
    suite : str
    config : SourceConfig
    name : str, optional
        Of the parameter that asks for it.

    Raises
    ------
    ValueError
        Naming it and the environment that has the suite.
    """
    is_mock = camels.find_suite(suite).mock
    if is_mock != (config.kind == "mock"):
        environment = "mock" if is_mock else "cmd"
        raise ValueError(f"{name}: source {config.kind!r} has not {suite}; use --env {environment}")
