"""Time training and inference against plain PyTorch: the same weights, maps and losses.

Run ``python -m benchmarks.training`` in the repository, on a CPU or a GPU. ``--quick`` takes
seconds and only checks the results. Every sample is a separate process, and the sides alternate.
The plain side is tests/reference/plain_o3_err.py with PyTorch's defaults for padding, memory
layout, optimizer, precision and allocator. The other side is the path of `train_network`,
including the loader.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.device import Clock, measure_peak
from benchmarks.measure import Section, Times, markdown_table, options, say, write_report
from benchmarks.preprocess import peak_memory
from multifield.config.loader import read_parameters
from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.data import MapLoader, Normalization, SplitLoaders
from multifield.models import O3Err, for_inference
from multifield.training import (
    DeviceBatch,
    choose_device,
    loader_options,
    moment_loss,
    on_device,
    train_step,
)
from multifield.training.allocator import keep_freed_memory
from multifield.training.precision import conv_dtype, set_numerics
from multifield.training.step import build_network, make_optimizer, make_schedule
from tests.reference.plain_o3_err import PlainO3Err

SIDE = 256  # [pixels] map size of the plain network
COLUMNS = tuple(range(6))
HEADER = ("ours", "maps a second", "plain float32", "times as fast", "of the fastest", "asked for")
# Relative tolerance of the first losses, for small batches too: see tests/helpers/tolerances.py.
# tfloat32 rounds factors to 2^-11, bfloat16 to 2^-9: the errors differ by a factor of four.
LOSS_RTOL = {"float32": 1e-4, "tfloat32": 1.5e-2, "bfloat16": 6e-2}
# Relative to the largest output. With random weights and hidden 1, bfloat16 errors reach 7e-2.
OUTPUT_RTOL = {"float32": 1e-5, "tfloat32": 0.04, "bfloat16": 0.15}
TARGETS = {
    ("training", "float32"): 3.2,
    ("training", "bfloat16"): 5.5,
    ("inference", "float32"): 3.0,
}


class Sizes(NamedTuple):
    """Sizes of the computation in one process."""

    batch: int
    hidden: int
    steps: int  # timed steps, after two that are not timed
    device: str
    compile: str

    @property
    def n_batches(self) -> int:
        """Number of training batches per process."""
        return self.steps + 2  # the first steps create the optimizer's state and touch all memory


# ---- common to both sides ----


def make_loader(sizes: Sizes, config: TrainingConfig) -> SplitLoaders:
    """Make noise maps with a contrast per map, in simulations of 15 maps."""
    n_maps = sizes.batch * sizes.n_batches
    rng, n_simulations = np.random.default_rng(20261124), -(-n_maps // 15)
    shape = (15 * n_simulations, SIDE, SIDE)
    maps = rng.standard_normal(shape, np.float32)
    maps *= rng.uniform(0.5, 1.5, (len(maps), 1, 1)).astype(np.float32)
    loader = MapLoader(
        [maps],
        rng.uniform((0.1, 0.6, 0.25, 0.25, 0.5, 0.5), (0.5, 1, 4, 4, 2, 2), (n_simulations, 6)),
        tuple(range(n_simulations)),
        Normalization(over="all", fields=("Mtot",), mean=(0.0,), std=(1.0,)),
        batch_size=sizes.batch,
        inferred=COLUMNS,
        **loader_options(config),
    )
    return SplitLoaders(train=loader, valid=loader, test=loader, causes={})


def make_config(sizes: Sizes, precision: str) -> TrainingConfig:
    """Return the published recipe at the given precision."""
    published = read_parameters("base", {"epochs": 1})["training"]
    here = {
        "batch_size": sizes.batch,
        "flips": True,
        "device": sizes.device,
        "precision": precision,
        "compile": sizes.compile,
        "resident": "never",
        "checkpoint_every": 0,
    }
    return TypeAdapter(TrainingConfig).validate_python(published | here)


# ---- one process ----


def child(side: str, sizes: Sizes) -> None:
    """Train and infer on one side; print times, losses, outputs and memory."""
    precision = "float32" if side == "plain" else side
    config, device = make_config(sizes, precision), choose_device(sizes.device)
    parameters = Hyperparameters(lr=1e-3, wd=1e-3, dr=0.0, hidden=sizes.hidden)
    if side != "plain":
        keep_freed_memory()
    data = make_loader(sizes, config)
    if side != "plain":
        with set_numerics(config.precision, benchmark=True):  # type: ignore[arg-type]
            found = run_ours(data, parameters, config, device)
    else:
        found = run_plain(data, parameters, config, device)
    if device.type == "cuda":
        found["device_memory"] = torch.cuda.max_memory_allocated(device) / 1e6
    say(json.dumps(found))


def first_network(
    data: SplitLoaders, parameters: Hyperparameters, config: TrainingConfig, device: torch.device
) -> nn.Module:
    """Build the network, with the same random weights in every process."""
    torch.manual_seed(1)
    return build_network(data, parameters, config, device)


def run_ours(
    data: SplitLoaders, parameters: Hyperparameters, config: TrainingConfig, device: torch.device
) -> dict[str, Any]:
    """Train as `train_network` does, time the parts of a step, and infer."""
    network = first_network(data, parameters, config, device).train()
    optimizer = make_optimizer(network, parameters, config)
    schedule = make_schedule(optimizer, parameters, config, n_steps=0)
    losses, seconds, clock = [], [], Clock(device)
    batches = on_device(data.train.random_epoch(1, 0, flips=True, shifts=False), device)
    with closing(batches):
        for step, batch in zip(range(len(data.train) // config.batch_size), batches, strict=False):
            losses.append(train_step(network, optimizer, batch, COLUMNS, step=step))
            schedule.step()
            seconds.append(clock.split())  # includes the wait for the batch
    memory = peak_memory()
    x = first_maps(data).to(device, memory_format=torch.channels_last)
    trained = fixed_network(data, parameters, device)
    folded = for_inference(trained, conv_dtype(config.precision))  # type: ignore[arg-type]
    return {
        "losses": losses,
        "training": seconds[2:],
        "memory": memory,
        "parts": time_parts(network, optimizer, data, device),
        **time_inference(folded, x, device),
    }


def run_plain(
    data: SplitLoaders, parameters: Hyperparameters, config: TrainingConfig, device: torch.device
) -> dict[str, Any]:
    """Train and infer with plain PyTorch; the time excludes loading of batches."""
    state = first_network(data, parameters, config, device).state_dict()
    network = PlainO3Err(parameters.hidden, 1).to(device).train()
    network.load_state_dict(state)
    del state
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=parameters.lr, betas=config.betas, weight_decay=parameters.wd
    )
    schedule = make_schedule(optimizer, parameters, config, n_steps=0)
    losses, seconds, clock = [], [], Clock(device)
    drawn = data.train.random_epoch(1, 0, flips=True, shifts=False)
    with closing(drawn) as batches:
        for _, batch in zip(range(len(data.train) // config.batch_size), batches, strict=False):
            x, theta = (torch.from_numpy(a.copy()).to(device) for a in (batch.x, batch.theta))
            clock.split()
            optimizer.zero_grad()
            output = network(x)
            loss = moment_loss(output[:, :6], output[:, 6:], theta)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            seconds.append(clock.split())
    memory = peak_memory()
    del optimizer, x, theta, output, loss
    network.zero_grad()
    network.load_state_dict(fixed_network(data, parameters, device).state_dict())
    timed = time_inference(network.eval(), first_maps(data).to(device), device)
    return {"losses": losses, "training": seconds[2:], "memory": memory, **timed}


def first_maps(data: SplitLoaders) -> Tensor:
    """Return a copy of the first batch in order."""
    with closing(data.train.ordered([0])) as batches:
        return torch.from_numpy(next(batches).x.copy())


def fixed_network(
    data: SplitLoaders, parameters: Hyperparameters, device: torch.device
) -> nn.Module:
    """Set random weights and batch statistics of a few maps, for inference on both sides."""
    torch.manual_seed(2)
    network = O3Err(parameters.hidden, 0.0, data.channels, data.map_size)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # statistics of this batch only
    with torch.no_grad():
        network.train()(first_maps(data)[:16])
    return network.to(device).eval()


def time_inference(network: nn.Module, x: Tensor, device: torch.device) -> dict[str, Any]:
    """Infer a batch three times; the first time is not counted."""
    seconds = []
    with torch.inference_mode():
        for _ in range(3):
            clock = Clock(device)
            output = network(x)
            seconds.append(clock.split())
    return {"inference": seconds[1:], "output": output.double().cpu().tolist()}


def time_parts(
    network: nn.Module, optimizer: torch.optim.Optimizer, data: SplitLoaders, device: torch.device
) -> dict[str, float]:
    """Time each part of the second of two steps [s], with synchronization in between."""
    parts: dict[str, float] = {}
    network.train()
    clock = Clock(device)
    batches = on_device(data.train.random_epoch(1, 1, flips=True, shifts=False), device)
    with closing(batches):
        for batch in first_of(batches, 2):
            parts["loading"] = clock.split()
            optimizer.zero_grad()
            mean, std = network(batch.x).chunk(2, dim=1)
            loss = moment_loss(mean, std, batch.theta)
            parts["forward"] = clock.split()
            loss.backward()  # type: ignore[no-untyped-call]
            parts["backward"] = clock.split()
            optimizer.step()
            parts["optimizer"] = clock.split()
    return parts


def first_of(batches: Iterator[DeviceBatch], n: int) -> Iterator[DeviceBatch]:
    """Return the first few values."""
    return (batch for _, batch in zip(range(n), batches, strict=False))


# ---- work and peak performance ----


def count_flops(hidden: int) -> tuple[float, float]:
    """Count floating-point operations per map of a forward pass and of a whole step."""
    with torch.device("meta"):
        network, x = O3Err(hidden, 0.0, 1, SIDE), torch.empty(2, 1, SIDE, SIDE)
    with FlopCounterMode(display=False) as counter:
        loss = network(x).sum()
        forward = counter.get_total_flops()
        loss.backward()
    return forward / len(x), counter.get_total_flops() / len(x)


# ---- all processes ----

Runs = dict[str, list[dict[str, Any]]]


def run_child(side: str, sizes: Sizes) -> dict[str, Any]:
    """Run one side in a separate process."""
    arguments = [f"--{name}={value}" for name, value in sizes._asdict().items()]
    command = [sys.executable, "-m", "benchmarks.training", f"--child={side}", *arguments]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{side}: exit status {done.returncode}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def precision_of(side: str, device: torch.device) -> str:
    """Name the precision of a side's convolutions; PyTorch's default on CUDA is tfloat32."""
    if side != "plain":
        return side
    return "tfloat32" if device.type == "cuda" else "float32"


def apart_at_most(limits: dict[str, float], side: str, device: torch.device) -> float:
    """Return the tolerance between a side and the plain one, from the coarser precision."""
    return max(limits[side], limits[precision_of("plain", device)])


def check_agreement(runs: Runs, device: torch.device) -> None:
    """Check that the first losses and the outputs equal those of the plain network."""
    (plain, *_) = runs["plain"]
    expected, largest = np.array(plain["output"]), np.abs(plain["output"]).max()
    for side, results in runs.items():
        if side == "plain":
            continue
        for result in results:
            losses = np.array(result["losses"])
            apart = float(np.abs(losses / plain["losses"] - 1).max())
            limit = apart_at_most(LOSS_RTOL, side, device)
            if not apart < limit:
                raise AssertionError(f"{side}: Expected losses within {limit:g}, got {apart:g}.")
            apart = float(np.abs(np.array(result["output"]) - expected).max() / largest)
            limit = apart_at_most(OUTPUT_RTOL, side, device)
            if not apart < limit:
                raise AssertionError(f"{side}: Expected outputs within {limit:g}, got {apart:g}.")


def times(runs: Runs, side: str, what: str, batch: int) -> Times:
    """Return the seconds per map of all steps of all processes."""
    return Times(tuple(seconds / batch for run in runs[side] for seconds in run[what]))


def format_speed(sample: Times) -> str:
    """Write median, spread and fastest, in maps per second."""
    return f"{1 / sample.median:.1f} +- {sample.spread * 100:.0f}% ({1 / sample.fastest:.1f})"


def speed_rows(runs: Runs, what: str, batch: int) -> list[tuple[str, ...]]:
    """Compare each side with the plain one."""
    plain = times(runs, "plain", what, batch)
    rows = []
    for side in runs.keys() - {"plain"}:
        ours = times(runs, side, what, batch)
        target = TARGETS.get((what, side))
        rows.append(
            (
                f"{what}, {side}",
                format_speed(ours),
                format_speed(plain),
                f"**{plain.median / ours.median:.2f}**",
                f"{plain.fastest / ours.fastest:.2f}",
                "" if target is None else f"{target:g}",
            )
        )
    return sorted(rows, reverse=True)


def work_rows(runs: Runs, sizes: Sizes) -> list[tuple[str, ...]]:
    """Report the parts of a step, its share of the peak and the memory of a process."""
    device = choose_device(sizes.device)
    _, step_flops = count_flops(sizes.hidden)
    rows = []
    for side, results in runs.items():
        peak = measure_peak(device, precision_of(side, device))
        speed = step_flops / times(runs, side, "training", sizes.batch).fastest
        parts = results[-1].get("parts", {})
        memory = max(result.get("device_memory", result["memory"]) for result in results)
        rows.append(
            (
                side,
                f"{speed / 1e9:.0f}",
                f"{peak / 1e9:.0f}",
                f"{speed / peak * 100:.0f}%",
                ", ".join(f"{name} {value:.3g}" for name, value in parts.items()),
                f"{memory / 1e3:.2f}",
            )
        )
    return rows


def check_memory(runs: Runs) -> None:
    """Check that training needs at most the plain network's memory (on a GPU, device memory)."""
    largest = {
        side: max(result.get("device_memory", result["memory"]) for result in results)
        for side, results in runs.items()
    }
    for side, memory in largest.items():
        if memory > largest["plain"]:
            raise AssertionError(
                f"{side}: Expected at most the plain network's {largest['plain']:.0f} MB, "
                f"got {memory:.0f} MB."
            )


def report(section: Section, runs: Runs, sizes: Sizes) -> None:
    """Write the tables."""
    forward, step = count_flops(sizes.hidden)
    device = choose_device(sizes.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "the processor"
    n_threads = torch.get_num_threads()
    section.add(
        "",
        f"`o3_err` with hidden {sizes.hidden} on batches of {sizes.batch} maps of {SIDE} x {SIDE}, on "
        f"{name} ({n_threads} threads), {len(runs['plain'])} alternating processes per side. Maps per "
        "second: median, half the interquartile range, fastest. The first losses agree to "
        f"{apart_at_most(LOSS_RTOL, 'float32', device):g} (float32 against the plain network in "
        f"{precision_of('plain', device)}).",
        "",
        *markdown_table(
            HEADER,
            [
                row
                for what in ("training", "inference")
                for row in speed_rows(runs, what, sizes.batch)
            ],
        ),
        "",
        f"One map costs {forward / 1e9:.2f} GFLOP forward and {step / 1e9:.2f} GFLOP per step. The share "
        "of the peak compares the fastest step with a product of large matrices in the same precision.",
        "",
        *markdown_table(
            (
                "side",
                "GFLOP per second",
                "peak",
                "share",
                "parts of a step [s]",
                "peak memory of training [GB]",
            ),
            work_rows(runs, sizes),
        ),
    )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = options(__doc__ or "")
    parser.add_argument("--batch", type=int, default=128, help="maps per batch")
    parser.add_argument(
        "--hidden", type=int, default=6, help="half the channels of the first block"
    )
    parser.add_argument("--steps", type=int, default=3, help="timed steps per process")
    parser.add_argument("--processes", type=int, default=3, help="processes per side")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--compile", default="auto", help="auto, never or always")
    parser.add_argument("--sides", default="float32,bfloat16", help="precisions to compare")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run all sides alternately, check their results and report."""
    arguments = parse()
    if arguments.quick:
        arguments.batch, arguments.hidden, arguments.steps, arguments.processes = 16, 1, 2, 1
        # threads do not help for so little work, and are slow on shared cores
        os.environ["OMP_NUM_THREADS"] = "1"  # for the child processes
        torch.set_num_threads(1)
    sizes = Sizes(*(getattr(arguments, name) for name in Sizes._fields))
    if arguments.child:
        child(arguments.child, sizes)
        return
    runs: Runs = {side: [] for side in ("plain", *arguments.sides.split(","))}
    for _ in range(arguments.processes):
        for side, results in runs.items():
            results.append(run_child(side, sizes))
    section = Section("benchmarks/training.py")
    report(section, runs, sizes)  # before the checks, so that minutes of work are not lost
    check_agreement(runs, choose_device(sizes.device))
    if not arguments.quick:  # for few small maps the loader's buffers dominate
        check_memory(runs)
    if arguments.report:
        say(f"Report: {write_report(section)}")


if __name__ == "__main__":
    main()
