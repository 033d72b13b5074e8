import pytest
import torch
from torch import Tensor, nn

from multifield.models.padding import pad_periodic


def plain(x: Tensor, slope: float) -> Tensor:
    return nn.functional.pad(nn.functional.leaky_relu(x, slope), (1, 1, 1, 1), mode="circular")


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 1, 5, 5), (3, 2, 2, 2)])
@pytest.mark.parametrize("slope", [0.2, 1.0])
def test_values_are_the_plain_ones(memory_format, dtype, shape, slope) -> None:
    x = torch.randn(shape).to(dtype).to(memory_format=memory_format)
    found = pad_periodic(x, slope)
    assert torch.equal(found, plain(x, slope))
    assert found.is_contiguous(memory_format=memory_format)


def test_without_a_slope_nothing_but_padding() -> None:
    x = torch.arange(2 * 3 * 4 * 4.0).reshape(2, 3, 4, 4) - 40
    assert torch.equal(pad_periodic(x), nn.functional.pad(x, (1, 1, 1, 1), mode="circular"))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 1, 5, 5), (3, 2, 2, 2)])
@pytest.mark.parametrize("slope", [0.2, 1.0])
def test_gradients_are_the_plain_ones(memory_format, shape, slope) -> None:
    x = torch.randn(shape, dtype=torch.float64).to(memory_format=memory_format)
    gradients = []
    for function in (pad_periodic, plain):
        leaf = x.clone().requires_grad_()
        padded = function(leaf, slope)
        weight = torch.linspace(-1, 2, padded.numel(), dtype=torch.float64).view(padded.shape)
        (padded * weight).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients, rtol=1e-14, atol=1e-14)  # sums of four in another order


def test_a_gradient_that_comes_in_is_not_written_to() -> None:
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    gradient = torch.randn(2, 3, 6, 6)
    before = gradient.clone()
    pad_periodic(x, 0.2).backward(gradient)
    assert torch.equal(gradient, before)


def test_non_finite_pixels_stay_so() -> None:
    x = torch.randn(1, 2, 4, 4)
    x[0, 1, 0, 3] = torch.nan
    x[0, 0, 2, 2] = torch.inf
    assert torch.equal(pad_periodic(x, 0.2).isfinite(), plain(x, 0.2).isfinite())
