import numpy as np
import pytest
import torch
from torch import Tensor, nn

from multifield.models import O3Err, find_architecture

# float32 sums of up to 9 * 96 products in another order (channels_last); 3e-7 seen
TWIN_RTOL = 1e-5
TWIN_GRADIENT_RTOL = 1e-4  # batch normalization over few pixels loses digits

# benchmark-facts: parameters of the released networks with one channel
PARAMETER_COUNTS = {
    6: 8_466_876,
    7: 11_521_592,
    8: 15_045_900,
    9: 19_039_800,
    10: 23_503_292,
    11: 28_436_376,
    12: 33_839_052,
}


class PlainO3Err(nn.Module):
    """Independent network from the benchmark's description, for 16 pixels, padded by PyTorch."""

    def __init__(self, hidden: int, channels: int) -> None:
        super().__init__()

        def conv(c_in: int, c_out: int, kernel: int, stride: int, padding: int) -> nn.Conv2d:
            return nn.Conv2d(
                c_in, c_out, kernel, stride, padding, padding_mode="circular", bias=True
            )

        h = hidden
        self.C01, self.B01 = conv(channels, 2 * h, 3, 1, 1), nn.BatchNorm2d(2 * h)
        self.C02, self.B02 = conv(2 * h, 2 * h, 3, 1, 1), nn.BatchNorm2d(2 * h)
        self.C03, self.B03 = conv(2 * h, 2 * h, 2, 2, 0), nn.BatchNorm2d(2 * h)
        self.C11, self.B11 = conv(2 * h, 4 * h, 3, 1, 1), nn.BatchNorm2d(4 * h)
        self.C12, self.B12 = conv(4 * h, 4 * h, 3, 1, 1), nn.BatchNorm2d(4 * h)
        self.C13, self.B13 = conv(4 * h, 4 * h, 2, 2, 0), nn.BatchNorm2d(4 * h)
        self.C21, self.B21 = conv(4 * h, 8 * h, 4, 1, 0), nn.BatchNorm2d(8 * h)
        self.FC1, self.FC2 = nn.Linear(8 * h, 4 * h), nn.Linear(4 * h, 12)
        self.relu = nn.LeakyReLU(0.2)

    def forward(self, image: Tensor) -> Tensor:
        x = self.relu(self.C01(image))
        x = self.relu(self.B02(self.C02(x)))
        x = self.relu(self.B03(self.C03(x)))
        x = self.relu(self.B11(self.C11(x)))
        x = self.relu(self.B12(self.C12(x)))
        x = self.relu(self.B13(self.C13(x)))
        x = self.relu(self.B21(self.C21(x)))
        x = self.FC2(self.relu(self.FC1(x.view(len(image), -1))))
        y = x.clone()
        y[:, 6:12] = torch.square(x[:, 6:12])
        return y


@pytest.mark.parametrize(("hidden", "n_parameters"), PARAMETER_COUNTS.items())
def test_parameter_counts_are_the_released_ones(hidden: int, n_parameters: int) -> None:
    with torch.device("meta"):  # shapes without numbers
        network = O3Err(hidden, 0.2, 1)
    assert sum(parameter.numel() for parameter in network.parameters()) == n_parameters


def test_tensor_names_are_the_released_ones() -> None:
    with torch.device("meta"):
        names = set(O3Err(6, 0.2, 1).state_dict())
    layers = [f"{block}{number}" for block in range(6) for number in (1, 2, 3)] + ["61"]
    batch_norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    assert names == {
        *(f"C{layer}.{tensor}" for layer in layers for tensor in ("weight", "bias")),
        *(f"B{layer}.{tensor}" for layer in layers for tensor in batch_norm),
        *(f"FC{number}.{tensor}" for number in (1, 2) for tensor in ("weight", "bias")),
    }


def test_widths_at_256_pixels() -> None:
    with torch.device("meta"):
        state = O3Err(6, 0.2, 3).state_dict()
    assert tuple(state["C01.weight"].shape) == (12, 3, 3, 3)
    assert tuple(state["C53.weight"].shape) == (64 * 6, 64 * 6, 2, 2)
    assert tuple(state["C61.weight"].shape) == (128 * 6, 64 * 6, 4, 4)
    assert tuple(state["FC1.weight"].shape) == (64 * 6, 128 * 6)
    assert tuple(state["FC2.weight"].shape) == (12, 64 * 6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [1, 3])
def test_agrees_with_a_plain_implementation(
    training: bool, memory_format: torch.memory_format, channels: int
) -> None:
    torch.manual_seed(1)
    network, plain = O3Err(3, 0.0, channels, 16), PlainO3Err(3, channels)
    plain.load_state_dict(network.state_dict())
    network.train(training).to(memory_format=memory_format)  # type: ignore[call-overload]
    plain.train(training)
    x = torch.randn(5, channels, 16, 16)

    ours, theirs = network(x.to(memory_format=memory_format)), plain(x)
    ours.square().sum().backward()
    theirs.square().sum().backward()

    scale = theirs.abs().max()
    torch.testing.assert_close(ours / scale, theirs / scale, rtol=0, atol=TWIN_RTOL)
    for name, parameter in network.named_parameters():
        if name.startswith(("C", "F")) and name.endswith("weight"):
            a, b = parameter.grad, plain.get_parameter(name).grad
            assert a is not None
            assert b is not None
            assert (a - b).norm() < TWIN_GRADIENT_RTOL * b.norm()


@pytest.mark.parametrize("map_size", [16, 32, 64, 128])
def test_smaller_maps_have_fewer_blocks(map_size: int) -> None:
    network = O3Err(1, 0.1, 2, map_size, n_parameters=2).eval()
    y = network(torch.zeros(1, 2, map_size, map_size))
    assert tuple(y.shape) == (1, 4)
    assert network.n_blocks == np.log2(map_size) - 2


def test_first_batch_norm_is_not_used() -> None:
    network = O3Err(2, 0.0, 1, 16).eval()
    x = torch.randn(2, 1, 16, 16)
    before = network(x)
    network.get_parameter("B01.weight").data.fill_(7)
    assert torch.equal(network(x), before)


def test_does_not_depend_on_where_a_periodic_map_begins_by_multiples_of_the_stride() -> None:
    # up to the last 4 x 4 convolution: its input is rolled by as many pixels as are merged into one
    network = O3Err(2, 0.0, 1, 16).eval()
    features: list[Tensor] = []
    network.get_submodule("C21").register_forward_hook(lambda _, x, y: features.append(x[0]))
    x = torch.randn(2, 1, 16, 16)
    network(x)
    network(x.roll((4, 8), dims=(2, 3)))
    torch.testing.assert_close(features[1], features[0].roll((1, 2), dims=(2, 3)))


def test_standard_deviations_are_not_negative() -> None:
    y = O3Err(1, 0.0, 1, 16).eval()(torch.randn(16, 1, 16, 16))
    assert (y[:, 6:] >= 0).all()
    assert (y[:, :6] < 0).any()


@pytest.mark.parametrize(("layer", "n_features"), [("FC1", 64), ("FC2", 32)])
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_dropout_comes_before_each_linear_layer(layer: str, n_features: int, rate: float) -> None:
    torch.manual_seed(0)
    network, x = O3Err(8, rate, 1, 16), torch.randn(200, 1, 16, 16)
    inputs: list[Tensor] = []
    network.get_submodule(layer).register_forward_pre_hook(lambda _, x: inputs.append(x[0].clone()))
    network.train()(x)
    network.eval()(x)
    trained, evaluated = inputs
    assert trained.shape == (200, n_features)
    # 5 standard deviations of a binomial share; LeakyReLU gives no exact zero
    tolerance = 5 * (rate * (1 - rate) / trained.numel()) ** 0.5
    assert (trained == 0).double().mean().item() == pytest.approx(rate, abs=tolerance)
    assert (evaluated != 0).all()


def test_weights_begin_normal_after_kaiming() -> None:
    torch.manual_seed(0)
    for module in O3Err(4, 0.0, 2, 32).modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight.detach()
            expected = (
                2 / weight[0].numel()
            ) ** 0.5  # sqrt(2 / inputs); PyTorch's own is 0.41 of it
            tolerance = 5 / (2 * weight.numel()) ** 0.5  # relative; 5 of a standard deviation's own
            assert weight.square().mean().sqrt() == pytest.approx(expected, rel=tolerance)
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


def test_registry_names_it() -> None:
    assert find_architecture("o3_err") is O3Err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"map_size": 48}, "map_size: Expected a power of two from 16 to 8192 pixels, got 48"),
        ({"map_size": 8}, "map_size: Expected a power of two from 16 to 8192 pixels, got 8"),
        ({"hidden": 0}, "hidden: Expected >= 1, got 0"),
        ({"channels": 0}, "channels: Expected >= 1, got 0"),
        ({"n_parameters": 0}, "n_parameters: Expected >= 1, got 0"),
        ({"dropout": 1.0}, r"dropout: Expected in \[0, 1\), got 1.0"),
        ({"dropout": float("nan")}, r"dropout: Expected in \[0, 1\), got nan"),
    ],
)
def test_sizes_out_of_range_are_refused(change: dict[str, float], message: str) -> None:
    sizes = {"hidden": 1, "dropout": 0.1, "channels": 1, "map_size": 16, "n_parameters": 6}
    with pytest.raises(ValueError, match=message):
        O3Err(**(sizes | change))  # type: ignore[arg-type]


def test_maps_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 16, 16\), got \(2, 1, 32, 32\)"):
        O3Err(1, 0.0, 1, 16)(torch.zeros(2, 1, 32, 32))
