import numpy as np
import pytest
import torch

from multifield import camels
from multifield.studies.explain import views

L = 32
WAVE = 2 * np.pi * 5 / camels.BOX_SIZE  # [h/Mpc] of five periods per box
ATOL = 1e-5  # of maps of order 1, transformed in float32


def waves() -> torch.Tensor:
    """One map with a mean of 1 and a wave of five periods along each axis."""
    phase = 2 * torch.pi * 5 * torch.arange(L) / L
    return 1 + torch.cos(phase)[None, None, :, None] + torch.sin(phase)[None, None, None, :]


def noise(channels: int = 1) -> torch.Tensor:
    return torch.randn(4, channels, L, L) + 2


@pytest.mark.parametrize("view", [views.low_pass, views.high_pass])
def test_a_wave_is_on_one_side_of_its_wave_number(view):
    x, keeps_large = waves(), view is views.low_pass
    inside, outside = (1.01, 0.99) if keeps_large else (0.99, 1.01)
    kept = view(x, k=inside * WAVE)
    torch.testing.assert_close(kept, x if keeps_large else x - 1, atol=ATOL, rtol=0)
    rest = torch.ones_like(x) if keeps_large else torch.zeros_like(x)
    torch.testing.assert_close(view(x, k=outside * WAVE), rest, atol=ATOL, rtol=0)


def test_both_sides_together_are_the_map():
    x = noise(2)
    both = views.low_pass(x, k=2.0) + views.high_pass(x, k=2.0)
    torch.testing.assert_close(both, x, atol=ATOL, rtol=0)


def test_smoothing_multiplies_a_wave_by_the_transform_of_a_gaussian():
    width, x = 1.5, waves()
    factor = np.exp(-0.5 * (2 * np.pi * 5 / L * width) ** 2)
    expected = 1 + factor * (x - 1)
    torch.testing.assert_close(views.smooth(x, width), expected, atol=ATOL, rtol=0)


def test_the_nyquist_wave_number_is_half_the_pixels_per_box():
    assert views.nyquist(L) == pytest.approx(2 * np.pi * (L / 2) / camels.BOX_SIZE)


def test_classes_have_their_shares_and_rise_in_density():
    x = noise()
    voids, filaments, knots = views.find_classes(x, 0, 0.0, (0.5, 0.9))
    assert torch.equal(voids | filaments | knots, torch.ones_like(voids))
    shares = [each.float().mean(dim=(1, 2, 3)) for each in (voids, filaments, knots)]
    for share, expected in zip(shares, (0.5, 0.4, 0.1), strict=True):
        torch.testing.assert_close(share, torch.full((4,), expected), atol=2 / L**2, rtol=0)
    assert (x[0][voids[0]].max() <= x[0][filaments[0]].min()).item()
    assert (x[0][filaments[0]].max() <= x[0][knots[0]].min()).item()


def test_a_mask_keeps_the_mean_and_all_other_pixels():
    x = noise(2)
    masked = views.mask_classes(x, 1, 1.0, (0.5, 0.9), (0, 2))
    filaments = views.find_classes(x, 1, 1.0, (0.5, 0.9))[1].expand_as(x)
    torch.testing.assert_close(masked.mean(dim=(2, 3)), x.mean(dim=(2, 3)), atol=ATOL, rtol=0)
    assert torch.equal(masked[filaments], x[filaments])
    voids = views.find_classes(x, 1, 1.0, (0.5, 0.9))[0]
    assert masked[0, 0][voids[0, 0]].std() < ATOL


def test_environments_are_those_of_the_matter_if_it_is_there():
    assert views.density_channel(("T", "Mgas", "Mcdm")) == 2
    assert views.density_channel(("T", "HI")) == 0
