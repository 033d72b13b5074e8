"""Base class of the posteriors that a network's outputs describe."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

# standard deviation of 1e-4 of the prior range, because o3_err can return 0
VARIANCE_FLOOR = 1e-8
LOG_ROOT_TAU = 0.9189385332046727  # log(sqrt(2 pi))


def split_outputs(
    outputs: Float[Tensor, "*B O"], n_parameters: int
) -> tuple[Float[Tensor, "*B P"], Float[Tensor, "*B P"], Float[Tensor, "*B R"]]:
    """Split the outputs of a network into locations, scales and the rest.

    Parameters
    ----------
    outputs : (..., O)
        Outputs of the network.
    n_parameters : int
        Number of parameters P.

    Returns
    -------
    locations, scales : (..., P)
        The first and the next P outputs, as views.
    others : (..., R)
        The remaining R = O - 2 P outputs, as a view.
    """
    locations, scales, others = outputs.tensor_split((n_parameters, 2 * n_parameters), dim=-1)
    return locations, scales, others


class Head(nn.Module):
    """Posterior of the parameters of a map as a function of the outputs of a network.

    The prior of each parameter is uniform on [0, 1], so a log-probability is the information of a
    map against the prior [nats]. The first P outputs are locations and the next P are scales >= 0.

    Parameters
    ----------
    n_parameters : int
        Number of parameters P.
    """

    name: ClassVar[str]

    def __init__(self, n_parameters: int) -> None:
        super().__init__()
        self.n_parameters = n_parameters

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Number of outputs of a network, O."""

    @abstractmethod
    def log_prob(
        self, outputs: Float[Tensor, "B O"], theta: Float[Tensor, "B Q"], columns: Sequence[int]
    ) -> Float[Tensor, " B"]:
        """Compute the log-probability of parameters.

        Parameters
        ----------
        outputs : (B, O)
            Outputs of the network.
        theta : (B, Q)
            Parameters in units of the prior range.
        columns : sequence of int
            Indices of the Q inferred parameters among all P.

        Returns
        -------
        log_prob : (B,)
            Joint log-probability of each row [nats], with a gradient.
        """

    @abstractmethod
    def shares_below(
        self, outputs: Float[Tensor, "B O"], theta: Float[Tensor, "B Q"], columns: Sequence[int]
    ) -> Float[Tensor, "B Q"]:
        """Compute the probability below each parameter, given the parameters before it.

        Parameters
        ----------
        outputs : (B, O) float64
            Outputs of the network.
        theta : (B, Q) float64
            Parameters in units of the prior range.
        columns : sequence of int
            Indices of the Q inferred parameters among all P.

        Returns
        -------
        shares : (B, Q) float64
            Conditional probabilities. They are uniform on [0, 1] for draws of the posterior.
        """

    @abstractmethod
    def quantiles(
        self, outputs: Float[Tensor, "B O"], shares: Float[Tensor, "B Q"], columns: Sequence[int]
    ) -> Float[Tensor, "B Q"]:
        """Compute parameters from conditional probabilities, the inverse of `shares_below`.

        Parameters
        ----------
        outputs : (B, O) float64
            Outputs of the network.
        shares : (B, Q) float64
            Conditional probabilities in (0, 1). Uniform random numbers give draws of the posterior.
        columns : sequence of int
            Indices of the Q inferred parameters among all P.

        Returns
        -------
        theta : (B, Q) float64
            Parameters in units of the prior range.
        """

    def widened(self, outputs: Float[Tensor, "B O"], factors: Float[Tensor, " P"]) -> Tensor:
        """Return outputs with their scales multiplied by one factor per parameter."""
        locations, scales, others = split_outputs(outputs, self.n_parameters)
        return torch.cat((locations, factors * scales, others), dim=1)
