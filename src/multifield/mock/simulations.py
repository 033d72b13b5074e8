"""Mock suites in CMD's layout: maps of any size from a seed, simulated one by one."""

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass as plain_dataclass
from dataclasses import replace

import numpy as np

from multifield.camels import (
    BUILT_IN,
    FEEDBACK,
    SUITES,
    SimulationSet,
    find_suite,
    parse_fields,
)
from multifield.config.ingest import MockConfig
from multifield.core.arrays import Maps, Theta
from multifield.core.progress import progress
from multifield.core.threads import available_threads
from multifield.mock import gaussian, two_fields
from multifield.mock.gas import Feedback, paint_fields
from multifield.mock.gas_models import (
    MOCK_ASTRID,
    MOCK_SIMBA,
    MOCK_TNG,
    GasModel,
    change_strengths,
)
from multifield.mock.universe import (
    GAS_SCATTER,
    INITIAL_CONDITIONS,
    OMEGA_B,
    Background,
    Universe,
    make_universe,
    random_generator,
    sample_theta,
    total_matter,
)

GAS_MODELS: dict[str, GasModel | None] = {
    "MockNbody": None,
    "MockTNG": MOCK_TNG,
    "MockSIMBA": MOCK_SIMBA,
    "MockAstrid": MOCK_ASTRID,
    "MockTNG50": MOCK_TNG,
    "MockSB": MOCK_TNG,
}
"""Gas model of each mock suite that simulates a universe; None for a suite without baryons."""

HYPERCUBES = {"MockSIMBA": 1, "MockAstrid": 2, "MockTNG50": 3, "MockSB": 4}
"""Design of suites with separate parameters and structures; 0 for other suites."""

MOCK_SUITES = (*GAS_MODELS, gaussian.SUITE, two_fields.SUITE)
"""Names of the mock suites."""


@plain_dataclass(frozen=True)
class MockBlocks:
    """All simulations of a mock suite, in order. Each iteration simulates again.

    Attributes
    ----------
    suite : str
        Name of a mock suite.
    fields : tuple of str
        Fields of the suite. All fields of a simulation share one universe.
    config : MockConfig
        Map size and seed.
    theta : (S, P) float64
        Parameters of each simulation, inside or outside their ranges.

    Yields
    ------
    maps : dict of (N, L, L) float32
        Fields of one simulation, one map per axis and slab, ordered by axis.
    """

    suite: str
    fields: tuple[str, ...]
    config: MockConfig
    theta: Theta

    def __post_init__(self) -> None:
        check_mock(self.suite, self.fields)
        check_theta(self.theta, self.suite)

    def __len__(self) -> int:
        """Count simulations."""
        return len(self.theta)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of all maps of a field, (N S, L, L)."""
        n_maps = set_of(self.suite).maps_per_simulation * len(self)
        return n_maps, self.config.map_size, self.config.map_size

    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """Shape of all maps of each field."""
        return dict.fromkeys(self.fields, self.shape)

    @property
    def origin(self) -> dict[str, str]:
        """Values that determine the pixels: suite, physics version, parameters, size and seed."""
        config = {
            name: str(getattr(self.config, name))
            for name in ("map_size", "lattice", "refine", "seed")
        }
        table = np.ascontiguousarray(self.theta, dtype="<f8")
        return {
            "suite": self.suite,
            "made_by": SUITES[self.suite].made_by,
            "theta_sha256": hashlib.sha256(table.tobytes()).hexdigest(),
            **config,
        }

    def of_fields(self, fields: tuple[str, ...]) -> "MockBlocks":
        """Select fields of the same simulations."""
        return replace(self, fields=fields)

    def __iter__(self) -> Iterator[dict[str, Maps]]:
        """Simulate; threads compute a few simulations ahead."""
        with progress(f"mock {self.suite}", len(self), "simulations") as advance:
            for maps in _simulate_ahead(self):
                yield maps
                advance(1)


def check_mock(suite: str, fields: tuple[str, ...]) -> None:
    """Check that a suite is a mock suite with the given fields.

    Raises
    ------
    ValueError
        If the suite is not a mock suite, lacks a field, or no field is given.
    """
    if suite not in MOCK_SUITES:
        raise ValueError(f"suite: Expected one of {', '.join(MOCK_SUITES)}, got {suite!r}.")
    if not fields:
        raise ValueError(
            f"fields: Expected one or more of {', '.join(SUITES[suite].fields)}, got none."
        )
    parse_fields("_".join(fields), suite)


def set_of(suite: str) -> SimulationSet:
    """Return the only set of a mock suite, with its box and its parameters."""
    (sim_set,) = find_suite(suite).sets.values()
    return sim_set


def check_theta(theta: Theta, suite: str) -> None:
    """Check that every row of a parameter table describes a universe.

    Raises
    ------
    ValueError
        If the number of columns is wrong, a value is not finite and positive, or Omega_m is below
        Omega_b.
    """
    names = set_of(suite).space.names
    if theta.shape[1] != len(names):
        raise ValueError(f"theta: Expected {len(names)} columns, got {theta.shape[1]}.")
    minimum = np.zeros(theta.shape)
    baryons = theta[:, names.index("Omega_b")] if "Omega_b" in names else OMEGA_B
    minimum[:, names.index("Omega_m")] = baryons
    bad = np.argwhere(~(np.isfinite(theta) & (theta > minimum)))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"theta: Expected a finite {names[column]} > {minimum[row, column]}, got "
            f"{theta[row, column]} in row {row}."
        )


def make_suite(suite: str, fields: tuple[str, ...], config: MockConfig) -> tuple[Theta, MockBlocks]:
    """Draw the parameters of a mock suite and prepare its simulations.

    Parameters
    ----------
    suite : str
        Name of a suite in `MOCK_SUITES`.
    fields : tuple of str
        Fields of the suite.
    config : MockConfig
        Map size, number of simulations and seed.

    Returns
    -------
    theta : (S, P) float64
        Parameters in the order of the suite's table. If a suite infers two parameters, the last
        four have no effect, as in CMD's N-body tables.
    blocks : MockBlocks
        Simulations, computed when iterated over.
    """
    check_mock(suite, fields)
    sim_set = set_of(suite)
    theta = sample_theta(
        config.n_simulations,
        config.seed,
        HYPERCUBES.get(suite, 0),
        sim_set.space,
        sobol=sim_set.design == BUILT_IN.designs["SB"],
    )
    return theta, MockBlocks(suite, fields, config, theta)


def simulate(
    suite: str, fields: tuple[str, ...], config: MockConfig, theta: Theta, simulation: int
) -> dict[str, Maps]:
    """Simulate the maps of one simulation.

    Parameters
    ----------
    suite : str
        Name of a mock suite.
    fields : tuple of str
        Fields of the suite.
    config : MockConfig
        Map size, lattice and seed. The numbers of simulations and threads have no effect.
    theta : (S, P) float64
        Parameter table.
    simulation : int
        Row of the table. Row and seed determine the random numbers, so the same row of another
        table has the same structures.

    Returns
    -------
    maps : dict of (N, L, L) float32
        Maps of each field in the units of `camels.FIELDS`, one per axis and slab, ordered by axis.
    """
    check_mock(suite, fields)
    check_theta(theta, suite)
    sim_set = set_of(suite)
    values = dict(zip(sim_set.space.names, theta[simulation].tolist(), strict=True))
    Omega_m, sigma_8 = values.pop("Omega_m"), values.pop("sigma_8")
    hypercube = HYPERCUBES.get(suite, 0)
    generator = random_generator(config.seed, simulation, INITIAL_CONDITIONS, hypercube)
    if suite == gaussian.SUITE:
        maps = gaussian.draw_simulation(
            Omega_m, sigma_8, map_size=config.map_size, generator=generator
        )
        return dict.fromkeys(fields, maps)
    if suite == two_fields.SUITE:
        drawn = two_fields.draw_simulation(
            Omega_m, sigma_8, map_size=config.map_size, generator=generator
        )
        return {field: drawn[field] for field in fields}
    varied = {name: values.pop(name) for name in ("Omega_b", "h", "n_s") if name in values}
    universe = make_universe(
        Omega_m,
        sigma_8,
        map_size=config.map_size,
        lattice=config.lattice,
        refine=config.refine,
        generator=generator,
        background=Background(box=sim_set.box, **varied),
    )
    painted = _paint(universe, suite, values, config.seed, simulation)
    return {field: painted[field] for field in fields}


def _paint(
    universe: Universe, suite: str, values: dict[str, float], seed: int, simulation: int
) -> dict[str, Maps]:
    model = GAS_MODELS[suite]
    if model is None:
        return {"Mtot": total_matter(universe)}
    feedback = Feedback(**{name: values.pop(name) for name in FEEDBACK})
    model = change_strengths(model, values)
    generator = random_generator(seed, simulation, GAS_SCATTER, HYPERCUBES.get(suite, 0))
    return paint_fields(universe, feedback, model, generator)


def _simulate_ahead(blocks: MockBlocks) -> Iterator[dict[str, Maps]]:
    """Simulate in threads, at most two simulations per thread; FFTs and kernels release the GIL."""
    n_threads = available_threads(blocks.config.n_threads)
    ahead: deque[Future[dict[str, Maps]]] = deque()
    executor = ThreadPoolExecutor(n_threads, thread_name_prefix="mock")
    try:
        for simulation in range(len(blocks)):
            ahead.append(
                executor.submit(
                    simulate, blocks.suite, blocks.fields, blocks.config, blocks.theta, simulation
                )
            )
            if len(ahead) == 2 * n_threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
