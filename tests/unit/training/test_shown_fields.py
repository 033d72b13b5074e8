"""Batches that show some of the fields, and networks trained on them."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from multifield.data import SplitLoaders
from multifield.training import TrainedNetwork, TrainingInterrupted, train_network
from multifield.training.device import DeviceBatch
from multifield.training.device_maps import DeviceMaps
from multifield.training.shown_fields import FixedFields, RandomFields, show_fields
from tests.helpers.tolerances import FLOAT16_RTOL
from tests.unit.training.examples import HYPERPARAMETERS, MAP_SIZE, config, make_data
from tests.unit.training.test_checkpoint import assert_same, signal_after

CPU = torch.device("cpu")
CHANNELS, MAPS_PER_SET = 3, 4


@pytest.fixture
def data() -> SplitLoaders:
    return make_data(channels=CHANNELS)


def random_batches(source: RandomFields, first_batch: int = 0, epoch: int = 0) -> list[DeviceBatch]:
    drawn = source.random_epoch(1, epoch, flips=True, shifts=True, first_batch=first_batch)
    with closing(drawn) as batches:
        return list(batches)


def test_what_is_not_shown_is_zero_and_the_network_is_told() -> None:
    x = torch.randn(2, CHANNELS, MAP_SIZE, MAP_SIZE)
    batch = DeviceBatch(x, torch.zeros(2, 6), np.arange(2))
    shown = np.array([[True, False, True], [False, True, False]])
    given = show_fields(batch, shown).x
    assert given.shape == (2, 2 * CHANNELS, MAP_SIZE, MAP_SIZE)
    for row, channel in np.ndindex(shown.shape):
        maps, plane = given[row, channel], given[row, CHANNELS + channel]
        assert torch.equal(maps, x[row, channel] if shown[row, channel] else torch.zeros_like(maps))
        assert (plane == float(shown[row, channel])).all()


def test_order_and_orientations_are_the_loaders(data: SplitLoaders) -> None:
    source = RandomFields(data.train, CHANNELS, MAPS_PER_SET, CPU)
    plain = data.train.random_epoch(1, 0, flips=True, shifts=True)
    with closing(plain) as batches:
        for batch, given in zip(batches, random_batches(source), strict=True):
            np.testing.assert_array_equal(given.index, batch.index)
            shown = given.x[:, CHANNELS:]
            assert torch.equal(given.x[:, :CHANNELS], torch.from_numpy(batch.x) * shown)


def test_an_epoch_can_be_taken_up_at_any_batch(data: SplitLoaders) -> None:
    source = RandomFields(data.train, CHANNELS, MAPS_PER_SET, CPU)
    for whole, rest in zip(random_batches(source)[2:], random_batches(source, 2), strict=True):
        assert torch.equal(whole.x, rest.x)


def test_sets_are_others_in_another_epoch(data: SplitLoaders) -> None:
    source = RandomFields(data.train, CHANNELS, MAPS_PER_SET, CPU)
    first, second = (
        torch.cat([batch.x[:, CHANNELS:, 0, 0] for batch in random_batches(source, epoch=epoch)])
        for epoch in (0, 1)
    )
    assert not torch.equal(first, second)


def test_maps_on_the_device_are_shown_in_the_same_sets(data: SplitLoaders) -> None:
    streamed = RandomFields(data.train, CHANNELS, MAPS_PER_SET, CPU)
    resident = RandomFields(DeviceMaps(data.train, CPU), CHANNELS, MAPS_PER_SET, CPU)
    for one, other in zip(random_batches(streamed), random_batches(resident), strict=True):
        torch.testing.assert_close(one.x, other.x, rtol=FLOAT16_RTOL, atol=0)


def test_validation_maps_have_the_same_sets_every_time(data: SplitLoaders) -> None:
    source = RandomFields(data.valid, CHANNELS, MAPS_PER_SET, CPU)
    first, second = (list(source.ordered(range(2))) for _ in range(2))
    assert len(first) == 4  # 15 maps in 2 orientations, 8 a batch
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.x, other.x)


def test_a_fixed_set_is_shown_of_every_map(data: SplitLoaders) -> None:
    source = FixedFields(data.valid, (True, False, True), CPU)
    for given in source.ordered([0]):
        assert (given.x[:, 1] == 0).all()
        assert given.x[:, CHANNELS:, 0, 0].unique(dim=0).tolist() == [[1.0, 0.0, 1.0]]


def test_a_set_of_another_length_is_refused(data: SplitLoaders) -> None:
    with pytest.raises(ValueError, match="shown: Expected one flag per field, 3, got 2"):
        FixedFields(data.valid, (True, False), CPU)


def test_a_batch_of_no_whole_number_of_sets_is_refused(data: SplitLoaders) -> None:
    with pytest.raises(ValueError, match="maps_per_set: Expected a divisor of batch_size=8, got 3"):
        RandomFields(data.train, CHANNELS, 3, CPU)


def test_training_that_is_stopped_within_an_epoch_goes_on_bit_for_bit(
    data: SplitLoaders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(checkpoint: Path | None) -> TrainedNetwork:
        settings = config(epochs=2)
        any_fields = data.any_fields(MAPS_PER_SET)
        return train_network(any_fields, HYPERPARAMETERS, settings, checkpoint=checkpoint)

    with monkeypatch.context() as patch:
        signal_after(patch, step=5)  # the second of the second epoch's four
        with pytest.raises(TrainingInterrupted):
            train(tmp_path / "checkpoint.pt")
    assert_same(train(tmp_path / "checkpoint.pt"), train(None))


def test_the_checkpoint_of_a_network_for_all_fields_is_refused(
    data: SplitLoaders, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    train_network(data, HYPERPARAMETERS, config(epochs=1), checkpoint=checkpoint)
    any_fields = data.any_fields(MAPS_PER_SET)
    with pytest.raises(ValueError, match=r"fields_shown: checkpoint nothing"):
        train_network(any_fields, HYPERPARAMETERS, config(epochs=1), checkpoint=checkpoint)
