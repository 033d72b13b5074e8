"""Batch normalization with statistics that stay exact for large batches of large maps."""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# On a CPU, PyTorch sums each channel of channels-last maps sequentially in float32. The variance of
# 64 maps of 256 pixels per side is off by 1e-3. Sums of this many values are off by 1e-6; they are
# combined in float64.
_VALUES_IN_A_SUM = 2**16

_collect = torch.ops.aten.batch_norm_update_stats.default
_normalize = torch.ops.aten.native_batch_norm.default
_normalize_backward = torch.ops.aten.native_batch_norm_backward.default


class BatchNorm2d(nn.BatchNorm2d):
    """PyTorch's batch normalization with exact statistics in training on a CPU.

    The state is that of PyTorch's class. In evaluation and on CUDA, where the sums are exact, this
    is PyTorch's own operation.

    Parameters
    ----------
    channels : int
        Number of channels C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Standardize each channel. Training uses the mean and variance of the batch."""
        x = input
        exact_elsewhere = (
            not self.training or x.device.type != "cpu" or torch.compiler.is_compiling()
        )
        if exact_elsewhere or x.shape[0] * x.shape[2] * x.shape[3] <= _VALUES_IN_A_SUM:
            return super().forward(x)
        mean, variance = batch_moments(x)
        n = x.numel() // x.shape[1]
        share = cast(float, self.momentum)  # these attributes are None for other constructors only
        with torch.no_grad():  # update the running statistics
            cast(Tensor, self.num_batches_tracked).add_(1)
            cast(Tensor, self.running_mean).lerp_(mean, share)
            cast(Tensor, self.running_var).lerp_(variance * (n / (n - 1)), share)
        y: Tensor = _Normalize.apply(x, self.weight, self.bias, mean, variance, self.eps)  # type: ignore[no-untyped-call]
        return y


@torch.no_grad()
def batch_moments(x: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, "C"], Float[Tensor, "C"]]:
    """Compute mean and variance of each channel of a batch in float32, with errors below 1e-5.

    Parameters
    ----------
    x : (B, C, H, W)
        Batch of maps. H W must be less than 2^24.

    Returns
    -------
    mean : (C,)
        Mean of each channel.
    variance : (C,)
        Biased variance of each channel.
    """
    n_maps = max(1, _VALUES_IN_A_SUM // (x.shape[2] * x.shape[3]))
    nothing = (  # running statistics, not used
        torch.zeros(x.shape[1], device=x.device),
        torch.ones(x.shape[1], device=x.device),
    )
    pieces = torch.split(x, n_maps)
    moments = [_collect(piece, *nothing, 0.0) for piece in pieces]
    means = torch.stack([mean for mean, _ in moments]).double()  # (pieces, C)
    variances = torch.stack([variance for _, variance in moments]).double()
    n_in_pieces = [len(piece) for piece in pieces]
    share = torch.tensor(n_in_pieces, dtype=torch.float64, device=x.device)[:, None] / len(x)
    mean = (share * means).sum(0)
    variance = (share * (variances + (means - mean).square())).sum(0)
    return mean.float(), variance.float()


class _Normalize(torch.autograd.Function):
    """Standardize by the moments of the batch, with their contribution to the gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.eps = eps
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt())
        y: Tensor = _normalize(x, weight, bias, mean, variance, False, 0.0, eps)[0]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, invstd = ctx.saved_tensors
        return (
            *_normalize_backward(
                gradient, x, weight, None, None, mean, invstd, True, ctx.eps, [True, True, True]
            ),
            None,
            None,
            None,
        )
