import numpy as np
import pytest

from multifield.maps.instrument import observe


@pytest.fixture
def points() -> np.ndarray:
    """Maps of 1, with a point of 1,000 in the corner."""
    maps = np.ones((200, 32, 32), np.float32)
    maps[:, 0, 0] = 1000
    return maps


def test_each_map_has_a_level_of_noise_up_to_the_limit(points):
    observed = observe(points, range(200), "Mtot", noise=0.3, beam=0.0)
    levels = np.log(observed / points).std(axis=(1, 2))
    assert levels.max() < 0.3 * 1.08  # of 1,024 pixels: within 3.6 standard deviations
    # uniform from 0 to 0.3: mean 0.15, standard deviation 0.087
    assert levels.mean() == pytest.approx(0.15, abs=0.025)
    assert levels.std() == pytest.approx(0.087, abs=0.02)
    np.testing.assert_allclose(np.log(observed / points).mean(axis=(1, 2)), 0, atol=0.05)


def test_each_map_has_a_beam_up_to_the_limit(points):
    observed = observe(points, range(200), "Mtot", noise=0.0, beam=2.0)
    np.testing.assert_allclose(observed.mean(axis=(1, 2)), points.mean(axis=(1, 2)), rtol=1e-5)
    distance = np.minimum(np.arange(32), 32 - np.arange(32))  # the corner is periodic
    profile = (observed - 1).sum(axis=2) / 999
    widths = np.sqrt(profile @ distance**2)
    assert widths.max() < 2.0
    assert widths.mean() == pytest.approx(1.0, abs=0.15)
    assert widths.std() == pytest.approx(2 / np.sqrt(12), abs=0.1)


def test_a_beam_of_maps_that_are_not_periodic_stays_at_the_edge(points):
    observed = observe(points[:5], range(5), "Mtot", noise=0.0, beam=2.0, periodic=False)
    np.testing.assert_array_equal(observed[:, 16:, 16:], 1)
    assert (observed[:, 0, 0] < 1000).all()


def test_draws_depend_on_the_number_and_the_field(points):
    settings = {"noise": 0.1, "beam": 1.0}
    every = observe(points[:6], range(6), "Mtot", **settings)
    some = observe(points[3:5], (3, 4), "Mtot", **settings)
    np.testing.assert_array_equal(some, every[3:5])
    assert not np.array_equal(every[0], every[1])
    assert not np.array_equal(every, observe(points[:6], range(6), "Mgas", **settings))


def test_no_instrument_changes_nothing(points):
    np.testing.assert_array_equal(observe(points, range(200), "HI", noise=0.0, beam=0.0), points)
