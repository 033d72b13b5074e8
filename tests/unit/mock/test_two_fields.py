"""Information in the fields of `MockTwoFields`."""

import numpy as np
import pytest

from multifield.camels import COSMOLOGY, PARAMETERS
from multifield.mock.two_fields import CARRIERS, SATURATION, draw_simulation, least_errors

MAP_SIZE = 64  # [pixels]
FIELDS = ("Mgas", "T", "ne", "P", "HI")


def log_maps(Omega_m: float = 0.3, sigma_8: float = 0.8, seed: int = 1) -> dict[str, np.ndarray]:
    maps = draw_simulation(
        Omega_m, sigma_8, map_size=MAP_SIZE, generator=np.random.default_rng(seed)
    )
    return {field: np.log10(each.astype(np.float64)) for field, each in maps.items()}


@pytest.mark.parametrize(
    ("changes", "fields"), [({"Omega_m": 0.4}, {"Mgas", "ne"}), ({"sigma_8": 0.9}, {"T", "P"})]
)
def test_a_parameter_changes_its_carrier_and_functions_of_it(changes, fields):
    before, after = log_maps(), log_maps(**changes)
    moved = {field for field in FIELDS if not np.array_equal(before[field], after[field])}
    assert moved == fields


def test_ne_rises_with_mgas_and_saturates():
    # at the lowest mean, where many pixels are below the edge
    logs = log_maps(Omega_m=0.1)
    below = logs["Mgas"] < SATURATION - 1e-5
    assert 0.1 < below.mean() < 0.2  # one standard deviation: 15.9%
    difference = (logs["Mgas"] - logs["ne"])[below]
    np.testing.assert_allclose(difference, difference[0], atol=2e-6)  # two roundings of 11 dex
    assert np.ptp(logs["ne"][logs["Mgas"] > SATURATION + 1e-5]) == 0


def test_p_has_few_independent_pixels():
    logs = log_maps()
    ratio = logs["P"].var() / logs["T"].var()
    assert ratio == pytest.approx(1 / (4 * np.pi * 2**2), rel=0.05)  # from 15 * 4096 / 50 draws


def test_the_noise_is_independent_of_the_other_fields():
    logs = log_maps()
    n = logs["HI"].size
    for field in FIELDS[:-1]:
        correlation = np.corrcoef(logs["HI"].ravel(), logs[field].ravel())[0, 1]
        # P's pixels are not independent, but those of HI are
        assert abs(correlation) < 4 / np.sqrt(n)


def test_least_errors_are_those_of_the_best_estimators():
    """Compare the mean of Mgas and the scatter of T in 40 simulations of 15 maps."""
    logs = [log_maps(seed=seed) for seed in range(40)]
    mean = np.concatenate([each["Mgas"].mean(axis=(1, 2)) for each in logs])
    scatter = np.concatenate([np.log(each["T"].std(axis=(1, 2))) for each in logs])
    widths = [parameter.maximum - parameter.minimum for parameter in PARAMETERS[:2]]
    found = (mean.std() * widths[0], scatter.std() / np.log(4) * widths[1])
    errors = least_errors(MAP_SIZE)
    assert tuple(errors) == COSMOLOGY
    # the standard deviation of 600 draws is known to 1 / sqrt(1200), 3%
    np.testing.assert_allclose(found, list(errors.values()), rtol=0.09)


def test_carriers_are_fields_of_the_suite():
    assert set(CARRIERS) < set(FIELDS)
