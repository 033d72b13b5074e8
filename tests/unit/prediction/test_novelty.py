"""In-distribution maps are flagged at the nominal rate, and other maps are detected."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from pydantic import TypeAdapter

from multifield.config.ingest import MockConfig
from multifield.config.prediction import NoveltyConfig
from multifield.data import MapLoader, Normalization
from multifield.maps import gaussian_smooth, log_transform, maps_of, split_simulations
from multifield.mock import make_suite
from multifield.prediction.novelty import NoveltyReference, fit_novelty, measure

CONFIG = NoveltyConfig(n_bins=8, n_quantiles=8, level=0.05)
N = 120
FIELDS = ("Mgas", "T")
SPLIT = split_simulations(N, n_valid=30, n_test=30)
NORMALIZATION = {"Mgas": (10.3, 0.7), "T": (5.0, 0.8)}


@cache
def suite() -> dict[str, np.ndarray]:
    """Maps of gas and temperature, 32 pixels per side, one universe per simulation."""
    config = MockConfig(n_simulations=N, map_size=32, lattice=32, refine=1, seed=3, n_threads=1)
    _, blocks = make_suite("MockTNG", FIELDS, config)
    made = list(blocks)
    return {field: np.concatenate([block[field] for block in made]) for field in FIELDS}


def loader(maps: dict[str, np.ndarray], simulations=None) -> MapLoader:
    log_maps = [log_transform(np.ascontiguousarray(raw), field) for field, raw in maps.items()]
    mean, std = zip(*(NORMALIZATION[field] for field in maps), strict=True)
    n_rows = len(log_maps[0]) // (1 if simulations is None else 15)
    return MapLoader(
        log_maps,
        np.full((n_rows, 6), np.nan),
        simulations,
        Normalization(over="training", fields=tuple(maps), mean=mean, std=std),
        batch_size=64,
        inferred=(0, 1),
    )


@cache
def reference(fields: tuple[str, ...] = ("Mgas",)) -> NoveltyReference:
    maps = {field: suite()[field] for field in fields}
    return fit_novelty(loader(maps, SPLIT.train), loader(maps, SPLIT.valid), CONFIG)


def share_flagged(maps: dict[str, np.ndarray]) -> float:
    found = reference(tuple(maps))
    numbers = measure(loader(maps), CONFIG.n_bins, CONFIG.n_quantiles)
    return float(found.flag(found.p_values(found.distances(numbers))).mean())


def held_out(*fields: str) -> dict[str, np.ndarray]:
    return {field: suite()[field][maps_of(SPLIT.test)] for field in fields}


@pytest.mark.parametrize("fields", [("Mgas",), ("T",), FIELDS])
def test_held_out_maps_are_flagged_at_the_nominal_rate(fields):
    """5% of 450 maps. 30 simulations with similar maps determine it to two or three percent."""
    assert 0 < share_flagged(held_out(*fields)) < 0.12


def test_the_first_distance_of_a_training_map_is_one():
    maps = {"Mgas": suite()["Mgas"][np.sort(maps_of(SPLIT.train))]}
    numbers = measure(loader(maps), CONFIG.n_bins, CONFIG.n_quantiles)
    first = replace(reference(), projections=reference().projections[:1])
    assert np.mean(first.distances(numbers) ** 2) == pytest.approx(1, rel=1e-9)
    second = replace(reference(), projections=reference().projections[1:])
    limits = [np.quantile(each.distances(numbers), 0.95) for each in (first, second)]
    assert limits[1] == pytest.approx(limits[0], rel=1e-9)


@pytest.mark.parametrize(("fields", "least"), [(("T",), 0.3), (FIELDS, 0.8)])
def test_hot_maps_are_detected(fields, least):
    """A factor of 3 is one direction of many: the first distance alone finds 17% and 48%."""
    maps = held_out(*fields)
    assert share_flagged(maps | {"T": maps["T"] * np.float32(3)}) > least


def test_the_second_distance_does_not_depend_on_the_shape_of_the_pixels():
    """A number that is added to all quantiles of a field changes it most."""
    found = reference(FIELDS)
    n = CONFIG.n_quantiles
    std, (_, offsets) = np.array(found.std), map(np.array, found.projections)
    shift, stretch = np.zeros((2, len(std)))
    shift[:n], stretch[:n] = 1, np.linspace(-1, 1, n)
    lengths = [np.linalg.norm((each / std) @ offsets) for each in (shift, stretch)]
    assert lengths[1] < 1e-9 * lengths[0]


def noise_like(maps: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    log_maps = np.log(maps)
    return np.exp(rng.normal(log_maps.mean(), log_maps.std(), maps.shape)).astype(np.float32)


OTHERS = {
    "in units of 1e10 solar masses": lambda gas: gas * np.float32(1e-10),
    "of which the logarithm is taken already": lambda gas: np.log10(gas),
    "smoothed": lambda gas: gaussian_smooth(gas, 1.0),
    "noise of their one-point distribution": noise_like,
    "with their pixels permuted": lambda gas: (
        np.random.default_rng(0).permuted(gas.reshape(len(gas), -1), axis=1).reshape(gas.shape)
    ),
    "with a hot pixel": lambda gas: np.where(np.arange(32) == 7, gas * 1e4, gas).astype(np.float32),
    "all alike": lambda gas: np.full_like(gas, gas.mean()),
    "of another field": lambda gas: held_out("T")["T"],
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_maps_are_detected(what):
    assert share_flagged({"Mgas": OTHERS[what](held_out("Mgas")["Mgas"])}) > 0.99


@pytest.mark.parametrize(
    ("turn", "least"),
    [(lambda t: np.roll(t, 15, axis=0), 0.75), (lambda t: t.swapaxes(1, 2), 0.25)],
    ids=["of the next simulation", "transposed"],
)
def test_fields_of_different_maps_are_detected(turn, least):
    """The correlation alone detects most of them: 99% and 95% with 64 pixels and 3 fields."""
    maps = held_out(*FIELDS)
    assert share_flagged(maps | {"T": turn(maps["T"])}) > least


def test_a_small_error_of_units_is_not_detected():
    """Gas that is 10% too dense is within the prior, so a large p-value proves nothing."""
    assert share_flagged({"Mgas": held_out("Mgas")["Mgas"] * np.float32(1.1)}) < 0.12


def test_threads_and_batches_do_not_matter():
    one, others = (
        measure(loader(held_out("T")), CONFIG.n_bins, CONFIG.n_quantiles, n_threads=n)
        for n in (1, 3)
    )
    np.testing.assert_array_equal(one, others)


def test_p_values_count_the_validation_maps():
    two = NoveltyReference(
        n_bins=1,
        n_quantiles=2,
        level=0.4,
        mean=(0.0,),
        std=(1.0,),
        valid_distances=(0.5, 1.0, 2.0),
        projections=(((1.0,),),),
    )
    p_values = two.p_values(np.array([0.1, 0.5, 0.9, 2.0, 2.1]))
    np.testing.assert_array_equal(p_values, [1, 1, 3 / 4, 2 / 4, 1 / 4])
    assert two.false_alarms == 0.4
    assert two.flag(p_values).tolist() == [False, False, False, False, True]


def test_few_validation_maps_limit_the_false_alarm_rate():
    config = {"n_bins": 1, "n_quantiles": 2, "level": 0.01, "projections": (((1.0,),),)}
    few = NoveltyReference(mean=(0.0,), std=(1.0,), valid_distances=(1.0, 2.0, 3.0), **config)
    assert few.false_alarms == 1 / 4
    assert few.flag(few.p_values(np.array([2.5, 3.5]))).tolist() == [False, True]


def test_json_preserves_all_digits():
    adapter = TypeAdapter(NoveltyReference)
    assert adapter.validate_json(adapter.dump_json(reference())) == reference()
