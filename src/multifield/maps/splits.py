"""Which simulations train, validate and test. Never maps: fifteen siblings share one parameter vector."""

from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from multifield.camels import MAPS_PER_SIMULATION
from multifield.core.arrays import Index

Simulations = tuple[Annotated[int, Field(ge=0)], ...]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Split:
    """Numbers of the simulations of each part, in the order drawn, and what drew them."""

    seed: int
    train: Simulations
    valid: Simulations
    test: Simulations

    @property
    def n_simulations(self) -> int:
        """All simulations of the suite."""
        return len(self.train) + len(self.valid) + len(self.test)


def split_simulations(
    n: int, seed: int = 1, *, n_valid: int | None = None, n_test: int | None = None
) -> Split:
    """Draw the simulations of each part as the benchmark does.

    Parameters
    ----------
    n : int
        Simulations in all.
    seed : int, optional
        Of NumPy's legacy generator, which the benchmark used: with `n` 1,000 and `seed` 1 the training
        simulations begin 507, 818, 452.
    n_valid, n_test : int, optional
        Simulations held back; 5 % each unless told.

    Returns
    -------
    split : Split
        Its parts are disjoint and together are all simulations.

    Raises
    ------
    ValueError
        If nothing is left to train on.
    """
    n_valid = n // 20 if n_valid is None else n_valid
    n_test = n // 20 if n_test is None else n_test
    n_train = n - n_valid - n_test
    if min(n_train, n_valid, n_test) < 1:
        raise ValueError(
            f"split: expected at least one simulation in each part of {n}, got n_valid {n_valid}, "
            f"n_test {n_test}, which leaves {n_train} to train on"
        )
    order = np.arange(n)
    np.random.RandomState(seed).shuffle(order)
    parts = np.split(order, [n_train, n_train + n_valid])
    train, valid, test = (tuple(int(number) for number in part) for part in parts)
    return Split(seed=seed, train=train, valid=valid, test=test)


def maps_of(simulations: Simulations) -> Index:
    """Numbers of the maps of these simulations, simulation after simulation."""
    first = np.asarray(simulations, dtype=np.int64)[:, None] * MAPS_PER_SIMULATION
    return (first + np.arange(MAPS_PER_SIMULATION)).ravel()
