"""Exact posteriors of MockGaussian maps, tabulated over the prior, with any sharpness."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from multifield import camels
from multifield.evaluation.joint import Component, JointPosterior
from multifield.mock.gaussian_likelihood import Statistics, log_likelihood
from multifield.models.heads import Head

N_CELLS = 48  # per parameter; at 16 pixels a standard deviation is more than two cells


class GridHead(Head):
    """Two parameters with a constant density in each cell. The outputs are numbers of rows."""

    name = "grid"
    n_outputs = 1  # type: ignore[assignment]

    def __init__(self, mass: Tensor) -> None:
        super().__init__(2)
        self.mass = mass / mass.sum(dim=(1, 2), keepdim=True)

    def log_prob(self, outputs: Tensor, theta: Tensor, columns: Sequence[int]) -> Tensor:
        rows, cells = outputs[:, 0].long(), self._cells(theta)
        if list(columns) == [0]:
            return (self.mass.sum(dim=2)[rows, cells[:, 0]] * N_CELLS).log()
        return (self.mass[rows, cells[:, 0], cells[:, 1]] * N_CELLS**2).log()

    def shares_below(self, outputs: Tensor, theta: Tensor, columns: Sequence[int]) -> Tensor:
        found, cells = [], self._cells(theta)
        for column, mass in enumerate(self._conditionals(outputs, cells, len(columns))):
            cell = cells[:, column, None]
            within = theta[:, column] * N_CELLS - cell[:, 0]
            here = mass.gather(1, cell)[:, 0]
            found.append(mass.cumsum(dim=1).gather(1, cell)[:, 0] - (1 - within) * here)
        return torch.stack(found, dim=1)

    def quantiles(self, outputs: Tensor, shares: Tensor, columns: Sequence[int]) -> Tensor:
        cells = torch.zeros(shares.shape, dtype=torch.long)
        found = torch.empty_like(shares)
        for column in range(len(columns)):
            mass = list(self._conditionals(outputs, cells, column + 1))[column]
            whole = mass.cumsum(dim=1)
            share = shares[:, column, None] * whole[:, -1:]
            cell = torch.searchsorted(whole, share).clamp(max=N_CELLS - 1)
            within = 1 - (whole.gather(1, cell) - share) / mass.gather(1, cell)
            cells[:, column] = cell[:, 0]
            found[:, column] = (cell + within)[:, 0] / N_CELLS
        return found

    def _conditionals(self, outputs: Tensor, cells: Tensor, n: int) -> list[Tensor]:
        """Return the masses of the cells of each parameter, given the parameter before."""
        rows = outputs[:, 0].long()
        first = self.mass.sum(dim=2)[rows]
        if n == 1:
            return [first]
        second = self.mass[rows, cells[:, 0]]
        return [first, second / second.sum(dim=1, keepdim=True)]

    @staticmethod
    def _cells(theta: Tensor) -> Tensor:
        return (theta * N_CELLS).long().clamp(0, N_CELLS - 1)


def grid_posterior(statistics: Statistics, sharpness: float = 1.0) -> JointPosterior:
    """Tabulate the posterior to the power `sharpness`: the width is its inverse square root."""
    points = (np.arange(N_CELLS) + 0.5) / N_CELLS
    u = np.full((N_CELLS**2, 6), 0.5)
    u[:, :2] = np.stack(np.meshgrid(points, points, indexing="ij"), axis=-1).reshape(-1, 2)
    log_density = sharpness * log_likelihood(statistics, camels.unscale_theta(u)[:, :2])
    mass = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    head = GridHead(torch.from_numpy(mass.reshape(-1, N_CELLS, N_CELLS)))
    rows = torch.arange(len(statistics), dtype=torch.float64)[:, None]
    return JointPosterior((Component(head, rows),), camels.COSMOLOGY)
