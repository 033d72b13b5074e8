"""Metrics of an 18-column file against exact rational arithmetic on its text."""

import math
from fractions import Fraction

import numpy as np
import pytest

from multifield import camels
from multifield.evaluation import METRICS, read_results, score

N_MAPS = 300
LAST_DIGIT = (
    16 * 2.0**-52
)  # relative; sums of 300 terms in pairs round ten times at most, roots once


@pytest.fixture
def lines(rng):
    """Rows of another program: three blocks of six columns with all digits of float64."""
    theta = camels.unscale_theta(rng.random((N_MAPS, 6)))
    std = rng.uniform(0.03, 0.1, theta.shape) * theta
    table = np.hstack([theta, theta + 1.3 * std * rng.standard_normal(theta.shape), std])
    return [" ".join(f"{value:.17g}" for value in row) for row in table]


def mean(values):
    return sum(values, Fraction(0)) / N_MAPS


def root(value):
    """Square root, rounded once: of 240 bits and more."""
    shifted = (value.numerator << 480) // value.denominator
    return Fraction(math.isqrt(shifted), 1 << 240)


def score_exactly(theta, mu, sigma, width):
    errors = [m - t for t, m in zip(theta, mu, strict=True)]
    rmse = root(mean([error**2 for error in errors]))
    pulls = [error / s for error, s in zip(errors, sigma, strict=True)]
    relative = [error / t for error, t in zip(errors, theta, strict=True)]
    spread = mean([t**2 for t in theta]) - mean(theta) ** 2
    return {
        "RMSE": rmse,
        "normalized_RMSE": rmse / width,
        "relative_error": root(mean([r**2 for r in relative])),
        "epsilon": mean([abs(r) for r in relative]),
        "R2": 1 - mean([error**2 for error in errors]) / spread,
        "chi2": mean([pull**2 for pull in pulls]),
        "bayesian_error": mean(sigma),
        "precision": mean([s / m for s, m in zip(sigma, mu, strict=True)]),
        "bias": mean(errors),
        "coverage_68": mean([Fraction(abs(pull) < 1) for pull in pulls]),
        "coverage_95": mean([Fraction(abs(pull) < 2) for pull in pulls]),
    }


def test_metrics_are_right_to_the_last_digit(tmp_path, lines):
    path = tmp_path / "results_of_another_program.txt"
    path.write_text("\n".join(lines) + "\n")
    results = read_results(path)
    found = score(results.theta, results.mean, results.std)

    columns = list(zip(*(map(Fraction, map(float, line.split())) for line in lines), strict=True))
    assert len(columns) == 18
    for number, parameter in enumerate(camels.PARAMETERS):
        width = Fraction(parameter.maximum) - Fraction(parameter.minimum)
        exact = score_exactly(*columns[number::6], width)
        assert tuple(exact) == METRICS
        for metric, value in exact.items():
            # a bias is a difference: its rounding is that of the numbers
            size = float(mean(columns[number])) if metric == "bias" else abs(float(value))
            difference = abs(float(Fraction(found[metric][parameter.name]) - value))
            assert difference <= LAST_DIGIT * size, (metric, parameter.name)
