import pytest
import torch
from torch import Tensor, nn

from multifield.models.batch_norm import BatchNorm2d, batch_moments
from tests.helpers.tolerances import BATCH_MOMENTS_RTOL, BFLOAT16_RTOL

CHANNELS = 3


def some_maps(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 2 + 0.5
    return x.to(dtype, memory_format=torch.channels_last)


def one_step(layer: nn.Module, x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    y.backward(gradient)
    assert x.grad is not None
    return y.detach(), x.grad


@pytest.mark.parametrize(
    "shape",
    [(32, CHANNELS, 256, 256), (7, CHANNELS, 96, 160), (300, CHANNELS, 16, 16)],
    ids=["published", "pieces that differ", "many small maps"],
)
def test_moments_are_those_of_float64(shape) -> None:
    x = some_maps(shape)
    mean, variance = batch_moments(x)
    torch.testing.assert_close(
        mean.double(), x.double().mean((0, 2, 3)), rtol=BATCH_MOMENTS_RTOL, atol=0
    )
    expected = x.double().var((0, 2, 3), unbiased=False)
    torch.testing.assert_close(variance.double(), expected, rtol=BATCH_MOMENTS_RTOL, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_step_of_large_batches_is_the_one_of_float64(dtype) -> None:
    shape = (16, CHANNELS, 128, 128)
    x, gradient = some_maps(shape, dtype), some_maps(shape, dtype).flip(0)
    ours, exact = BatchNorm2d(CHANNELS), nn.BatchNorm2d(CHANNELS).double()
    found = one_step(ours, x, gradient)
    expected = one_step(exact, x.double(), gradient.double())
    rounding = BATCH_MOMENTS_RTOL if dtype == torch.float32 else BFLOAT16_RTOL
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        assert a.is_contiguous(memory_format=torch.channels_last)
        apart = (a.double() - b).abs().max()
        assert apart < rounding * b.abs().max()
    for name, state in exact.state_dict().items():
        torch.testing.assert_close(
            ours.state_dict()[name].double(), state.double(), rtol=BATCH_MOMENTS_RTOL, atol=0
        )


def test_a_small_batch_is_bit_for_bit_pytorchs() -> None:
    x, gradient = some_maps((4, CHANNELS, 16, 16)), some_maps((4, CHANNELS, 16, 16)).flip(0)
    found = one_step(BatchNorm2d(CHANNELS), x, gradient)
    expected = one_step(nn.BatchNorm2d(CHANNELS), x, gradient)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_evaluation_takes_the_running_statistics() -> None:
    layer, x = BatchNorm2d(CHANNELS), some_maps((16, CHANNELS, 128, 128))
    layer(x)
    plain = nn.BatchNorm2d(CHANNELS)
    plain.load_state_dict(layer.state_dict())
    assert torch.equal(layer.eval()(x), plain.eval()(x))


def test_the_running_statistics_carry_no_gradient() -> None:
    layer, x = BatchNorm2d(CHANNELS), some_maps((16, CHANNELS, 128, 128)).requires_grad_()
    for _ in range(2):  # a graph kept by the first would break the second
        layer(x).sum().backward()
    assert layer.running_mean is not None
    assert not layer.running_mean.requires_grad
