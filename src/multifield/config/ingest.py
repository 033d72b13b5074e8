"""Settings of the source of raw maps: mock suites, a folder, a download.

Values and reasons are in ``conf/``.
"""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.core.strict_types import Flag, Integer, Real, Text

SMALLEST_MAP, LARGEST_MAP = 16, 256  # [pixels per side]; CMD has the largest
SEEDS = 2**32  # smaller seeds make every pair (seed, simulation) unique


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class MockConfig:
    """Size and seed of a mock suite.

    With equal settings, MockNbody and MockTNG have the same parameters and structures, as CMD's
    N-body and hydrodynamic suites. MockSIMBA and MockAstrid have other parameters and structures,
    as CMD's suites, and so have MockTNG50 and MockSB. MockGaussian and MockTwoFields have MockTNG's
    parameters, random fields without structure, and use no lattice.

    Attributes
    ----------
    n_simulations : int
        Number of simulations. The latin hypercube depends on it.
    map_size : int
        Number of pixels per side, a power of two from 16 to 256.
    lattice : int
        Number of particles and of nodes of the force mesh per side, even, at least half of
        `map_size`.
    refine : int
        Number of mass elements per particle and axis. The lattice is visible in voids if
        ``lattice * refine`` is less than twice `map_size`.
    seed : int
        Seed of parameters and structures.
    n_threads : int
        Number of simulations in parallel. 0 uses all cores. The maps do not depend on it.
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
                f"map_size: Expected a power of two from {SMALLEST_MAP} to {LARGEST_MAP}, "
                f"got {map_size}."
            )
        return map_size


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DownloadConfig:
    """Download of missing published files.

    Attributes
    ----------
    enabled : bool
        Whether missing files are downloaded.
    base_url : str
        Address of the files: ``<base_url>/<suite>/<name>`` or ``<base_url>/<name>``.
    n_parallel : int
        Number of parallel downloads.
    n_retries : int
        Number of successive attempts without new data.
    timeout : float
        Time without data after which an attempt fails [s].
    backoff : float
        Waiting time before the second attempt [s], doubled for each further one.
    """

    enabled: Flag
    base_url: Text
    n_parallel: Integer = Field(ge=1, le=16)
    n_retries: Integer = Field(ge=0)
    timeout: Real = Field(gt=0)
    backoff: Real = Field(gt=0)

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, base_url: str) -> str:
        address = urlsplit(base_url)
        if "@" in address.netloc:  # the message must not show a password
            raise ValueError("Expected an address without user and password, got one with them.")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(f"Expected an http:// or https:// address, got {base_url!r}.")
        if address.query or address.fragment:
            raise ValueError("Expected the address of a folder, got one with ? or #.")
        return base_url.rstrip("/")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SourceConfig:
    """Source of the raw maps.

    Attributes
    ----------
    kind : {"mock", "folder"}
        Whether maps are made by this project or read from published files.
    folder : str
        Folder with the published files, in it or in ``<folder>/<suite>/``. Files are downloaded
        only into an existing folder, or into ``data/01_raw``.
    partial : bool
        Whether published files may have fewer simulations or pixels than their set. Nothing is
        downloaded then.
    mock : MockConfig
        Size and seed of mock suites.
    download : DownloadConfig
        Download of missing files.
    """

    kind: Literal["mock", "folder"]
    folder: Text
    partial: Flag
    mock: MockConfig
    download: DownloadConfig


def check_source(suite: str, config: SourceConfig, *, name: str = "suite") -> None:
    """Check that the source has a suite.

    Parameters
    ----------
    suite : str
        Name of the suite.
    config : SourceConfig
        Source of the maps.
    name : str, optional
        Parameter that names the suite, for the message.

    Raises
    ------
    ValueError
        If it is a mock suite and the source is a folder, or vice versa.
    """
    is_mock = camels.find_suite(suite).mock
    if is_mock != (config.kind == "mock"):
        environment = "mock" if is_mock else "cmd"
        raise ValueError(
            f"{name}: {suite} is not available from source {config.kind!r}. Use --env {environment}."
        )
