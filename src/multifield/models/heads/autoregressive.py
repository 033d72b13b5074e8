r"""Joint posterior inside the prior: a Gaussian truncated to [0, 1] for each parameter in turn.

The first parameter has a Gaussian truncated to the prior range. Each further one has another,
whose location depends linearly on the parameters before it:

.. math::

    p(\theta) = \prod_i N_{[0, 1]}\left(\theta_i \,\middle|\,
        \mu_i + \sum_{j<i} c_{ij} (\theta_j - \mu_j),\ \sigma_i \right)

The likelihood has a closed form. Without edges the posterior is a Gaussian with means
:math:`\mu_i` and any covariance. With infinite scales it is the prior.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from multifield.models.heads.base import LOG_ROOT_TAU, VARIANCE_FLOOR, Head
from multifield.models.heads.truncated_normal import log_mass, quantile, share_below


class AutoregressiveHead(Head):
    """Truncated Gaussians with linear dependence on the parameters before.

    The outputs are P locations, P scales, and P (P - 1) / 2 coefficients: the rows below the
    diagonal of c, one after the other. Everything is computed in float64.

    Parameters
    ----------
    n_parameters : int
        Number of parameters P.
    """

    name = "autoregressive"
    mark: ClassVar[str] = "head.order"  # name in a state dict that only this head has

    def __init__(self, n_parameters: int) -> None:
        super().__init__(n_parameters)
        self.order: Tensor
        self.register_buffer("order", torch.arange(n_parameters))

    @property
    def n_outputs(self) -> int:
        """Number of outputs of a network."""
        return 2 * self.n_parameters + self.n_parameters * (self.n_parameters - 1) // 2

    def log_prob(self, outputs: Tensor, theta: Tensor, columns: Sequence[int]) -> Tensor:
        """Compute the log-probability of parameters; see `Head.log_prob`."""
        device = outputs.device
        location, scale, coefficients = self._split(outputs, columns)
        theta = theta.to(location)
        location = location + torch.einsum("bij,bj->bi", coefficients, theta - location)
        z, a, b = ((x - location) / scale for x in (theta, 0.0, 1.0))
        terms = 0.5 * z.square() + scale.log() + LOG_ROOT_TAU + log_mass(a, b)
        return -terms.sum(dim=1).to(outputs.dtype).to(device)

    def shares_below(self, outputs: Tensor, theta: Tensor, columns: Sequence[int]) -> Tensor:
        """Compute the conditional probability below each parameter; see `Head.shares_below`."""
        location, scale, coefficients = self._split(outputs, columns)
        location = location + torch.einsum("bij,bj->bi", coefficients, theta - location)
        return share_below(-location / scale, (1 - location) / scale, (theta - location) / scale)

    def quantiles(self, outputs: Tensor, shares: Tensor, columns: Sequence[int]) -> Tensor:
        """Compute parameters from conditional probabilities; see `Head.quantiles`."""
        location, scale, coefficients = self._split(outputs, columns)
        found: list[Tensor] = []
        for i in range(len(columns)):
            here = location[:, i]
            for j, before in enumerate(found):
                here = here + coefficients[:, i, j] * (before - location[:, j])
            width = scale[:, i]
            z = quantile(-here / width, (1 - here) / width, shares[:, i])
            found.append((here + width * z).clamp(0, 1))
        return torch.stack(found, dim=1)

    def moments_without_edges(
        self, outputs: Tensor, columns: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Compute the moments of the Gaussian before it is truncated.

        Parameters
        ----------
        outputs : (B, O)
            Outputs of the network.
        columns : sequence of int
            Indices of the Q inferred parameters among all P.

        Returns
        -------
        mean : (B, Q) float64
            Means in units of the prior range.
        covariance : (B, Q, Q) float64
            Covariances.
        """
        mean, scale, coefficients = self._split(outputs, columns)
        # theta - mean = c (theta - mean) + scale * noise
        unit = torch.eye(len(columns), dtype=torch.float64)
        root = torch.linalg.inv(unit - coefficients) * scale[:, None]
        return mean, root @ root.mT

    def outputs_of(
        self,
        location: np.ndarray,
        scale: np.ndarray,
        coefficients: np.ndarray,
        columns: Sequence[int],
    ) -> Tensor:
        """Make outputs that describe given posteriors.

        Parameters
        ----------
        location, scale : (B, Q) float64
            Locations and scales of the Q inferred parameters, in units of the prior range.
        coefficients : (B, Q, Q) float64
            Coefficients, of which those below the diagonal are used.
        columns : sequence of int
            Indices of the Q inferred parameters among all P, ascending.

        Returns
        -------
        outputs : (B, O) float64
            Outputs. Parameters that are not inferred have location 0.5 and scale 1.
        """
        n = self.n_parameters
        whole = torch.zeros(len(location), n, n, dtype=torch.float64)
        rows, before = np.meshgrid(columns, columns, indexing="ij")
        whole[:, rows, before] = torch.from_numpy(coefficients)
        outputs = torch.full((len(location), self.n_outputs), 0.5, dtype=torch.float64)
        outputs[:, n : 2 * n] = 1
        outputs[:, list(columns)] = torch.from_numpy(location)
        outputs[:, [n + column for column in columns]] = torch.from_numpy(scale.copy())
        below = torch.tril_indices(n, n, -1)
        outputs[:, 2 * n : 2 * n + below.shape[1]] = whole[:, below[0], below[1]]
        return outputs

    def _split(self, outputs: Tensor, columns: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Return locations (B, Q), scales (B, Q) and coefficients (B, Q, Q), in float64."""
        n, chosen = self.n_parameters, list(columns)
        if outputs.device.type == "mps":  # has no float64
            outputs = outputs.cpu()
        n_below = n * (n - 1) // 2
        described = outputs[:, : 2 * n + n_below].double()
        location, std, below = torch.split(described, [n, n, n_below], dim=1)
        rows, before = torch.tril_indices(n, n, -1)
        coefficients = torch.zeros(len(outputs), n, n, dtype=below.dtype, device=below.device)
        coefficients[:, rows, before] = below
        scale = (std[:, chosen].square() + VARIANCE_FLOOR).sqrt()
        return location[:, chosen], scale, coefficients[:, chosen][:, :, chosen]
