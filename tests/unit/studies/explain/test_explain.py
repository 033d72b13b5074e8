"""Maps whose information is known to be in one place: the explanation must find it there."""

from functools import cache

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from multifield.config.evaluation import BootstrapConfig
from multifield.config.ingest import MockConfig
from multifield.config.studies import ExplainConfig
from multifield.datasets import TypedJSONDataset
from multifield.maps import log_transform
from multifield.mock import make_suite
from multifield.models.network import Network
from multifield.studies.explain import Explanation, explain, figures, render_explanation
from multifield.studies.explain.statistics import ONE_POINT, POWER
from multifield.studies.explain.views import smooth, wave_numbers

L = 32
CONFIG = ExplainConfig(
    k_cuts=(1.0, 2.0, 3.0),
    smoothing_widths=(2.0,),
    density_width=1.0,
    void_share=0.5,
    knot_share=0.1,
    degree=2,
    orientations=1,
)
BOOTSTRAP = BootstrapConfig(n_resamples=200, level=0.95, seed=1)
N = 150  # simulations: 90 to train on, 30 to validate, 30 to test


@cache
def suite(name: str, *fields: str, map_size: int = L) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw parameters and standardized log maps of each field."""
    config = MockConfig(
        n_simulations=N, map_size=map_size, lattice=8, refine=1, seed=1, n_threads=1
    )
    theta, blocks = make_suite(name, fields, config)
    whole = list(blocks)
    logs = [log_transform(np.concatenate([each[f] for each in whole]), f) for f in fields]
    return theta, [((each - each.mean()) / each.std()).astype(np.float32) for each in logs]


def draw_theta() -> tuple[np.ndarray, np.ndarray]:
    """Draw parameter tables, and sigma_8 of each map in [0, 1]."""
    theta = np.random.default_rng(2).uniform((0.1, 0.6, 1, 1, 1, 1), (0.5, 1, 2, 2, 2, 2), (N, 6))
    return theta, ((theta[:, 1] - 0.6) / 0.4).repeat(15)


def white(seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((15 * N, 1, L, L))).float()


def measure(make_loaders, theta, maps, *, networks=(), config=CONFIG, fields=None, **options):
    data = make_loaders(theta, *maps, mean=0.0, std=1.0, **options)
    fields = fields or ("Mtot",)
    return explain(data, networks, "MockGaussian", fields, config, BOOTSTRAP, device="cpu")


def value(found: Explanation, *attributes, scale=None, end="value") -> float:
    """One number: topic, quantity, name and reader, and the scale."""
    (row,) = [each for each in found.find(*attributes) if each.scale == scale]
    assert row.interval is not None
    return getattr(row.interval, end)


@pytest.fixture
def gaussian(make_loaders) -> Explanation:
    if not _found:
        _found.append(measure(make_loaders, *suite("MockGaussian", "Mtot")))
    return _found[0]


_found: list[Explanation] = []  # of the suite of two tests
LOST, ALONE = "lost [nats]", "alone [nats]"
ADDED, AFTER = "added to the others [nats]", "Shapley value after the power spectrum [nats]"


def test_all_information_of_a_gaussian_field_is_in_its_power_spectrum(gaussian):
    found = gaussian
    whole = value(found, "maps")
    assert whole > 3  # the exact posterior has about 4.5 nats
    share = value(found, "statistics", "share", POWER)
    assert share >= 0.9
    others = [row for row in found.find("statistics", AFTER) if row.name != POWER]
    assert len(others) == 3
    for row in others:  # they help on validation maps by chance at most
        assert abs(row.interval.value) < 0.02 * whole, row.name
    assert value(found, "statistics", LOST, POWER) > 0


def test_each_scale_of_a_gaussian_field_adds_information(gaussian):
    found = gaussian
    below, above = (
        [value(found, "scales", None, kind, scale=k) for k in CONFIG.k_cuts]
        for kind in ("below", "above")
    )
    assert below == sorted(below)
    assert above == sorted(above, reverse=True)
    assert below[0] < 0.6 * value(found, "maps")


def test_two_fields_have_all_information(make_loaders):
    fields = ("Mgas", "T", "HI")
    theta, maps = suite("MockTwoFields", *fields, map_size=16)
    found = measure(make_loaders, theta, maps, config=short(), fields=fields)
    whole = value(found, "maps")
    for field in fields[:2]:  # one parameter each
        assert value(found, "fields", ADDED, field) > 0.35 * whole
        assert value(found, "fields", ALONE, field) > 0.35 * whole
    assert abs(value(found, "fields", ALONE, "HI")) < 0.02 * whole
    assert abs(value(found, "fields", ADDED, "HI")) < 0.02 * whole
    # Mgas has its information in the mean; T has it in white noise, of which 1 h/Mpc leaves 50 modes
    lost = {
        field: 1
        - value(found, "fields", ALONE, field, scale=1.0) / value(found, "fields", ALONE, field)
        for field in fields[:2]
    }
    assert abs(lost["Mgas"]) < 0.1
    assert lost["T"] > 0.25


def short() -> ExplainConfig:
    return ExplainConfig(
        k_cuts=(1.0,),
        smoothing_widths=(),
        density_width=1.0,
        void_share=0.5,
        knot_share=0.1,
        degree=2,
        orientations=1,
    )


def test_a_planted_scale_is_found(make_loaders):
    """The amplitude of the modes from 1 to 2 h/Mpc is sigma_8; all other modes are noise."""
    theta, sigma_8 = draw_theta()
    k = wave_numbers(L)
    in_band = torch.fft.rfft2(white(3)) * ((k >= 1) & (k < 2))
    amplitude = torch.from_numpy(0.5 + sigma_8).float()[:, None, None, None]
    rest = torch.fft.rfft2(white(4)) * ~((k >= 1) & (k < 2))
    maps = torch.fft.irfft2(amplitude * in_band + rest, s=(L, L))[:, 0].numpy()
    found = measure(make_loaders, theta, [maps], inferred=(1,))
    whole = value(found, "maps")
    assert whole > 1
    below, above = (
        [value(found, "scales", None, kind, scale=k) / whole for k in CONFIG.k_cuts]
        for kind in ("below", "above")
    )
    assert below[0] < 0.1
    assert min(below[1:]) > 0.8
    assert above[0] > 0.8
    assert max(above[1:]) < 0.1
    assert value(found, "smoothing", None, None, None, scale=2.0) > 0.5 * whole


def test_a_planted_environment_is_found(make_loaders):
    """Small-scale noise has the amplitude of sigma_8 in the densest 10% of the pixels."""
    theta, sigma_8 = draw_theta()
    large = smooth(white(3), 2.0)
    large = 1.5 * large / large.std()  # ten times the smoothed noise: the classes are those of it
    dense = large > large.flatten(1).quantile(0.9, dim=1)[:, None, None, None]
    amplitude = torch.from_numpy(0.2 + 0.6 * sigma_8).float()[:, None, None, None]
    fine = white(4)
    maps = large + fine * torch.where(dense, amplitude, torch.full_like(amplitude, 0.5))
    found = measure(make_loaders, theta, [maps[:, 0].numpy()], inferred=(1,), config=short())
    whole = value(found, "maps")
    assert whole > 0.5
    lost = {row.name: row.interval.value / whole for row in found.find("environments", LOST)}
    assert lost["knots"] > 0.7
    assert max(lost["voids"], lost["sheets and filaments"]) < 0.2
    alone = {row.name: row.interval.value / whole for row in found.find("environments", ALONE)}
    assert alone["knots"] > 0.8
    assert max(alone["voids"], alone["sheets and filaments"]) < 0.3


class ReadsTheMean(Network):
    """A network that infers sigma_8 from the mean of a map, which is its value with an error."""

    records_sizes = False

    def encode(self, x):
        return x.mean(dim=(2, 3))

    def infer(self, features):
        mean = features.expand(-1, self.n_parameters)
        return torch.cat((mean, torch.full_like(mean, 0.1)), dim=1)


def test_a_network_that_reads_the_mean_is_found_out(make_loaders):
    """Maps also have sigma_8 in the amplitude of white noise, which the network does not read."""
    theta, sigma_8 = draw_theta()
    error = np.random.default_rng(5).normal(0, 0.1, 15 * N)
    fine = white(3) * torch.from_numpy(0.5 + sigma_8).float()[:, None, None, None]
    fine -= fine.mean(dim=(2, 3), keepdim=True)
    maps = (fine + torch.from_numpy(sigma_8 + error).float()[:, None, None, None])[:, 0].numpy()
    network = ReadsTheMean(1, 0.0, 1, L)
    found = measure(make_loaders, theta, [maps], inferred=(1,), networks=[network], config=short())
    whole = value(found, "maps", None, None, "network")
    likelihood = np.log(1 / 0.1) - 0.5 * np.log(2 * np.pi * np.e)  # 0.88 without a prior
    assert likelihood - 0.05 < whole < likelihood + 0.25  # the edges of the prior add
    assert value(found, "maps", None, None, "statistics") > whole + 1
    kept = value(found, "scales", None, "below", "network", scale=1.0)
    assert kept == pytest.approx(whole, abs=1e-4)  # of means rounded in float32
    assert value(found, "scales", None, "above", "network", scale=1.0) < 0.05
    assert value(found, "monopole", LOST, "without mean", "network") > 0.9 * whole
    for row in found.find("environments", LOST, read_by="network"):
        assert row.interval.value == pytest.approx(0, abs=1e-4)
    assert value(found, "outputs", "R2 of sigma_8", ONE_POINT) > 0.99
    assert value(found, "outputs", "R2 of sigma_8", "scale coupling") < 0.1


def test_every_row_has_an_interval_and_survives_a_file(make_loaders, tmp_path):
    theta, sigma_8 = draw_theta()
    maps = (white(3)[:, 0].numpy() + sigma_8[:, None, None]).astype(np.float32)
    found = measure(make_loaders, theta, [maps], inferred=(1,), config=short())
    for row in found.rows:
        assert row.interval is not None, row
        assert row.interval.low <= row.interval.high
    whole = found.find("maps")[0].interval
    assert whole.low < whole.value < whole.high
    assert found.left_out == (
        "fields: There is only one field.",
        "network: There is no trained network.",
    )
    assert not found.find("fields")
    assert found.inferred == ("sigma_8",)
    dataset = TypedJSONDataset(
        filepath=str(tmp_path / "explanation.json"), model="multifield.studies.explain.Explanation"
    )
    dataset.save(found)
    assert dataset.load() == found
    names = ("scales", "environments", "statistics", "fields")
    drawn = {name: getattr(figures, name)(found) for name in names}
    texts = [text.get_text() for text in drawn["statistics"].findobj(Text)]
    assert "No network is explained." in texts
    page = render_explanation(found, dict.fromkeys(names, b""))
    assert "There is no trained network." in page


def test_a_wave_number_beyond_nyquist_is_refused(make_loaders):
    theta, _ = draw_theta()
    config = ExplainConfig(**{**vars(short()), "k_cuts": (1.0, 5.0)})
    with pytest.raises(ValueError, match=r"k_cuts: Expected at most 4\.02 h/Mpc.*got 5\."):
        measure(make_loaders, theta, [white(3)[:, 0].numpy()], config=config)
