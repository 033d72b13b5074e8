"""Information of maps about the parameters [nats]: the log-probability of the truth.

For a map with posterior p, uniform prior and truth theta,

    I = log [p(theta) / prior(theta)],

of all parameters together, or of the marginal posterior of some of them. It is averaged over maps.
A posterior without information has 0. Halving the width of the right posterior of one parameter
adds log 2. I is the logarithmic score: no wrong posterior can raise it on average.

A few maps with standard deviations near zero can dominate the average. So the posterior is mixed
with a little of the prior (`multifield.training.loss.robust_log_prob`): no map has less than -6.9
nats. A posterior that is right loses 0.001 nats.

References
----------
Gneiting & Raftery 2007, JASA 102, 359, for the score.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64

from multifield.evaluation.combined import CombinedPosterior
from multifield.evaluation.joint import JointPosterior, Values
from multifield.evaluation.results import Results
from multifield.training.loss import robust_log_prob

Nats = Float64[np.ndarray, " M"]
"""Information of each row."""


def measure_information(results: Results, parameters: Sequence[str] | None = None) -> Nats:
    """Measure the information of maps about parameters; see the top of this module.

    Parameters
    ----------
    results : Results
        Truth and posteriors of the maps.
    parameters : sequence of str, optional
        Some of the inferred parameters; the posterior is marginalized over the others. The default
        is all inferred parameters.

    Returns
    -------
    nats : (M,) float64
        Information of each row.

    Raises
    ------
    ValueError
        If a parameter is not inferred.
    """
    asked = results.inferred if parameters is None else tuple(parameters)
    posterior = results.posterior.marginal(asked)
    truth = results.theta[:, list(results.space.columns(posterior.parameters))]
    return robust_information(posterior, truth)


def robust_information(posterior: JointPosterior | CombinedPosterior, truth: Values) -> Nats:
    """Compute the log-probability of the truth with a little of the prior mixed in.

    Parameters
    ----------
    posterior : JointPosterior or CombinedPosterior
        Posteriors of maps or simulations.
    truth : (M, P) float64
        True parameters in physical units.

    Returns
    -------
    nats : (M,) float64
        Log-probability against the uniform prior, at least -6.9.
    """
    log_prob = torch.from_numpy(posterior.log_prob(truth))
    nats: np.ndarray = robust_log_prob(log_prob).numpy()
    return nats
