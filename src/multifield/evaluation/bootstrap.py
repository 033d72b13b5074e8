"""Bootstrap of test simulations, for the uncertainty of everything measured on a test set.

The 15 maps of a simulation share their parameters and much of their structure. The orientations
of a map share nearly everything. Rows are therefore not independent, but simulations are. Each
resample draws S simulations with replacement and takes all rows of each (a cluster bootstrap).

====== ==================================================
letter meaning
====== ==================================================
M      rows: test maps, or maps times orientations
S      simulations
R      resamples
====== ==================================================

References
----------
Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13.
Cameron, Gelbach & Miller 2008, Review of Economics and Statistics 90, 414, for clusters.
"""

from dataclasses import dataclass as plain_dataclass
from dataclasses import field

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation.results import Results

Simulation = Int64[np.ndarray, " M"]
"""Simulation number of each row: 0 to S - 1, each at least once."""


@plain_dataclass(frozen=True, eq=False)
class Resamples:
    """Simulations that each resample contains.

    Attributes
    ----------
    simulation : (M,) int64
        Simulation number of each row, from `simulation_of_rows` or any other index.
    config : BootstrapConfig
        Number of resamples, seed and level of the intervals.
    spawn_key : tuple of int
        Key of an independent random stream. Two sets of simulations need different keys.
    counts : (R, S) int64
        How often each resample contains each simulation. Each row sums to S.

    Raises
    ------
    ValueError
        If a number from 0 to S - 1 is missing in `simulation`.
    """

    simulation: Simulation
    config: BootstrapConfig
    spawn_key: tuple[int, ...] = ()
    counts: Int64[np.ndarray, "R S"] = field(init=False)

    def __post_init__(self) -> None:
        present = np.unique(self.simulation)
        if not np.array_equal(present, np.arange(len(present))) or not len(present):
            raise ValueError(
                f"simulation: Expected every number from 0 on, got {present[:5]} and so on."
            )
        seed = np.random.SeedSequence(self.config.seed, spawn_key=self.spawn_key)
        rng = np.random.default_rng(seed)
        n = len(present)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=self.config.n_resamples)
        object.__setattr__(self, "counts", counts.astype(np.int64))

    @property
    def n_simulations(self) -> int:
        """Number of simulations S. A single simulation cannot be resampled."""
        return int(self.counts.shape[1])

    def per_simulation(self, values: Shaped[np.ndarray, " M"]) -> Float64[np.ndarray, " S"]:
        """Sum values over the rows of each simulation."""
        sums: np.ndarray = np.bincount(
            self.simulation, np.asarray(values, np.float64), minlength=self.n_simulations
        )
        return sums

    def totals(self, values: Shaped[np.ndarray, " M"]) -> Float64[np.ndarray, " R"]:
        """Sum values over the rows of each resample."""
        totals: np.ndarray = self.counts @ self.per_simulation(values)
        return totals

    def sizes(self) -> Float64[np.ndarray, " R"]:
        """Count the rows of each resample."""
        return self.totals(np.ones(len(self.simulation)))


def simulation_of_rows(
    results: Results,
    n_orientations: int,
    maps_per_simulation: int | None = None,
) -> Simulation:
    """Find the simulation of each row from the order of the rows.

    Equal parameters cannot identify a simulation: different simulations share them in CV, 1P and
    other sets.

    Parameters
    ----------
    results : Results
        Rows ordered (orientation, simulation, map).
    n_orientations : int
        Number of copies (orientations times shifts) of each map.
    maps_per_simulation : int, optional
        Number of maps per simulation. By default that of the results.

    Returns
    -------
    simulation : (M,) int64
        Simulation number of each row: 0 for the first simulation, and so on.

    Raises
    ------
    ValueError
        If the number of rows is no multiple of the maps of one simulation, or the truth differs
        between rows of one simulation.
    """
    if maps_per_simulation is None:
        maps_per_simulation = results.maps_per_simulation
    block = n_orientations * maps_per_simulation
    if min(n_orientations, maps_per_simulation) < 1 or len(results) % block:
        raise ValueError(
            f"results: Expected {maps_per_simulation} maps per simulation in "
            f"{n_orientations} orientations, a multiple of {block} rows, got {len(results)}."
        )
    n_simulations = len(results) // block
    of_maps = np.repeat(np.arange(n_simulations, dtype=np.int64), maps_per_simulation)
    simulation = np.tile(of_maps, n_orientations)
    first = results.theta[::maps_per_simulation][:n_simulations]
    if not np.array_equal(results.theta, first[simulation], equal_nan=True):
        raise ValueError(
            "theta: Expected rows ordered (orientation, simulation, map), got another order."
        )
    return simulation
