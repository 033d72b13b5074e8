"""Script, not a test: print losses of first steps as JSON, compiled and not.

It needs its own process, because torch.compile cannot trace the type checks that pytest adds.
"""

import json
import sys
from dataclasses import replace

import torch
from torch._dynamo.utils import counters

from multifield.training import NonFiniteLoss, train_network, train_step
from multifield.training.step import build_network, make_optimizer
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data


def main() -> None:
    torch.set_num_threads(1)
    data, parameters = make_data(), replace(HYPERPARAMETERS, lr=1e-5, dr=0.0)
    found: dict[str, list[float]] = {}
    for choice in ("never", "always"):
        torch.manual_seed(1)
        settings = config(compile=choice)
        network = build_network(data, parameters, settings, torch.device("cpu")).train()
        optimizer = make_optimizer(network, parameters, settings)
        batches = data.train.random_epoch(0, 0, flips=True, shifts=False)
        found[
            choice
        ] = [  # without the last batch, which is smaller and would be compiled by itself
            train_step(network, optimizer, next(batches), (0, 1), step=step) for step in range(3)
        ]
    # the compiled network, and a batch with which it cannot be trained
    batch = next(data.train.random_epoch(0, 0, flips=True, shifts=False))
    batch.theta[2, 1] = float("nan")
    before = [parameter.clone() for parameter in network.parameters()]
    try:
        train_step(network, optimizer, batch, (0, 1), step=4)
    except NonFiniteLoss:
        pairs = zip(before, network.parameters(), strict=True)
        found["weights changed by no number"] = [float(not torch.equal(a, b)) for a, b in pairs]
    found["compiled of each network"] = [float(n) for n in count_compiled(6)]
    sys.stdout.write(json.dumps(found))


def count_compiled(n_networks: int) -> list[int]:
    """Train networks one after another, with a smaller last batch, and count compilations."""
    counts = []
    for number in range(n_networks):
        before = counters["frames"]["ok"]
        parameters = replace(HYPERPARAMETERS, dr=0.1 * number)  # as trials differ
        with torch.compiler.set_stance("default", force_backend="eager"):
            train_network(make_data(), parameters, config(epochs=1, compile="always"))
        counts.append(counters["frames"]["ok"] - before)
    return counts


if __name__ == "__main__":
    main()
