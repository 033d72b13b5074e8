"""Infer parameters with a density estimator of sbi on the statistics of our network.

Run ``python peer.py draws.parquet`` (needs ``pip install sbi``), then ``multifield score
draws.parquet``.
"""

import sys
from copy import deepcopy

import numpy as np
import pandas as pd
import torch
from torch import nn

import multifield as mf
from multifield.models.summary_statistics import SummaryStatistics

PATIENCE, BATCH, N_DRAWS = 20, 200, 200


def statistics(part):
    """Compute the statistics of the maps of a part, (N, F)."""
    suite = part.suite
    normal = suite.normalization
    channels = [
        (suite.log_maps[field].read(part.index) - mean) / std
        for field, mean, std in zip(normal.fields, normal.mean, normal.std, strict=True)
    ]
    maps = torch.from_numpy(np.stack(channels, axis=1).astype(np.float32))
    network = SummaryStatistics(1, 0.0, maps.shape[1], maps.shape[2])
    with torch.inference_mode():
        return torch.cat([network.encode(batch) for batch in maps.split(64)]).clone()


def scaled_theta(part):
    """Return the inferred parameters of each map in units of the prior range, (N, P)."""
    columns = [mf.camels.PARAMETER_NAMES.index(name) for name in part.suite.inferred]
    return torch.from_numpy(mf.camels.scale_theta(part.theta)[:, columns].astype(np.float32))


def build(theta, x):
    """Build a masked autoregressive flow of sbi, with a trained layer as the embedding."""
    from sbi.neural_nets import posterior_nn

    embedding = nn.Sequential(nn.Linear(x.shape[1], 32), nn.ReLU())
    return posterior_nn("maf", embedding_net=embedding)(theta, x)


def fit(train, valid, build=build, epochs=1000):
    """Train a density estimator; stop early on the validation simulations.

    `train` and `valid` are tuples of parameters and statistics. `build` returns a module with
    ``loss(theta, condition)`` and ``sample(shape, condition)``, as sbi does.
    """
    estimator = build(*train)
    optimizer = torch.optim.Adam(estimator.parameters(), lr=5e-4)
    best, best_epoch, kept = np.inf, 0, None
    for epoch in range(epochs):
        estimator.train()
        for rows in torch.randperm(len(train[0])).split(BATCH):
            optimizer.zero_grad()
            estimator.loss(train[0][rows], condition=train[1][rows]).mean().backward()
            nn.utils.clip_grad_norm_(estimator.parameters(), 5.0)
            optimizer.step()
        estimator.eval()
        with torch.inference_mode():
            loss = float(estimator.loss(valid[0], condition=valid[1]).mean())
        if loss < best:
            best, best_epoch, kept = loss, epoch, deepcopy(estimator.state_dict())
        if epoch - best_epoch >= PATIENCE:
            break
    estimator.load_state_dict(kept)
    return estimator


def draw(estimator, x, n=N_DRAWS, rounds=100):
    """Draw parameters inside the prior for each map, (N, n, P)."""
    with torch.inference_mode():
        draws = estimator.sample((n,), condition=x)
        for _ in range(rounds):
            outside = ((draws < 0) | (draws > 1)).any(dim=2)
            if not outside.any():
                break
            draws[outside] = estimator.sample((n,), condition=x)[outside]
    return draws.clamp(0, 1).transpose(0, 1).double().numpy()


def as_table(draws, part):
    """Make the table of draws that ``multifield score`` reads."""
    n_maps, n_draws, _ = draws.shape
    rows = np.repeat(np.arange(n_maps), n_draws)
    table = {"map": rows, "draw": np.tile(np.arange(n_draws), n_maps)}
    for k, name in enumerate(part.suite.inferred):
        column = mf.camels.PARAMETER_NAMES.index(name)
        parameter = mf.camels.PARAMETERS[column]
        width = parameter.maximum - parameter.minimum
        table[name] = parameter.minimum + width * draws[:, :, k].ravel()
        table[f"{name}_true"] = part.theta[rows, column]
    return pd.DataFrame(table)


def main(path, suite=None, build=build):
    """Infer the test maps of a suite, and write the draws."""
    suite = suite or mf.load_suite("MockNbody", "Mtot")
    parts = [suite.train, suite.valid, suite.test]
    x = [statistics(part) for part in parts]
    mean, std = x[0].mean(dim=0), x[0].std(dim=0) + 1e-6
    x = [((each - mean) / std).clamp(-8, 8) for each in x]
    train, valid = ((scaled_theta(part), each) for part, each in zip(parts[:2], x, strict=False))
    torch.manual_seed(1)
    estimator = fit(train, valid, build)
    as_table(draw(estimator, x[2]), suite.test).to_parquet(path)


if __name__ == "__main__":
    main(sys.argv[1])
