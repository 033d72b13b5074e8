"""Against 60 digits of mpmath, from intervals far narrower than sigma to 10,000 sigma away."""

import mpmath
import pytest
import torch

from multifield.models.heads.truncated_normal import log_mass, quantile, share_below

INTERVALS = {
    "narrow": (-0.005, 0.005),
    "very_narrow": (-1e-7, 1e-7),
    "wide": (-3.0, 2.0),
    "right_tail": (5.0, 6.0),
    "left_tail": (-50.0, -49.0),
    "far_right": (2000.0, 2001.0),
    "far_left": (-1e4, -9999.9),
}


def interval(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    low, high = torch.tensor(INTERVALS[name], dtype=torch.float64)
    return low, high


def exact_log_mass(a: float, b: float) -> float:
    with mpmath.workdps(60):
        low, high = (-b, -a) if a + b > 0 else (a, b)
        return float(mpmath.log(mpmath.ncdf(high) - mpmath.ncdf(low)))


@pytest.mark.parametrize("name", INTERVALS)
def test_log_mass(name: str) -> None:
    a, b = interval(name)
    # the difference of two logarithms of order 1 limits very narrow intervals
    rtol = 1e-9 if name == "very_narrow" else 1e-13
    assert log_mass(a, b).item() == pytest.approx(exact_log_mass(*INTERVALS[name]), rel=rtol)


@pytest.mark.parametrize("name", INTERVALS)
def test_quantiles_are_inside_and_invert_the_probability(name: str) -> None:
    a, b = interval(name)
    shares = torch.linspace(0.001, 0.999, 101, dtype=torch.float64)
    z = quantile(a.expand(101), b.expand(101), shares)
    assert ((z >= a) & (z <= b)).all()
    assert (z.diff() > 0).all()
    found = share_below(a.expand(101), b.expand(101), z)
    # 10,000 sigma away, rounding z by 1e-12 changes the share by 1e-8
    torch.testing.assert_close(found, shares, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", INTERVALS)
def test_gradients(name: str) -> None:
    """The derivative of the probability is the density at the ends."""
    a, b = (each.clone().requires_grad_() for each in interval(name))
    log_mass(a, b).backward()  # type: ignore[no-untyped-call]
    with mpmath.workdps(60):
        mass = mpmath.exp(exact_log_mass(*INTERVALS[name]))
        expected = [
            float(sign * mpmath.npdf(end) / mass)
            for sign, end in zip((-1, 1), INTERVALS[name], strict=True)
        ]
    assert a.grad is not None
    assert b.grad is not None
    assert [a.grad.item(), b.grad.item()] == pytest.approx(expected, rel=1e-6, abs=1e-15)
