"""Split of simulations into training, validation and test sets.

Simulations are split instead of maps, because the 15 maps of a simulation share one parameter
vector.
"""

from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from multifield.camels import MAPS_PER_SIMULATION
from multifield.core.arrays import Index

Simulations = tuple[Annotated[int, Field(ge=0)], ...]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Split:
    """Simulations of each part, in the order drawn.

    Attributes
    ----------
    seed : int
        Seed that drew the split.
    train : tuple of int
        Numbers of the training simulations.
    valid : tuple of int
        Numbers of the validation simulations.
    test : tuple of int
        Numbers of the test simulations.
    """

    seed: int
    train: Simulations
    valid: Simulations
    test: Simulations

    @property
    def n_simulations(self) -> int:
        """Number of simulations of all parts."""
        return len(self.train) + len(self.valid) + len(self.test)


def split_simulations(
    n: int, seed: int = 1, *, n_valid: int | None = None, n_test: int | None = None
) -> Split:
    """Draw the simulations of each part as the benchmark does.

    Parameters
    ----------
    n : int
        Number of simulations.
    seed : int, optional
        Seed of NumPy's legacy generator, which the benchmark used. With `n` 1,000 and `seed` 1, the
        training simulations begin 507, 818, 452.
    n_valid, n_test : int, optional
        Number of validation and test simulations, by default 5% each.

    Returns
    -------
    split : Split
        Disjoint parts that together contain every simulation.

    Raises
    ------
    ValueError
        If a part would be empty.
    """
    n_valid = n // 20 if n_valid is None else n_valid
    n_test = n // 20 if n_test is None else n_test
    n_train = n - n_valid - n_test
    if min(n_train, n_valid, n_test) < 1:
        raise ValueError(
            f"split: Expected at least one of {n} simulations in each part, got n_train {n_train}, "
            f"n_valid {n_valid}, n_test {n_test}."
        )
    order = np.arange(n)
    np.random.RandomState(seed).shuffle(order)
    parts = np.split(order, [n_train, n_train + n_valid])
    train, valid, test = (tuple(int(number) for number in part) for part in parts)
    return Split(seed=seed, train=train, valid=valid, test=test)


def maps_of(simulations: Simulations, maps_per_simulation: int = MAPS_PER_SIMULATION) -> Index:
    """Return the numbers of the maps of some simulations.

    Parameters
    ----------
    simulations : tuple of int
        Numbers of the simulations.
    maps_per_simulation : int, optional
        Number of maps per simulation, n.

    Returns
    -------
    index : (n S,) int64
        Numbers of their maps, simulation by simulation.
    """
    first = np.asarray(simulations, dtype=np.int64)[:, None] * maps_per_simulation
    return (first + np.arange(maps_per_simulation)).ravel()
