r"""Joint posterior of any shape: a spline flow on top of the autoregressive posterior.

The conditional probabilities of the autoregressive head map the prior to the unit cube, where its
draws are uniform. A monotonic rational-quadratic spline for each parameter, given the parameters
before, changes that density. The splines start as the identity, so the head starts as the
autoregressive one and adds only what that cannot describe: curved or several-peaked posteriors.

References
----------
Durkan et al. 2019, arXiv:1906.04032 (splines). Rozet et al., zuko (implementation).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from multifield.models.heads.autoregressive import AutoregressiveHead

if TYPE_CHECKING:
    from zuko.transforms import MonotonicRQSTransform

N_CONTEXT = 16  # outputs of the network that shape the splines
N_BINS = 8
N_UNITS = 64  # of the two hidden layers
EDGE = 1e-12  # smallest distance of a probability from 0 and 1


class FlowHead(AutoregressiveHead):
    """Autoregressive posterior with one conditional spline per parameter. It needs zuko.

    Parameters
    ----------
    n_parameters : int
        Number of parameters P.

    Raises
    ------
    ModuleNotFoundError
        If zuko is not installed.
    """

    name = "flow"
    mark = "head.splines.0.weight"

    def __init__(self, n_parameters: int) -> None:
        super().__init__(n_parameters)
        try:
            from zuko.nn import MaskedMLP
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "training.head: 'flow' needs zuko. Install it: pip install 'multifield[flow]'."
            ) from None
        n = 3 * N_BINS - 1  # widths, heights and slopes
        before = torch.ones(n_parameters, n_parameters).tril(-1).bool()
        context = torch.ones(n_parameters, N_CONTEXT).bool()
        depends = torch.cat((before, context), dim=1).repeat_interleave(n, dim=0)
        self.splines = MaskedMLP(depends, hidden_features=(N_UNITS, N_UNITS))
        torch.nn.init.zeros_(self.splines[-1].weight)
        torch.nn.init.zeros_(self.splines[-1].bias)

    @property
    def n_outputs(self) -> int:
        """Number of outputs of a network."""
        return super().n_outputs + N_CONTEXT

    def log_prob(self, outputs: Tensor, theta: Tensor, columns: Sequence[int]) -> Tensor:
        """Compute the log-probability of parameters; see `Head.log_prob`."""
        shares = super().shares_below(outputs, theta.to(outputs.dtype).double(), columns)
        x = self._spread(2 * shares.clamp(EDGE, 1 - EDGE) - 1, columns)
        _, log_slopes = self._spline(outputs, x).call_and_ladj(x)
        of_base: Tensor = super().log_prob(outputs, theta, columns)
        log_prob: Tensor = of_base + log_slopes[:, list(columns)].sum(dim=1).to(of_base)
        return log_prob

    def shares_below(self, outputs: Tensor, theta: Tensor, columns: Sequence[int]) -> Tensor:
        """Compute the conditional probability below each parameter; see `Head.shares_below`."""
        x = self._spread(2 * super().shares_below(outputs, theta, columns) - 1, columns)
        shares: Tensor = (self._spline(outputs, x)(x)[:, list(columns)] + 1) / 2
        return shares

    def quantiles(self, outputs: Tensor, shares: Tensor, columns: Sequence[int]) -> Tensor:
        """Compute parameters from conditional probabilities; see `Head.quantiles`."""
        y = self._spread(2 * shares - 1, columns)
        x = torch.zeros_like(y)
        for column in columns:  # each spline depends on the parameters before
            x[:, column] = self._spline(outputs, x).inv(y)[:, column]
        base = ((x[:, list(columns)] + 1) / 2).clamp(EDGE, 1 - EDGE)
        return super().quantiles(outputs, base, columns)

    def _spread(self, values: Tensor, columns: Sequence[int]) -> Tensor:
        """Place values among all P parameters. Those that are not inferred are 0, the middle."""
        spread = torch.zeros(
            len(values), self.n_parameters, dtype=values.dtype, device=values.device
        )
        spread[:, list(columns)] = values
        return spread

    def _spline(self, outputs: Tensor, x: Tensor) -> "MonotonicRQSTransform":
        """Return the splines of all parameters on [-1, 1], given the parameters before."""
        from zuko.transforms import MonotonicRQSTransform

        weights = self.splines[0].weight
        given = torch.cat((x.to(weights), outputs[:, -N_CONTEXT:].to(weights)), dim=1)
        shape = self.splines(given).to(x).unflatten(1, (self.n_parameters, -1))
        widths, heights, slopes = torch.split(shape, [N_BINS, N_BINS, N_BINS - 1], dim=2)
        return MonotonicRQSTransform(widths, heights, slopes, bound=1.0)
