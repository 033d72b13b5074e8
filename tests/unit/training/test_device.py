"""Transfer of batches from a loader to a device."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch

from multifield.data import Batch, MapLoader, Normalization
from multifield.data.prefetch import THREAD_NAME
from multifield.maps.memory import aligned_empty
from multifield.training import device, loader_options, on_device, train_network
from multifield.training.device import batch_allocator, place
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data, make_theta

CPU = torch.device("cpu")


def make_loader(**options: object) -> MapLoader:
    maps = np.random.default_rng(2).normal(size=(30, 8, 8)).astype(np.float32)
    normalization = Normalization(over="all", fields=("T",), mean=(0.5,), std=(2.0,))
    return MapLoader(
        [maps], make_theta(2), (0, 1), normalization, batch_size=4, inferred=(0, 1), **options
    )


def loader_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith(THREAD_NAME)]


@pytest.mark.parametrize(
    ("dtype", "kind"), [("float16", torch.float16), ("bfloat16", torch.bfloat16)]
)
def test_batches_in_16_bits_are_widened_on_the_device(dtype: str, kind: torch.dtype) -> None:
    half, exact = (next(make_loader(dtype=d).ordered([0])) for d in (dtype, "float32"))
    expected = torch.from_numpy(exact.x).to(kind).float()
    assert torch.equal(place(half, CPU).x, expected)


def test_a_batch_that_is_there_stays() -> None:
    placed = place(next(make_loader().ordered([0])), CPU)
    assert place(placed, CPU) is placed


def test_a_buffer_is_free_only_when_its_copy_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is requested, copied, used and waited for before the next one is requested."""
    story: list[str] = []

    def batches():
        for number, batch in enumerate(make_loader().ordered([0])):
            story.append(f"make {number}")
            yield batch
        story.append("end")

    def record_copies(device: torch.device) -> Callable[[], None]:
        story.append("record")
        return lambda: story.append("wait")

    monkeypatch.setattr(device, "record_copies", record_copies)
    for number, _ in enumerate(on_device(batches(), CPU)):
        story.append(f"use {number}")
    expected = [word for n in range(8) for word in (f"make {n}", "record", f"use {n}", "wait")]
    assert story == [*expected, "end"]


def test_a_copy_is_waited_for_where_an_epoch_is_left_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(device, "record_copies", lambda where: lambda: waited.append(where))
    batches = on_device(make_loader().ordered([0]), CPU)
    next(batches)
    batches.close()
    assert waited == [CPU]


def test_memory_of_batches_is_page_locked_for_cuda_alone() -> None:
    assert batch_allocator(CPU) is aligned_empty
    assert batch_allocator(torch.device("mps")) is aligned_empty
    assert batch_allocator(torch.device("cuda")) is device._allocate_page_locked


def test_a_loader_is_told_what_the_configuration_says() -> None:
    options = loader_options(config(loader_threads=3, prefetch=4))
    assert (options["n_threads"], options["prefetch"]) == (3, 4)
    assert options["allocate"]((2, 3), np.float32).shape == (2, 3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without the device")
def test_a_driver_without_the_device_makes_loaders_for_workers_that_have_it() -> None:
    allocate = loader_options(config(device="cuda"))["allocate"]
    with pytest.raises(ValueError, match="Expected one that PyTorch finds here, got 'cuda'"):
        allocate((2, 3), np.float32)


@pytest.mark.parametrize("ends", ["early", "late", "badly"])
def test_no_thread_outlives_a_training(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_data()
    threads = []

    def report(*_: object) -> None:
        threads.append(len(loader_threads()))
        if ends == "badly":
            raise KeyboardInterrupt

    settings = config(epochs=1, maps_per_epoch=8 if ends == "early" else 1000)
    if ends == "badly":
        with pytest.raises(KeyboardInterrupt):
            train_network(data, HYPERPARAMETERS, settings, report=report)
    else:
        train_network(data, HYPERPARAMETERS, settings, report=report)
    assert threads == [0]
    assert not loader_threads()


def test_batches_made_ahead_train_the_same_network() -> None:
    losses = [
        train_network(make_data(prefetch=prefetch), HYPERPARAMETERS, config()).losses
        for prefetch in (0, 3)
    ]
    np.testing.assert_array_equal(*losses)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_on_a_gpu_are_those_of_the_cpu() -> None:
    cuda = torch.device("cuda")
    loader = make_loader(prefetch=2, allocate=batch_allocator(cuda))
    batch: Batch = next(loader.ordered([0]))
    assert torch.from_numpy(batch.x).is_pinned()
    for _ in range(3):
        found = [batch.x.cpu() for batch in on_device(loader.ordered(range(8)), cuda)]
        expected = [batch.x.clone() for batch in on_device(make_loader().ordered(range(8)), CPU)]
        assert torch.equal(torch.cat(found), torch.cat(expected))
