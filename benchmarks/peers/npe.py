"""Neural posterior estimation with the density estimators of ``sbi``."""

import logging
import time
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.peers.inputs import Parts, Rows

# as in sbi's `NPE.train`
BATCH, LEARNING_RATE, PATIENCE, MAX_NORM = 200, 5e-4, 20, 5.0
TEST_BATCH = 150  # rows at a time


@dataclass(frozen=True)
class Estimator:
    """A trained density estimator, truncated to the prior [0, 1]."""

    network: Any
    n_epochs: int

    def infer(self, x: np.ndarray, theta: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Compute log-probabilities of parameters and draw from the posteriors.

        Parameters
        ----------
        x : (M, ...) float32
            Inputs.
        theta : (M, P) float32
            Parameters in units of the prior range.
        n : int
            Number of draws per row.

        Returns
        -------
        log_prob : (M,) float64
            Log-probabilities, normalized by the share of draws inside the prior.
        draws : (M, n, P) float64
            Draws inside the prior, repeated if fewer than `n` of 2 `n` are.
        """
        log_prob, draws = [], []
        with torch.inference_mode():
            for begin in range(0, len(x), TEST_BATCH):
                rows = torch.from_numpy(x[begin : begin + TEST_BATCH])
                at = torch.from_numpy(theta[begin : begin + TEST_BATCH])
                found = self.network.sample((2 * n,), condition=rows).transpose(0, 1)
                inside = within(found)  # (rows, 2 n)
                count = inside.sum(dim=1).clamp(min=1)
                of_rows = self.network.log_prob(at[None], condition=rows)[0].double()
                log_prob.append((of_rows - (count / (2 * n)).log()).numpy())
                order = inside.logical_not().int().argsort(dim=1, stable=True)  # those inside first
                index = order.gather(1, torch.arange(n)[None] % count[:, None])
                kept = found.gather(1, index[..., None].expand(-1, -1, found.shape[2]))
                draws.append(kept.clamp(0, 1).double().numpy())
        return np.concatenate(log_prob), np.concatenate(draws)


def within(theta: Tensor) -> Tensor:
    """Tell which parameters are inside the prior."""
    inside: Tensor = ((theta >= 0) & (theta <= 1)).all(dim=-1)
    return inside


def fit(parts: Parts, flow: str, seed: int, seconds: float) -> Estimator:
    """Train a density estimator, with early stopping on the validation simulations."""
    begin = time.process_time()
    network = build(parts.train, flow, seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    generator = torch.Generator().manual_seed(seed)
    x, theta = (torch.from_numpy(each) for each in parts.train)
    best, kept, best_epoch, epoch = np.inf, network.state_dict(), 0, 0
    while epoch - best_epoch <= PATIENCE and (epoch < 2 or time.process_time() - begin < seconds):
        epoch += 1
        network.train()
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            optimizer.zero_grad()
            loss = network.loss(theta[rows], condition=turn(x[rows], generator)).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_NORM)
            optimizer.step()
        found = validate(network, parts.valid)
        if found < best:
            best, best_epoch, kept = found, epoch, deepcopy(network.state_dict())
    network.load_state_dict(kept)
    network.eval()
    return Estimator(network, epoch)


def build(train: Rows, flow: str, seed: int) -> Any:
    """Build a density estimator of sbi, with its embedding for maps."""
    from sbi.neural_nets import posterior_nn
    from sbi.neural_nets.embedding_nets import CNNEmbedding

    logging.getLogger().setLevel(logging.ERROR)
    torch.manual_seed(seed)
    choices: dict[str, Any] = {}
    if train.x.ndim == 4:
        channels, size = train.x.shape[1], train.x.shape[2]
        embedding = CNNEmbedding((size, size), in_channels=channels, output_dim=32)
        choices = {"embedding_net": embedding, "z_score_x": "none"}
    x, theta = (torch.from_numpy(each) for each in train)
    return posterior_nn(flow, **choices)(theta, x)


def turn(x: Tensor, generator: torch.Generator) -> Tensor:
    """Turn and flip maps at random, one orientation per batch; leave statistics alone."""
    if x.ndim < 4:
        return x
    turns, flip = torch.randint(0, 4, (2,), generator=generator).tolist()
    x = torch.rot90(x, turns, (2, 3))
    return x.flip(3) if flip % 2 else x


def validate(network: Any, valid: Rows) -> float:
    """Compute the mean loss of the validation rows."""
    network.eval()
    with torch.inference_mode():
        losses = [
            network.loss(
                torch.from_numpy(valid.theta[i : i + TEST_BATCH]),
                condition=torch.from_numpy(valid.x[i : i + TEST_BATCH]),
            )
            for i in range(0, len(valid.x), TEST_BATCH)
        ]
    return float(torch.cat(losses).mean())
