from dataclasses import replace

import numpy as np
import pytest

from multifield import camels
from multifield.config.data import NormalizationConfig
from multifield.data import LogMaps, Normalization
from multifield.maps.splits import maps_of
from multifield.studies.robustness import join_suites, load_suite
from multifield.studies.robustness.suite_maps import (
    check_boxes,
    check_joined,
    find_common,
    without_parameters,
)
from multifield.studies.robustness.training_suites import fit_scale
from tests.helpers.tolerances import SCALED_TWICE_ATOL
from tests.unit.studies.robustness.examples import N, make_suite_maps, method, robustness
from tests.unit.training.examples import config

OVER = NormalizationConfig(over="training")
WIDTHS = (0.0, 2.0)


@pytest.fixture
def suites():
    return [
        make_suite_maps(suite, seed, widths=WIDTHS)
        for seed, suite in enumerate(("MockTNG", "MockSIMBA"))
    ]


def batches(loader):
    """Collect stored maps and the parameters of every map."""
    every = loader.take(np.arange(len(loader)))
    return every.x.copy(), every.theta, every.index


def brighter(suite):
    """Make a suite whose maps are 100 times the square root of another's."""
    log_maps = {
        key: LogMaps(
            each.maps / 2 + 2, each.moments * (1.0, 0.5, 0.25) + (0.0, 2.0, 0.0), each.provenance
        )
        for key, each in suite.log_maps.items()
    }
    return replace(suite, log_maps=log_maps)


def unnormalized(x, normalization: Normalization):
    return x * np.float32(normalization.std[0]) + np.float32(normalization.mean[0])


def test_every_map_keeps_its_own_parameters(suites):
    joined = join_suites(suites, "T", WIDTHS, OVER, config(), {})
    for loader in (joined.data.train, joined.data.valid, joined.data.test):
        x, theta, _ = batches(loader)
        written = unnormalized(x, joined.normalization)[:, 0, 0, 0]
        # float32, standardized and back
        np.testing.assert_allclose(
            written, camels.unscale_theta(theta.astype(float))[:, 0], atol=1e-5
        )


def test_suites_of_other_tables_share_cosmological_parameters(suites):
    """SB28 and SB7 have Omega_b in common, over different ranges; others are left out."""
    sets = {s: camels.find_set(n, s) for s, n in (("IllustrisTNG", "SB28"), ("Astrid", "SB7"))}
    space = find_common(sets)
    assert space.names == ("Omega_m", "sigma_8", "Omega_b")
    assert space["Omega_b"].bounds == (0.01, 0.09)  # of SB7, which is wider
    thetas = [camels.unscale_theta(np.random.default_rng(s).random((N, 6))) for s in (0, 1)]
    aligned = [
        replace(each, theta=theta[:, :3], space=space)
        for each, theta in zip(suites, thetas, strict=True)
    ]
    data = join_suites(aligned, "T", (0.0,), OVER, config(), {}).data
    assert data.space == space
    assert data.inferred == (0, 1, 2)
    _, theta, _ = batches(data.train)
    assert theta.shape[1] == 3


def test_suites_that_cannot_be_joined_are_refused():
    of = camels.find_set
    boxes = {"MockTNG": of("LH", "MockTNG"), "MockTNG50": of("LH", "MockTNG50")}
    with pytest.raises(ValueError, match=r"suites of one box, got .*'MockTNG50': 50.*cutout="):
        check_boxes(boxes, 0)
    check_boxes(boxes, 16)
    two = {"suites": tuple(boxes), "held_back": "MockTNG50"}
    check_joined(boxes, robustness(**two, methods=(method(),)))  # trains on MockTNG alone
    unlabelled = method("adapted", unlabelled=True, alignment=1.0)
    rule = r"methods: Expected adapted to join .*'MockTNG': 15, 'MockTNG50': 30"
    with pytest.raises(ValueError, match=rule):
        check_joined(boxes, robustness(**two, methods=(unlabelled,)))
    six = {suite: of("LH", suite) for suite in ("IllustrisTNG", "SIMBA", "Nbody_SIMBA")}
    assert find_common(six) == camels.CMD


def test_training_maps_have_all_widths_and_others_the_first(suites):
    joined = join_suites(suites, "T", WIDTHS, OVER, config(), {})
    widths = {
        part: np.round(unnormalized(batches(loader)[0], joined.normalization)[:, 0, 0, 1], 3)
        for part, loader in (("train", joined.data.train), ("valid", joined.data.valid))
    }
    n_train = len(suites) * len(suites[0].split.train) * camels.MAPS_PER_SIMULATION
    assert {float(w): int(np.sum(widths["train"] == w)) for w in WIDTHS} == dict.fromkeys(
        WIDTHS, n_train
    )
    assert set(widths["valid"]) == {0.0}


def test_no_simulation_that_is_held_out_is_trained_on(suites):
    joined = join_suites(suites, "T", WIDTHS, OVER, config(), {})
    omegas = [
        set(np.unique(loader.theta[:, 0]))
        for loader in (joined.data.train, joined.data.valid, joined.data.test)
    ]
    assert not omegas[0] & omegas[1]
    assert not (omegas[0] | omegas[1]) & omegas[2]
    assert len(set.union(*omegas)) == len(suites) * N


def test_one_mean_and_std_of_the_training_maps_of_all(suites):
    joined = join_suites(suites, "T", WIDTHS, OVER, config(), {})
    x, _, index = batches(joined.data.train)
    assert joined.data.train.starts == (0, *joined.ends[:-1])
    first_width = x[index < joined.ends[1]]
    # moments of log10(10^maps) in float32
    assert first_width.mean() == pytest.approx(0, abs=1e-5)
    assert first_width.std() == pytest.approx(1, abs=1e-5)


def test_a_suite_is_tested_with_the_statistics_of_the_training(suites):
    joined = join_suites(suites[:1], "T", (0.0,), OVER, config(), {})
    other = load_suite(suites[1], "T", 0.0, suites[1].split.test, joined.normalization, config())
    x, theta, _ = batches(other)
    written = unnormalized(x, joined.normalization)[:, 0, 0, 0]
    np.testing.assert_allclose(written, camels.unscale_theta(theta.astype(float))[:, 0], atol=1e-5)
    assert other.inferred == (0, 1)


def test_own_scales_hide_what_is_linear_in_the_log_maps(suites):
    """Maps that are a power of another suite's, times a factor, have the same standardized maps."""
    one, other = suites[0], brighter(suites[0])
    joined = join_suites([one, other], "T", WIDTHS, OVER, config(), {}, own_scale=True)
    x, theta, index = batches(joined.data.train)
    second = (joined_part := np.searchsorted(joined.ends, index, side="right")) % 2 == 1
    assert set(joined_part) == {0, 1, 2, 3}
    np.testing.assert_allclose(x[second], x[~second], atol=SCALED_TWICE_ATOL)
    np.testing.assert_array_equal(theta[second], theta[~second])
    assert joined.normalization is None


def test_the_scale_of_a_suite_is_from_its_training_maps_and_no_parameters(suites):
    (one, _), held_out = suites, suites[0].split.test
    log_maps = dict(one.log_maps)
    changed = log_maps["T", 0.0].moments.copy()
    changed[maps_of(held_out)] += 100.0
    log_maps["T", 0.0] = replace(log_maps["T", 0.0], moments=changed)
    other = replace(one, theta=one.theta * np.nan, log_maps=log_maps)
    assert fit_scale([other], ["T"], 0.0, OVER) == fit_scale([one], ["T"], 0.0, OVER)


def test_causes_tell_suites_widths_and_methods_apart(suites):
    def causes(chosen, widths=(0.0,), extra=None):
        return join_suites(chosen, "T", widths, OVER, config(), extra or {}).data.causes

    found = [
        causes(suites),
        causes(suites[:1]),
        causes(suites[::-1]),
        causes(suites, WIDTHS),
        causes(suites, extra={"method.noise": "0.1"}),
    ]
    texts = [str(each) for each in found]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("own_scale", [True, False])
def test_unlabelled_maps_are_trained_on_without_their_parameters(suites, own_scale):
    options = {"own_scale": own_scale}
    alone = join_suites(suites[:1], "T", WIDTHS, OVER, config(), {}, **options)
    both = join_suites(
        suites[:1],
        "T",
        WIDTHS,
        OVER,
        config(),
        {},
        target=without_parameters(suites[1]),
        **options,
    )
    x, theta, _ = batches(both.data.train)
    known = np.isfinite(theta).all(axis=1)
    assert known.sum() == (~known).sum()
    assert np.isnan(theta[~known]).all()
    x_alone, theta_alone, _ = batches(alone.data.train)
    np.testing.assert_array_equal(x[known], x_alone)
    np.testing.assert_array_equal(theta[known], theta_alone)
    for part in ("valid", "test"):
        for one, other in zip(
            batches(getattr(both.data, part))[:2],
            batches(getattr(alone.data, part))[:2],
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)
    assert (both.normalization, both.n_suites) == (alone.normalization, 2)


def test_the_maps_that_are_not_labelled_are_of_training_simulations(suites):
    """A pixel of the examples contains Omega_m."""
    hidden = without_parameters(suites[1])
    joined = join_suites(suites[:1], "T", (0.0,), OVER, config(), {}, target=hidden)
    x, theta, _ = batches(joined.data.train)
    written = unnormalized(x, joined.normalization)[np.isnan(theta).all(axis=1), 0, 0, 0]
    expected = np.repeat(suites[1].theta[list(suites[1].split.train), 0], 15)
    np.testing.assert_allclose(np.sort(written), np.sort(expected), atol=1e-5)


def test_causes_tell_scales_apart(suites):
    together, own = (
        join_suites(suites, "T", (0.0,), OVER, config(), {}, own_scale=own).data.causes
        for own in (False, True)
    )
    assert together != own


def test_causes_tell_apart_what_a_suite_is_said_to_have_for_parameters(suites):
    one, other = suites
    labelled = [without_parameters(other), other, replace(other, theta=other.theta + 1e-9)]
    causes = [
        join_suites([one], "T", (0.0,), OVER, config(), {}, target=each).data.causes
        for each in labelled
    ]
    assert len({str(each) for each in causes}) == len(labelled)
