"""Batch normalization whose statistics stay exact for large batches of large maps."""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from multifield.models import exchange

# PyTorch sums each channel of channels-last maps on a CPU one value after another in float32, which
# loses digits with the number of values: 1e-3 of the variance of 64 maps of 256 pixels a side. Sums of so
# few lose 1e-6, and are put together in float64.
_VALUES_IN_A_SUM = 2**16

_collect = torch.ops.aten.batch_norm_update_stats.default
_normalize = torch.ops.aten.native_batch_norm.default
_normalize_backward = torch.ops.aten.native_batch_norm_backward.default


class BatchNorm2d(nn.BatchNorm2d):
    """PyTorch's, of the same state, that a CPU trains with exact statistics.

    Everywhere but in training on a CPU it is PyTorch's own, whose sums on CUDA are exact already. Where
    several processes have parts of a batch, its statistics are those of the whole, on a CPU and on CUDA.

    Parameters
    ----------
    channels : int
        C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Standardize each channel, in training by the batch's own mean and variance."""
        x = input
        if self.training and exchange.group().size > 1:
            return self._normalize_part(x)
        exact_elsewhere = (
            not self.training or x.device.type != "cpu" or torch.compiler.is_compiling()
        )
        if exact_elsewhere or x.shape[0] * x.shape[2] * x.shape[3] <= _VALUES_IN_A_SUM:
            return super().forward(x)
        mean, variance = batch_moments(x)
        self._follow(mean, variance, x.numel() // x.shape[1])
        y: Tensor = _Normalize.apply(x, self.weight, self.bias, mean, variance, self.eps)  # type: ignore[no-untyped-call]
        return y

    def _normalize_part(self, x: Tensor) -> Tensor:
        """Standardize the part of a batch that this process has."""
        mean, variance, n = moments_of_parts(x)
        self._follow(mean, variance, n)
        y: Tensor = _NormalizePart.apply(x, self.weight, self.bias, mean, variance, n, self.eps)  # type: ignore[no-untyped-call]
        return y

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """Let the running statistics take their share of this batch's; the variance of a population."""
        share = cast(float, self.momentum)  # None, as the rest, is for other constructors than ours
        cast(Tensor, self.num_batches_tracked).add_(1)
        cast(Tensor, self.running_mean).lerp_(mean, share)
        cast(Tensor, self.running_var).lerp_(variance * (n / (n - 1)), share)


@torch.no_grad()
def batch_moments(x: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, "C"], Float[Tensor, "C"]]:
    """Mean and variance of each channel of a batch, float32, with errors below 1e-5.

    Parameters
    ----------
    x : (B, C, H, W)
        A map, H W, of less than 2^24 values.

    Returns
    -------
    mean, variance : (C,)
        The latter divided by the number of values.
    """
    mean, variance = _exact_moments(x)
    return mean.float(), variance.float()


@torch.no_grad()
def moments_of_parts(x: Float[Tensor, "B C H W"]) -> tuple[Tensor, Tensor, int]:
    """Mean and variance, as of `batch_moments`, of a batch of which each process has a part.

    Returns
    -------
    mean, variance : (C,)
        The same bits in each process.
    n : int
        Values of a channel, in all parts.
    """
    mean, variance = _exact_moments(x)
    count = torch.full_like(mean, x.numel() // x.shape[1])
    counts, means, variances = exchange.stack(torch.stack((count, mean, variance))).unbind(1)
    mean, variance = _merge(counts / counts.sum(0), means, variances)
    return mean.float(), variance.float(), int(counts[:, 0].sum())


def _exact_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel, float64, from pieces where they are summed badly."""
    n_maps = max(1, _VALUES_IN_A_SUM // (x.shape[2] * x.shape[3]))
    if x.device.type != "cpu":
        n_maps = len(x)
    nothing = (  # running statistics that nobody wants
        torch.zeros(x.shape[1], device=x.device),
        torch.ones(x.shape[1], device=x.device),
    )
    pieces = torch.split(x, n_maps)
    moments = [_collect(piece, *nothing, 0.0) for piece in pieces]
    means = torch.stack([mean for mean, _ in moments]).double()  # (pieces, C)
    variances = torch.stack([variance for _, variance in moments]).double()
    n_in_pieces = [len(piece) for piece in pieces]
    share = torch.tensor(n_in_pieces, dtype=torch.float64, device=x.device)[:, None] / len(x)
    return _merge(share, means, variances)


def _merge(share: Tensor, means: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of all pieces from those of each, (pieces, C), which have shares of the values."""
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean).square())).sum(0)


class _Normalize(torch.autograd.Function):
    """Standardize by moments of the maps themselves, which the gradient knows."""

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


class _NormalizePart(torch.autograd.Function):
    """Standardize a part of a batch by moments of the whole, which the gradient knows.

    With g the gradient of the output and h the standardized maps, that of the maps is
    ``weight / std (g - <g> - h <g h>)``, averages over the whole batch. The gradients of weight and bias
    are those of the part.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        n: int,
        eps: float,
    ) -> Tensor:
        ctx.n, ctx.eps = n, eps
        ctx.save_for_backward(x, weight, mean, variance)
        y: Tensor = _normalize(x, weight, bias, mean, variance, False, 0.0, eps)[0]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        nothing = (None, None)
        # as if the moments were constants: weight / std g, and sums over this part
        direct, of_weight, of_bias = _normalize_backward(
            gradient, x, weight, mean, variance, *nothing, False, ctx.eps, [True, True, True]
        )
        gh, g = exchange.stack(torch.stack((of_weight, of_bias)).double()).sum(0) / ctx.n
        invstd = (variance.double() + ctx.eps).rsqrt()
        slope = weight * invstd.square() * gh
        offset = weight * invstd * g - mean * slope
        slope, offset = (each.float()[:, None, None] for each in (slope, offset))
        of_x = torch.addcmul(direct - offset, x, slope, value=-1).to(x.dtype)
        return of_x, of_weight, of_bias, None, None, None, None
