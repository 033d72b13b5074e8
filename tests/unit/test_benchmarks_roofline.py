import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from benchmarks.roofline import Layers, Part, Speed, Work, bounds, check_convolution

SPEED = Speed(bandwidth=100.0, peak=1000.0)


@pytest.mark.parametrize(
    ("n_bytes", "flops", "seconds"), [(200, 0, 2.0), (200, 5000, 5.0), (0, 0, 0.0)]
)
def test_the_slower_of_memory_and_arithmetic_bounds_a_kernel(n_bytes, flops, seconds):
    assert Work(n_bytes, flops).bound(SPEED) == seconds


def test_counts_of_a_convolution_are_those_derived_by_hand():
    check_convolution()


def test_bounds_of_a_step_by_hand():
    layers = Layers(nn.Identity())
    convolution, optimizer = Part("C", "forward"), Part("optimizer", "update")
    layers.operations[convolution] = [("convolution", Work(300, 1000)), ("relu_", Work(400))]
    layers.operations[optimizer] = [("adamw", Work(100))]
    layers.fused[convolution] = 200
    # as executed 3 + 4 + 1 s; fused 2 + 1 s
    assert bounds(layers, 24, SPEED) == (pytest.approx(3.0), pytest.approx(8.0))


def test_views_cost_nothing_and_expanded_values_are_read_once():
    x, one = torch.ones(4, 8), torch.ones(())
    layers = Layers(nn.Identity())
    layers.layer = "C"
    with layers:
        x.t().view(2, 4, 4)[0].detach()
        torch.empty(100)
        x + one.expand(4, 8)  # reads 32 values and one, writes 32
    assert layers.total(Part("C", "forward")) == Work(4 * 65, 0)


def test_memory_is_kept_once_for_each_storage():
    layers = Layers(nn.Identity())
    x = torch.ones(10, requires_grad=True)
    with saved_tensors_hooks(layers.keep, lambda tensor: tensor):
        y = x.exp()  # keeps its result
        (y * y[:]).sum()  # keeps both factors, which are the result
    assert layers.kept == 40
