"""Maps on the device are the loader's, rounded once to half precision (tested on the CPU)."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from multifield.data import MapLoader, Normalization, SplitLoaders
from multifield.models import SummaryStatistics
from multifield.training import DeviceMaps, train_network
from multifield.training.device_maps import (
    DeviceFeatures,
    choose_sources,
    count_bytes,
)
from multifield.training.step import PlainObjective
from tests.helpers import tolerances
from tests.unit.training.examples import (
    HYPERPARAMETERS,
    config,
    count_described,
    make_data,
    make_theta,
)

CPU = torch.device("cpu")
SIDE = 8


@pytest.fixture
def loader(rng: np.random.Generator) -> MapLoader:
    """Two fields of 45 maps out of 90, in batches of 16."""
    maps = [rng.normal(mean, 1, (90, SIDE, SIDE)).astype(np.float32) for mean in (10, 5)]
    normalization = Normalization(
        over="all", fields=("Mgas", "HI"), mean=(10.0, 5.0), std=(0.5, 2.0)
    )
    options = {"batch_size": 16, "inferred": (0, 1)}
    return MapLoader(maps, make_theta(6), (4, 1, 5), normalization, **options)


def collect(batches) -> tuple[np.ndarray, ...]:
    copies = [
        [torch.as_tensor(part).clone() for part in (batch.x, batch.theta, batch.index)]
        for batch in batches
    ]
    return tuple(torch.cat(parts).numpy() for parts in zip(*copies, strict=True))


def assert_rounded_once(found, expected) -> None:
    (x, theta, index), (exact, *rest) = collect(found), collect(expected)
    np.testing.assert_array_equal(x, exact.astype(np.float16))
    for a, b in zip((theta, index), rest, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("orientation", range(8))
def test_each_orientation(loader: MapLoader, orientation: int) -> None:
    maps = DeviceMaps(loader, CPU)
    assert_rounded_once(maps.ordered([orientation]), loader.ordered([orientation]))


@pytest.mark.parametrize("flips", [True, False])
@pytest.mark.parametrize("shifts", [True, False])
@pytest.mark.parametrize("first_batch", [0, 2])
def test_random_epochs_have_the_same_draws(
    loader: MapLoader, flips: bool, shifts: bool, first_batch: int
) -> None:
    draws = {"flips": flips, "shifts": shifts, "first_batch": first_batch}
    maps = DeviceMaps(loader, CPU)
    for epoch in (0, 1):
        assert_rounded_once(
            maps.random_epoch(1, epoch, **draws), loader.random_epoch(1, epoch, **draws)
        )


def test_the_rounding_is_that_of_half_precision(loader: MapLoader) -> None:
    found, *_ = collect(DeviceMaps(loader, CPU).ordered([0]))
    exact, *_ = collect(loader.ordered([0]))
    error = np.abs(found - exact) / np.abs(exact)
    assert 0 < error.max() <= tolerances.FLOAT16_RTOL


def test_batches_are_laid_out_as_convolutions_like(loader: MapLoader) -> None:
    batch = next(DeviceMaps(loader, CPU).ordered([0]))
    assert batch.x.dtype == torch.float32
    assert batch.x.is_contiguous(memory_format=torch.channels_last)


def test_a_pixel_beyond_float16_is_refused() -> None:
    maps = np.zeros((15, SIDE, SIDE), np.float32)
    maps[7, 3, 2] = 7e4
    normalization = Normalization(over="all", fields=("T",), mean=(0.0,), std=(1.0,))
    options = {"batch_size": 4, "inferred": (0, 1)}
    loader = MapLoader([maps], make_theta(1), (0,), normalization, **options)
    with pytest.raises(ValueError, match=r"training\.resident: Expected .* within 65504"):
        DeviceMaps(loader, CPU)


def kinds(data: SplitLoaders, resident: str, device: torch.device) -> set[type]:
    return {type(source) for source in choose_sources(data, resident, device)}


def test_on_the_cpu_maps_are_streamed_unless_told() -> None:
    assert kinds(make_data(), "auto", CPU) == {MapLoader}
    assert kinds(make_data(), "never", CPU) == {MapLoader}
    assert kinds(make_data(), "always", CPU) == {DeviceMaps}


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (-1, False)])
def test_on_cuda_they_may_take_half_of_what_is_free(
    spare: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_data()
    n_bytes = count_bytes((data.train, data.valid, data.test))
    assert n_bytes == 2 * 60 * 16 * 16
    free = 2 * n_bytes + spare
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    brought = []
    monkeypatch.setattr(
        "multifield.training.device_maps.DeviceMaps",
        lambda loader, device: brought.append(loader) or SimpleNamespace(),
    )
    sources = choose_sources(data, "auto", torch.device("cuda"))
    assert (brought == [data.train, data.valid, data.test]) is fits
    assert (sources.train is data.train) is not fits


def test_a_network_trains_on_them_as_on_streamed_ones() -> None:
    """Rounding the maps to 11 bits changes the loss slightly."""
    streamed, resident = (
        train_network(make_data(), HYPERPARAMETERS, config(epochs=1, resident=where)).losses[0, 1]
        for where in ("never", "always")
    )
    assert resident != streamed
    # six updates at a low learning rate: the loss is a sum of logarithms of means over maps, each of
    # which moves by about twice the relative rounding
    assert resident == pytest.approx(streamed, abs=20 * tolerances.FLOAT16_RTOL)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_they_are_those_of_the_cpu(loader: MapLoader) -> None:
    draws = {"flips": True, "shifts": True}
    there = DeviceMaps(loader, torch.device("cuda")).random_epoch(1, 0, **draws)
    here = DeviceMaps(loader, CPU).random_epoch(1, 0, **draws)
    for found, expected in zip(there, here, strict=True):
        assert torch.equal(found.x.cpu(), expected.x)


# ---- features ----


def make_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SummaryStatistics, "learns_features", True)


def test_kept_features_are_those_of_the_maps() -> None:
    data = make_data()
    network = SummaryStatistics(1, 0.0, 1, data.map_size)
    kept = DeviceFeatures(data.train, network, CPU)
    x, theta, index = collect(data.train.random_epoch(1, 0, flips=False, shifts=False))
    features, *rest = collect(kept.random_epoch(1, 0, flips=False, shifts=False))
    expected = network.features(torch.from_numpy(x))  # of maps that were turned
    torch.testing.assert_close(torch.from_numpy(features), expected, rtol=0, atol=1e-3)
    for a, b in zip((theta, index), rest, strict=True):
        np.testing.assert_array_equal(a, b)
    twice, *_ = collect(kept.ordered([0, 5]))
    np.testing.assert_array_equal(*np.split(twice, 2))


def test_kept_features_train_the_same_network(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config(epochs=3, architecture="summary_statistics", loss="nll")
    kept = train_network(make_data(), HYPERPARAMETERS, settings)
    make_learned(monkeypatch)
    each_time = train_network(make_data(), HYPERPARAMETERS, settings)
    # the same statistics of maps that were turned, to rounding
    np.testing.assert_allclose(kept.losses, each_time.losses, rtol=1e-2)
    assert not np.array_equal(kept.losses, each_time.losses)


def test_features_are_not_kept_where_the_objective_changes_maps() -> None:
    seen = []

    def objective(network, batch, columns):
        seen.append(batch.x.shape)
        return PlainObjective("nll")(network, batch, columns)

    objective.needs_maps = True
    settings = config(epochs=1, architecture="summary_statistics")
    train_network(make_data(), HYPERPARAMETERS, settings, objective=objective)
    assert {len(shape) for shape in seen} == {4}


def test_trials_share_features(monkeypatch: pytest.MonkeyPatch) -> None:
    described = count_described(monkeypatch)
    settings = config(epochs=2, architecture="summary_statistics")
    data, again = make_data(), make_data()
    first = train_network(data, HYPERPARAMETERS, settings)
    once = sum(described)
    assert once == len(data.train) + len(data.valid) + len(data.test)
    second = train_network(data, HYPERPARAMETERS, settings)
    assert sum(described) == once
    np.testing.assert_array_equal(first.losses, second.losses)
    train_network(again, HYPERPARAMETERS, settings)  # of other loaders
    assert sum(described) == 2 * once
