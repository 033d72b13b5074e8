import numpy as np
import pytest

from multifield.config.ingest import MockConfig
from multifield.data import LogMaps
from multifield.data.stored import Encoding
from multifield.evaluation import score_results
from multifield.maps import log_transform, split_simulations
from multifield.maps.transforms import map_moments
from multifield.mock import make_suite
from multifield.studies import exact_results, infer_exactly

CONFIG = MockConfig(n_simulations=20, map_size=16, lattice=8, refine=1, seed=1, n_threads=1)


def log_maps(**provenance: str) -> tuple[np.ndarray, dict[str, LogMaps]]:
    theta, blocks = make_suite("MockGaussian", ("Mtot",), CONFIG)
    maps = log_transform(np.concatenate([block["Mtot"] for block in blocks]), "Mtot")
    recipe = {"smoothing_width": "0", "remove_monopole": "False"} | provenance
    return theta, {"Mtot": LogMaps(maps, map_moments(maps), recipe)}


def test_the_test_maps_are_inferred_in_order():
    theta, maps = log_maps()
    split = split_simulations(20, n_valid=5, n_test=10)
    results = infer_exactly("MockGaussian", maps, theta, split)["exact posterior"]
    np.testing.assert_array_equal(results.theta, np.repeat(theta[list(split.test)], 15, axis=0))
    assert results.inferred == ("Omega_m", "sigma_8")
    chi2 = score_results(results)["chi2"]
    # 150 independent maps: sqrt(2 / 150) = 0.12, 4 sigma
    assert all(abs(value - 1) < 0.5 for value in chi2.values())


def test_results_are_those_of_the_posterior():
    theta, maps = log_maps()
    split = split_simulations(20, n_valid=5, n_test=10)
    first = split.test[0]
    results = infer_exactly("MockGaussian", maps, theta, split)["exact posterior"]
    alone = exact_results(maps["Mtot"].maps[15 * first : 15 * first + 1], theta[[first]])
    np.testing.assert_allclose(results.mean[0, :2], alone.mean[0, :2], rtol=1e-9)


def test_maps_kept_in_16_bits_are_decoded():
    theta, maps = log_maps()
    split = split_simulations(20, n_valid=5, n_test=10)
    exact = infer_exactly("MockGaussian", maps, theta, split)["exact posterior"]
    entry, encoding = maps["Mtot"], Encoding(11.0, 0.5)
    kept = ((entry.maps - encoding.mean) / encoding.std).astype(np.float16)
    compact = {"Mtot": LogMaps(kept, entry.moments, entry.provenance, encoding)}
    found = infer_exactly("MockGaussian", compact, theta, split)["exact posterior"]
    # float16 keeps a pixel within 2e-3 of its scatter, which moves a posterior far less
    difference = np.abs(found.mean - exact.mean)[:, :2] / exact.std[:, :2]
    assert difference.max() < 0.01


@pytest.mark.parametrize(
    "change",
    [
        {"smoothing_width": "2"},
        {"remove_monopole": "True"},
        {"noise": "0.1"},
        {"cutout": "8 of 16 pixels"},
    ],
)
def test_nothing_is_claimed_of_maps_that_were_changed(change):
    theta, maps = log_maps(**change)
    assert infer_exactly("MockGaussian", maps, theta, split_simulations(20)) == {}


def test_nothing_is_claimed_of_other_suites():
    theta, maps = log_maps()
    assert infer_exactly("MockNbody", maps, theta, split_simulations(20)) == {}
