"""Results of a network that knows how wrong it is: errors are Gaussian with the stated widths."""

import numpy as np
import pytest

from multifield import camels
from multifield.evaluation import Results


@pytest.fixture
def make_results():
    """Build honest results of `n_rows` maps; siblings of a simulation share their truth."""

    def make(n_rows=60, inferred=camels.PARAMETER_NAMES, seed=0, n_simulations=None):
        rng = np.random.default_rng(seed)
        simulations = rng.random((n_simulations or n_rows, 6))
        scaled = simulations[np.arange(n_rows) * len(simulations) // n_rows]
        scaled_std = 0.05 * rng.uniform(0.5, 2.0, scaled.shape)
        scaled_mean = scaled + scaled_std * rng.normal(size=scaled.shape)
        mean, std = camels.unscale_theta(scaled_mean), camels.unscale_theta_std(scaled_std)
        unused = [name not in inferred for name in camels.PARAMETER_NAMES]
        mean[:, unused] = np.nan
        std[:, unused] = np.nan
        return Results(camels.unscale_theta(scaled), mean, std, tuple(inferred))

    return make
