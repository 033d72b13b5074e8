from dataclasses import replace

import numpy as np
import pytest

from multifield import camels
from multifield.camels.schema import parse_schema
from multifield.camels.selection import Selection
from multifield.config.data import SplitConfig
from multifield.data import Preprocessing, SplitLoaders
from multifield.data.loader import MapLoader
from multifield.data.manifest import verify_suite
from multifield.data.map_files import save_maps, write_theta
from multifield.data.normalization import Normalization
from multifield.data.preprocess import open_log_maps
from multifield.data.test_set import at_width, choose_simulations, load_test_maps, reuse_log_maps
from multifield.maps.memory import open_maps
from multifield.maps.splits import split_simulations
from tests.helpers.preprocessing import PLAIN

SPLIT = SplitConfig(seed=1, n_valid=50, n_test=50)
HOME = Selection(suite="IllustrisTNG", sim_set="LH", field="T")


def elsewhere(suite="SIMBA", sim_set="LH"):
    return Selection(suite=suite, sim_set=sim_set, field="T")


@pytest.mark.parametrize("tested_on", [HOME, elsewhere()])
def test_a_latin_hypercube_is_tested_on_what_was_held_out(tested_on):
    chosen = choose_simulations(1000, HOME, tested_on, SPLIT, "auto")
    assert chosen[:5] == (264, 209, 316, 896, 513)  # the published split
    assert len(chosen) == 50


@pytest.mark.parametrize(("sim_set", "n"), [("CV", 27), ("1P", 66), ("EX", 4)])
def test_other_sets_are_tested_whole(sim_set, n):
    for suite in ("IllustrisTNG", "SIMBA"):
        chosen = choose_simulations(n, HOME, elsewhere(suite, sim_set), SPLIT, "auto")
        assert chosen == tuple(range(n))


def test_all_of_another_latin_hypercube_if_asked():
    assert len(choose_simulations(1000, HOME, elsewhere(), SPLIT, "all")) == 1000


def test_what_was_trained_on_is_never_tested():
    with pytest.raises(ValueError, match="auto or held_out for IllustrisTNG LH, which the network"):
        choose_simulations(1000, HOME, HOME, SPLIT, "all")


@pytest.fixture
def target(tmp_path, rng):
    """Two simulations of SIMBA's CV as they come out of preprocessing, and the parts they are of."""
    raw = np.exp(rng.normal(10, 1.0, (30, 16, 16))).astype(np.float32)
    theta = np.tile([0.3, 0.8, 100.0, 1.0, 1.0, 0.0], (2, 1))
    save_maps(tmp_path / "Maps_T_SIMBA_CV_z=0.00.npy", raw)
    write_theta(tmp_path / "params_CV_SIMBA.txt", theta)
    maps = {"T": open_maps(tmp_path / "Maps_T_SIMBA_CV_z=0.00.npy")}
    manifest = verify_suite("SIMBA", "CV", maps, theta, partial=True)
    wanted = Preprocessing(maps["T"], "T", PLAIN, manifest.checksums(("T",))["T"])
    wanted.write(tmp_path / "log.npy")
    return raw, theta, manifest, {"T": open_log_maps(tmp_path / "log.npy")}, wanted


def training(channels=1, map_size=16, inferred=(0, 1)):
    maps = [np.zeros((45, map_size, map_size), np.float32)] * channels
    normalization = Normalization(
        over="training", fields=("T",) * channels, mean=(4.0,) * channels, std=(2.0,) * channels
    )
    split = split_simulations(3, 1, n_valid=1, n_test=1)
    parts = [
        MapLoader(maps, np.ones((3, 6)), part, normalization, batch_size=8, inferred=inferred)
        for part in (split.train, split.valid, split.test)
    ]
    return SplitLoaders(*parts, causes={}), normalization


def load(target, home, **options):
    _, theta, manifest, log_maps, _ = target
    loaders, normalization = home
    return load_test_maps(
        log_maps, theta, manifest, normalization, (1, 0), training=loaders, batch_size=64, **options
    )


def test_maps_are_standardized_with_the_training_suites_numbers(target):
    batch = next(load(target, training()).ordered((0,)))
    raw = target[0]
    expected = (np.log10(raw[15:].astype(np.float64)) - 4.0) / 2.0
    np.testing.assert_allclose(batch.x[:15, 0], expected, rtol=0, atol=1e-6)


def test_parameters_outside_the_published_ranges_are_not_clipped(target):
    loader = load(target, training())
    assert loader.theta[0, 2] == 100.0
    scaled = next(loader.ordered((0,))).theta
    np.testing.assert_allclose(scaled[0], camels.scale_theta(target[1])[0], rtol=1e-6)
    assert scaled[0, 2] > 26
    assert scaled[0, 5] < 0


def test_the_network_decides_what_is_inferred(target):
    assert load(target, training(inferred=(0, 1))).inferred == (0, 1)
    assert load(target, training(inferred=(0, 1)), keep_all=True).inferred == tuple(range(6))


@pytest.mark.parametrize(
    ("home", "message"),
    [
        ({"channels": 2}, "SIMBA CV: Expected 2 fields of 16 pixels, .* got 1 of 16"),
        ({"map_size": 32}, "SIMBA CV: Expected 1 fields of 32 pixels, .* got 1 of 16"),
    ],
)
def test_maps_that_the_network_cannot_take_are_refused(target, home, message):
    with pytest.raises(ValueError, match=message):
        load(target, training(**home))


def test_maps_of_another_box_are_refused(target):
    loaders, normalization = training()
    loaders.train.box = 50.0
    with pytest.raises(
        ValueError, match=r"SIMBA CV: Expected 16 pixels of 50 Mpc/h.* got 25 Mpc/h"
    ):
        load(target, (loaders, normalization))


def test_cut_outs_of_a_larger_box_are_tested(tmp_path, rng, monkeypatch):
    """Cut-outs of 16 of 32 pixels of 50 Mpc/h are like maps of 16 pixels of 25 Mpc/h."""
    sets = {"LH": {"tables": ["CMD"], "box": 50.0, "map_size": 32}}
    entry = {"suites": {"Large": {"fields": ["T"], "sets": sets}}}
    (suite,) = parse_schema(entry, camels.suites.BUILT_IN).suites.values()
    monkeypatch.setitem(camels.SUITES, "Large", suite)
    raw = np.exp(rng.normal(10, 1.0, (60, 32, 32))).astype(np.float32)
    theta = np.tile([0.3, 0.8, 1.0, 1.0, 1.0, 1.0], (2, 1))
    save_maps(tmp_path / "Maps_T_Large_LH_z=0.00.npy", raw)
    write_theta(tmp_path / "params_LH_Large.txt", theta)
    maps = {"T": open_maps(tmp_path / "Maps_T_Large_LH_z=0.00.npy")}
    manifest = verify_suite("Large", "LH", maps, theta)
    config = replace(PLAIN, cutout=16)
    Preprocessing(maps["T"], "T", config, manifest.checksums(("T",))["T"]).write(
        tmp_path / "log.npy"
    )
    log_maps = {"T": open_log_maps(tmp_path / "log.npy")}
    loader = load((raw, theta, manifest, log_maps, None), training())
    assert (len(loader), loader.box, loader.maps_per_simulation) == (60, 25.0, 30)
    loaders, normalization = training()
    loaders.train.box = 50.0
    with pytest.raises(
        ValueError, match=r"Large LH: Expected 16 pixels of 50 Mpc/h.* got 25 Mpc/h"
    ):
        load((raw, theta, manifest, log_maps, None), (loaders, normalization))


def test_other_parameters_than_were_verified_are_refused(target):
    raw, theta, manifest, log_maps, wanted = target
    with pytest.raises(ValueError, match="parameters of SIMBA CV: Expected the values"):
        load((raw, 2 * theta, manifest, log_maps, wanted), training())


def test_log_maps_made_alike_are_used_again(target):
    *_, log_maps, wanted = target
    assert reuse_log_maps({"T": wanted}, log_maps, HOME, HOME)["T"] is log_maps["T"]


def test_log_maps_of_another_set_are_not_used_even_if_of_the_same_bytes(target):
    *_, log_maps, wanted = target
    for other in (elsewhere(), elsewhere("IllustrisTNG", "EX")):
        assert reuse_log_maps({"T": wanted}, log_maps, HOME, other)["T"] is wanted


@pytest.mark.parametrize("change", ["width", "raw", "field"])
def test_log_maps_made_otherwise_are_not_used(target, change):
    *_, log_maps, wanted = target
    config = at_width(PLAIN, 1.5) if change == "width" else PLAIN
    sha = "0" * 64 if change == "raw" else wanted.raw_sha256
    other = Preprocessing(wanted.raw, "T", config, sha)
    present = {"P": log_maps["T"]} if change == "field" else log_maps
    assert reuse_log_maps({"T": other}, present, HOME, HOME)["T"] is other
