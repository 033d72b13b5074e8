"""Fit of the correction of members that left out a part of the simulations."""

from contextlib import closing

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.feature_network import Correction, FeatureNetwork, choose
from multifield.training.device import BatchSource, on_device
from multifield.training.loss import LOSSES
from multifield.training.precision import set_numerics
from multifield.training.step import Folds, device_of
from multifield.training.stopping import Check

# gains little more on MockTNG with 60 epochs, 32 or 128 units; weight decay loses
EPOCHS, BATCH_SIZE, LEARNING_RATE = 30, 64, 3e-3


def fit_correction(
    network: FeatureNetwork,
    train: BatchSource,
    folds: Folds,
    loss: str,
    inferred: tuple[int, ...],
    seed: int,
    check_stop: Check,
) -> None:
    """Fit the correction to the posteriors of members for simulations that they left out.

    The members are not changed. It takes 3 s for 4,500 maps on one core. Trained beside the
    members, the correction could not follow them: 10.29 instead of 10.57 nats on MockTNG (three
    fields).

    Parameters
    ----------
    network : FeatureNetwork
        Network with trained members.
    train : BatchSource
        Training maps or their features. Maps with unknown parameters are not used.
    folds : Folds
        Part of the simulations that each member left out.
    loss : str
        Name of the loss in `multifield.training.loss.LOSSES`.
    inferred : tuple of int
        Columns of the inferred parameters.
    seed : int
        Seed of the initial weights and of the order of maps.
    check_stop : callable
        Function that is called before each epoch. It may raise; the network is unchanged then.
    """
    columns, device = list(inferred), device_of(network)
    with torch.random.fork_rng(devices=[]), set_numerics("float32"):
        torch.manual_seed(seed)
        outputs, theta = _infer_left_out(network, train, folds, columns)
        correction = Correction(network.n_parameters, network.head.n_outputs).to(device)
        optimizer = torch.optim.Adam(correction.parameters(), lr=LEARNING_RATE, fused=True)
        n_batches = -(-len(theta) // BATCH_SIZE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, LEARNING_RATE, total_steps=EPOCHS * n_batches + 1
        )
        for _ in range(EPOCHS):
            check_stop()
            for rows in torch.split(torch.randperm(len(theta)).to(device), BATCH_SIZE):
                optimizer.zero_grad()
                y = correction(outputs[rows])
                LOSSES[loss](network.head, y, theta[rows], columns, 0).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
    network.correct.load_state_dict(correction.state_dict())


@torch.no_grad()
def _infer_left_out(
    network: FeatureNetwork, train: BatchSource, folds: Folds, columns: list[int]
) -> tuple[Float[Tensor, "B O"], Float[Tensor, "B Q"]]:
    """Infer each map by the member that left it out; return outputs and true parameters."""
    network.eval()
    outputs, thetas = [], []
    with closing(on_device(train.ordered([0]), device_of(network))) as batches:
        for batch in batches:
            features = batch.x if batch.x.ndim == 2 else network.features(batch.x)
            left_out = folds.leave_out(batch).left_out
            assert left_out is not None
            outputs.append(choose(network.members(features), left_out))
            thetas.append(batch.theta[:, columns])
    theta = torch.cat(thetas)
    known = theta.isfinite().all(dim=1)
    return torch.cat(outputs)[known], theta[known]
