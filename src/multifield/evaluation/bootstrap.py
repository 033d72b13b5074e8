"""Errors of what a test set says, by resampling its simulations.

The 15 maps of a simulation share their parameters and much of their structure, and the orientations
of a map nearly everything, so rows are no independent draws; simulations are. Each resample draws as
many simulations as there are, with replacement, and takes all rows of each (a cluster bootstrap).

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

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation.results import Results

Simulation = Int64[np.ndarray, " M"]
"""Which simulation each row is of: 0 to S - 1, each at least once."""


@plain_dataclass(frozen=True, eq=False)
class Resamples:
    """Which simulations each resample has.

    Attributes
    ----------
    simulation : (M,) int64
        As `simulation_of_rows` gives, or any index of one's own.
    counts : (R, S) int64
        How often a resample has each simulation; its rows sum to S.
    config : BootstrapConfig
    spawn_key : tuple of int
        Other keys draw independently of each other from the same seed, as two sets of simulations must.

    Raises
    ------
    ValueError
        If the index does not name each of S simulations.
    """

    simulation: Simulation
    config: BootstrapConfig
    spawn_key: tuple[int, ...] = ()
    counts: Int64[np.ndarray, "R S"] = field(init=False)

    def __post_init__(self) -> None:
        present = np.unique(self.simulation)
        if not np.array_equal(present, np.arange(len(present))) or not len(present):
            raise ValueError(
                f"simulation: expected every number from 0 on, got {present[:5]} and so on"
            )
        seed = np.random.SeedSequence(self.config.seed, spawn_key=self.spawn_key)
        rng = np.random.default_rng(seed)
        n = len(present)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=self.config.n_resamples)
        object.__setattr__(self, "counts", counts.astype(np.int64))

    @property
    def n_simulations(self) -> int:
        """Simulations S; from one alone nothing can be resampled."""
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


def simulation_of_rows(results: Results, n_orientations: int) -> Simulation:
    """Give the simulation of each row by the order of the rows.

    Never by equal parameters, which different simulations share in CV, 1P and others.

    Parameters
    ----------
    results : Results
        Rows ordered (orientation, simulation, map), `camels.MAPS_PER_SIMULATION` maps a simulation.
    n_orientations : int
        In how many orientations (and shifts) each map is.

    Returns
    -------
    simulation : (M,) int64
        0 for all rows of the first simulation, and so on.

    Raises
    ------
    ValueError
        If the rows do not divide, or the truth differs between rows of one simulation, as it does in
        other orders.
    """
    block = n_orientations * camels.MAPS_PER_SIMULATION
    if n_orientations < 1 or len(results) % block:
        raise ValueError(
            f"results: expected {camels.MAPS_PER_SIMULATION} maps a simulation in {n_orientations} "
            f"orientations, a multiple of {block} rows, got {len(results)}"
        )
    n_simulations = len(results) // block
    of_maps = np.repeat(np.arange(n_simulations, dtype=np.int64), camels.MAPS_PER_SIMULATION)
    simulation = np.tile(of_maps, n_orientations)
    first = results.theta[:: camels.MAPS_PER_SIMULATION][:n_simulations]
    if not np.array_equal(results.theta, first[simulation], equal_nan=True):
        raise ValueError("theta: expected rows ordered (orientation, simulation, map), got another")
    return simulation
