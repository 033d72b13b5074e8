"""Time training and inference against plain PyTorch: the same weights, maps and losses.

Run ``python -m benchmarks.training`` in the repository, on a CPU or a GPU. ``--quick`` takes
seconds and only checks the results. Every sample is a separate process, and the sides alternate.

A side is named by words joined by "-": ``plain``, ``lightning`` or neither; the precision; then
``padded`` and ``compiled``. The plain side is tests/reference/plain_o3_err.py with PyTorch's
defaults for padding, memory layout, optimizer, precision and allocator; in bfloat16, under autocast.
Lightning trains the same network from a DataLoader. The others are the path of `train_network`,
including the loader.

On CUDA, all sides are measured once, within 220 s; those without a result are named. First, all
compiled sides run at once, untimed, to fill the cache of `torch.compile`.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from benchmarks.device import Clock, gpu, measure_bandwidth, measure_peak
from benchmarks.measure import Section, Times, markdown_table, options, say, write_report
from benchmarks.padded_channels import pad_channels
from benchmarks.preprocess import peak_memory
from benchmarks.roofline import Layers, Speed, bounds, count_step
from benchmarks.roofline import Sizes as StepSizes
from multifield.config.loader import read_parameters
from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.data import MapLoader, Normalization, SplitLoaders
from multifield.models import O3Err, for_inference
from multifield.training import (
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
N_FIRST = 2  # steps that are not timed: they compile, tune, create the optimizer's state
COLUMNS = tuple(range(6))
HEADER = ("ours", "maps a second", "plain float32", "times as fast", "of the fastest", "asked for")
# Relative tolerance of the first losses, for small batches too: see tests/helpers/tolerances.py.
# tfloat32 rounds factors to 2^-11, bfloat16 to 2^-9: the errors differ by a factor of four.
LOSS_RTOL = {"float32": 1e-4, "tfloat32": 1.5e-2, "bfloat16": 6e-2}
# Relative to the largest output. With random weights and hidden 1, bfloat16 errors reach 7e-2.
OUTPUT_RTOL = {"float32": 1e-5, "tfloat32": 0.04, "bfloat16": 0.15}
# The first are of a CPU, the second of a GPU.
TARGETS = {
    "cpu": {
        ("training", "float32"): 3.2,
        ("training", "bfloat16"): 5.5,
        ("inference", "float32"): 3.0,
    },
    "cuda": {("training", "bfloat16-compiled"): 10, ("inference", "bfloat16"): 5},
}
FEW = "plain,float32,bfloat16"
# for runs that end early, in the order of interest
ALL = ",".join(
    (
        *("plain", "bfloat16", "bfloat16-compiled", "bfloat16-padded-compiled", "float32"),
        *("bfloat16-padded", "float32-compiled", "plain-bfloat16", "plain-bfloat16-compiled"),
        *("plain-compiled", "lightning-bfloat16", "lightning-float32"),
    )
)
WORK_HEADER = (
    *("side", "GFLOP per second", "share of the peak", "bound [maps/s]", "share of the bound"),
    *("bound, fused [maps/s]", "parts of a step [s]", "first step [s]"),
    *("memory, first steps [GB]", "memory [GB]"),
)
ROOT = Path(__file__).parents[1]
FAILED = "an error, "
ENOUGH = 5  # [s] in which a process can give a result


class Side(NamedTuple):
    """What is timed."""

    loop: str  # ours, plain or lightning
    precision: str  # float32 of plain PyTorch is tfloat32 on CUDA, in convolutions
    padded: bool
    compiled: bool

    @classmethod
    def named(cls, name: str) -> "Side":
        """Read a name, such as bfloat16-padded-compiled."""
        words = name.split("-")
        loop = next((word for word in words if word in ("plain", "lightning")), "ours")
        precision = next((word for word in words if word in LOSS_RTOL), "float32")
        unknown = set(words) - {loop, precision, "padded", "compiled"}
        if unknown or ("padded" in words and loop != "ours"):
            raise ValueError(f"--sides: Expected names such as those of {ALL}, got {name!r}.")
        return cls(loop, precision, "padded" in words, "compiled" in words)


class Sizes(NamedTuple):
    """Sizes of the computation in one process."""

    batch: int
    hidden: int
    steps: int  # timed steps, after two that are not timed
    device: str
    traced: int  # 1: compiled sides are traced, but no code is generated

    @property
    def n_batches(self) -> int:
        """Number of training batches per process."""
        return self.steps + N_FIRST


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


def make_config(sizes: Sizes, side: Side) -> TrainingConfig:
    """Return the published recipe in the precision of a side."""
    published = read_parameters("base", {"epochs": 1})["training"]
    here = {
        "batch_size": sizes.batch,
        "flips": True,
        "device": sizes.device,
        "precision": side.precision,
        "compile": "always" if side.compiled else "never",
        "resident": "never",
        "checkpoint_every": 0,
    }
    return TypeAdapter(TrainingConfig).validate_python(published | here)


# ---- one process ----


def child(side: Side, sizes: Sizes) -> dict[str, Any]:
    """Train and infer on one side; return times [s], losses, outputs and memory [MB]."""
    config, device = make_config(sizes, side), choose_device(sizes.device)
    parameters = Hyperparameters(lr=1e-3, wd=1e-3, dr=0.0, hidden=sizes.hidden)
    if side.loop == "ours":
        keep_freed_memory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    data = make_loader(sizes, config)
    within: AbstractContextManager[object] = nullcontext()
    if sizes.traced:  # code for a CPU takes a minute
        within = torch.compiler.set_stance("default", force_backend="eager")
    with within:
        if side.loop == "ours":
            with set_numerics(config.precision, benchmark=True):  # type: ignore[arg-type]
                return run_ours(data, parameters, config, device, padded=side.padded)
        return run_plain(data, parameters, config, device, side)


def memory_of(device: torch.device) -> float:
    """Return the most memory of a process, on CUDA of the device, until now [MB]."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return peak_memory()


class Steps:
    """Losses and times of steps, and the memory of the first and the later ones."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._clock = device, Clock(device)
        self.losses: list[float] = []
        self.seconds: list[float] = []
        self._first_memory = 0.0

    def begin(self) -> None:
        """Start the time of a step, if it does not follow the last one."""
        self._clock.split()

    def end(self, loss: float) -> None:
        """Record a step."""
        self.losses.append(loss)
        self.seconds.append(self._clock.split())
        if len(self.seconds) == N_FIRST:
            self._first_memory = memory_of(self._device)
            if self._device.type == "cuda":  # what cuDNN and the compiler needed to try is over
                torch.cuda.reset_peak_memory_stats(self._device)

    def found(self) -> dict[str, Any]:
        """Return everything; call it before anything else uses memory."""
        return {
            "losses": self.losses,
            "first": self.seconds[0],
            "training": self.seconds[N_FIRST:],
            "first_memory": self._first_memory,
            "memory": memory_of(self._device),
        }


def first_network(
    data: SplitLoaders, parameters: Hyperparameters, config: TrainingConfig, device: torch.device
) -> nn.Module:
    """Build the network, with the same random weights in every process."""
    torch.manual_seed(1)
    return build_network(data, parameters, config, device)


def run_ours(
    data: SplitLoaders,
    parameters: Hyperparameters,
    config: TrainingConfig,
    device: torch.device,
    *,
    padded: bool,
) -> dict[str, Any]:
    """Train as `train_network` does, time the parts of a step, and infer."""
    network = first_network(data, parameters, config, device).train()
    if padded:
        pad_channels(network)
    optimizer = make_optimizer(network, parameters, config)
    schedule = make_schedule(optimizer, parameters, config, n_steps=0)
    batches = on_device(data.train.random_epoch(1, 0, flips=True, shifts=False), device)
    steps = Steps(device)
    with closing(batches):
        for step, batch in enumerate(islice(batches, len(data.train) // config.batch_size)):
            loss = train_step(network, optimizer, batch, COLUMNS, step=step)
            schedule.step()
            steps.end(loss)  # includes the wait for the batch
    found = steps.found()
    if config.compile == "always":
        return found
    x = first_maps(data).to(device, memory_format=torch.channels_last)
    trained = fixed_network(data, parameters, device)
    if padded:
        pad_channels(trained)
    folded = for_inference(trained, conv_dtype(config.precision))  # type: ignore[arg-type]
    parts = time_parts(network, optimizer, data, device)
    return {**found, "parts": parts, **time_inference(folded, x, device)}


def run_plain(
    data: SplitLoaders,
    parameters: Hyperparameters,
    config: TrainingConfig,
    device: torch.device,
    side: Side,
) -> dict[str, Any]:
    """Train with plain PyTorch or Lightning, and infer with plain PyTorch."""
    state = first_network(data, parameters, replace(config, compile="never"), device).state_dict()
    network = PlainO3Err(parameters.hidden, 1).to(device).train()
    network.load_state_dict(state)
    del state
    if side.compiled:
        network.compile()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=parameters.lr, betas=config.betas, weight_decay=parameters.wd
    )
    schedule = make_schedule(optimizer, parameters, config, n_steps=0)
    steps = Steps(device)
    if side.loop == "lightning":
        from benchmarks.lightning_loop import fit  # an optional package

        fit(network, optimizer, schedule, data.train, config, device, steps)
        return steps.found()
    train_plain(network, optimizer, schedule, data, config, device, steps)
    found = steps.found()
    if side.compiled:
        return found
    del optimizer
    network.zero_grad()
    network.load_state_dict(fixed_network(data, parameters, device).state_dict())
    with torch.autocast(device.type, torch.bfloat16, enabled=side.precision == "bfloat16"):
        return found | time_inference(network.eval(), first_maps(data).to(device), device)


def train_plain(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    data: SplitLoaders,
    config: TrainingConfig,
    device: torch.device,
    steps: Steps,
) -> None:
    """Train with plain PyTorch; the time excludes loading of batches."""
    drawn = data.train.random_epoch(1, 0, flips=True, shifts=False)
    with closing(drawn) as batches:
        for batch in islice(batches, len(data.train) // config.batch_size):
            x, theta = (torch.from_numpy(a.copy()).to(device) for a in (batch.x, batch.theta))
            steps.begin()
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, config.precision == "bfloat16"):
                output = network(x)
            loss = moment_loss(*output.float().chunk(2, dim=1), theta)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            steps.end(loss.item())


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
        for batch in islice(batches, 2):
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


# ---- work and bounds ----


@cache
def work_of(sizes: Sizes, precision: str, *, padded: bool) -> Layers:
    """Count the work of a step of this package, uncompiled."""
    return count_step(StepSizes(sizes.hidden, SIDE, sizes.batch, precision, padded))


@cache
def speed_of(device: torch.device, precision: str) -> Speed:
    """Measure the speed of a device."""
    return Speed(measure_bandwidth(device), measure_peak(device, precision))


# ---- all processes ----

Runs = dict[str, list[dict[str, Any]]]


def command_of(name: str, sizes: Sizes) -> list[str]:
    """Return the command of a process that runs one side."""
    arguments = [f"--{field}={value}" for field, value in sizes._asdict().items()]
    return [sys.executable, "-m", "benchmarks.training", f"--child={name}", *arguments]


def run_side(name: str, sizes: Sizes, seconds: float) -> dict[str, Any]:
    """Run one side in a separate process, which takes seconds to start; in this one to check it."""
    if sizes.traced:
        return child(Side.named(name), sizes)
    done = subprocess.run(
        command_of(name, sizes),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=None if math.isinf(seconds) else seconds,
    )
    if done.returncode:
        raise RuntimeError(f"{name}: exit status {done.returncode}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def fill_cache(names: list[str], sizes: Sizes, seconds: float) -> None:
    """Run all compiled sides at once, untimed, which store what they compile."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    deadline = time.monotonic() + seconds
    processes = [
        subprocess.Popen(command_of(name, sizes._replace(steps=0)), cwd=ROOT, **quiet)
        for name in names
        if Side.named(name).compiled
    ]
    for side in map(Side.named, names):
        work_of(sizes, side.precision, padded=side.padded)  # meanwhile
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def run_all(
    names: list[str], sizes: Sizes, n_processes: int, seconds: float
) -> tuple[Runs, dict[str, str]]:
    """Run the sides alternately; return their results, and why others have none."""
    deadline = time.monotonic() + seconds
    if choose_device(sizes.device).type == "cuda" and not sizes.traced:
        fill_cache(names, sizes, seconds / 2)
    runs: Runs = {}
    missing: dict[str, str] = {}
    if find_spec("lightning") is None:
        absent = [name for name in names if Side.named(name).loop == "lightning"]
        missing = dict.fromkeys(absent, "Lightning is absent")
    for name in (each for each in names * n_processes if each not in missing):
        left = deadline - time.monotonic()
        if left < ENOUGH:
            missing[name] = "no time was left"
            continue
        try:
            runs.setdefault(name, []).append(run_side(name, sizes, left))
        except subprocess.TimeoutExpired:
            missing[name] = f"no result within {left:.0f} s"
        except RuntimeError as error:
            missing[name] = FAILED + str(error).strip().splitlines()[-1]
    return {name: results for name, results in runs.items() if results}, missing


def precision_of(name: str, device: torch.device) -> str:
    """Name the precision of a side's convolutions; PyTorch's default on CUDA is tfloat32."""
    side = Side.named(name)
    if side.loop != "ours" and side.precision == "float32" and device.type == "cuda":
        return "tfloat32"
    return side.precision


def apart_at_most(limits: dict[str, float], side: str, device: torch.device) -> float:
    """Return the tolerance between a side and the plain one, from the coarser precision."""
    return max(limits[precision_of(side, device)], limits[precision_of("plain", device)])


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
            if "output" not in result:
                continue
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


def speed_rows(runs: Runs, what: str, sizes: Sizes) -> list[tuple[str, ...]]:
    """Compare each side with the plain one."""
    plain = times(runs, "plain", what, sizes.batch)
    targets = TARGETS[choose_device(sizes.device).type]
    rows = []
    for side, (first, *_) in runs.items():
        if side == "plain" or what not in first:
            continue
        ours = times(runs, side, what, sizes.batch)
        target = targets.get((what, side))
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
    return rows


def work_rows(runs: Runs, sizes: Sizes) -> list[tuple[str, ...]]:
    """Report the share of the peak and of the bounds, the parts of a step and the memory."""
    device = choose_device(sizes.device)
    flops = work_of(sizes, "float32", padded=False).all().flops / sizes.batch
    rows = []
    for name, results in runs.items():
        speed = speed_of(device, precision_of(name, device))
        maps_per_second = 1 / times(runs, name, "training", sizes.batch).fastest
        parts = results[-1].get("parts", {})
        rows.append(
            (
                name,
                f"{maps_per_second * flops / 1e9:.0f}",
                f"{maps_per_second * flops / speed.peak:.0%}",
                *bound_cells(Side.named(name), sizes, speed, maps_per_second),
                ", ".join(f"{part} {value:.3g}" for part, value in parts.items()),
                f"{max(result['first'] for result in results):.1f}",
                *(
                    f"{max(result[memory] for result in results) / 1e3:.2f}"
                    for memory in ("first_memory", "memory")
                ),
            )
        )
    return rows


def bound_cells(
    side: Side, sizes: Sizes, speed: Speed, maps_per_second: float
) -> tuple[str, str, str]:
    """Compare a speed with the bounds of its step; those of plain PyTorch are not counted."""
    if side.loop != "ours":
        return "", "", ""
    layers = work_of(sizes, side.precision, padded=side.padded)
    bound = bounds(layers, sizes.batch, speed)
    share = f"{maps_per_second / bound.executed:.0%}"
    return f"{bound.executed:.0f}", share, f"{bound.fused:.0f}"


def check_memory(runs: Runs) -> None:
    """Check that training needs at most the plain network's memory (on a GPU, device memory)."""
    largest = {side: max(each["memory"] for each in results) for side, results in runs.items()}
    for side, memory in largest.items():
        if Side.named(side).loop == "ours" and memory > largest["plain"]:
            raise AssertionError(
                f"{side}: Expected at most the plain network's {largest['plain']:.0f} MB, "
                f"got {memory:.0f} MB."
            )


def report(section: Section, runs: Runs, missing: Mapping[str, str], sizes: Sizes) -> None:
    """Write the tables."""
    layers = work_of(sizes, "float32", padded=False)
    step = layers.all().flops / sizes.batch / 1e9
    device = choose_device(sizes.device)
    bandwidth = speed_of(device, "float32").bandwidth / 1e9
    n_threads = torch.get_num_threads()
    rows = [row for what in ("training", "inference") for row in speed_rows(runs, what, sizes)]
    section.add(
        "",
        f"`o3_err` with hidden {sizes.hidden} on batches of {sizes.batch} maps of {SIDE} x {SIDE}, on "
        f"{gpu(device) or 'the processor'} ({n_threads} threads), {len(runs['plain'])} alternating "
        "processes per side. Maps per second: median, half the interquartile range, fastest. The "
        f"first losses agree to {apart_at_most(LOSS_RTOL, 'float32', device):g} (float32 against the "
        f"plain network in {precision_of('plain', device)}).",
        "",
        *markdown_table(HEADER, rows),
        "",
        f"One map costs {step:.2f} GFLOP per step. The share of the peak compares the fastest step with "
        "a product of large matrices in the same precision. The bounds are those of "
        f"`benchmarks/roofline.py` for the {bandwidth:.0f} GB/s of a copy, uncompiled and with one "
        f"kernel per layer. The first step compiles. Memory is that of the first {N_FIRST} steps, and "
        "of the others.",
        "",
        *markdown_table(WORK_HEADER, work_rows(runs, sizes)),
    )
    if missing:
        section.add("", *(f"- {side} was not measured: {why}." for side, why in missing.items()))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = options(__doc__ or "")
    parser.add_argument("--batch", type=int, default=128, help="maps per batch")
    parser.add_argument(
        "--hidden", type=int, default=6, help="half the channels of the first block"
    )
    parser.add_argument("--steps", type=int, help="timed steps per process")
    parser.add_argument("--processes", type=int, help="processes per side")
    parser.add_argument("--seconds", type=float, help="time for all sides [s]")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--sides", help=f"sides to compare with plain, such as {FEW}, or all")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--traced", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def choose_defaults(arguments: argparse.Namespace) -> None:
    """Set what is not given: for a GPU, what takes less than four minutes."""
    on_gpu = choose_device(arguments.device).type == "cuda"
    if arguments.quick:
        arguments.batch, arguments.hidden, arguments.steps, arguments.processes = 8, 1, 2, 1
        arguments.sides, arguments.traced = arguments.sides or "all", 1
        # threads do not help for so little work, and are slow on shared cores
        torch.set_num_threads(1)
    chosen = {
        "sides": "all" if on_gpu else FEW,
        "steps": 10 if on_gpu else 3,
        "processes": 1 if on_gpu else 3,
        "seconds": 220.0 if on_gpu else math.inf,
    }
    for name, value in chosen.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)


def main() -> None:
    """Run all sides alternately, check their results and report."""
    arguments = parse()
    choose_defaults(arguments)
    sizes = Sizes(*(getattr(arguments, name) for name in Sizes._fields))
    if arguments.child:
        say(json.dumps(child(Side.named(arguments.child), sizes)))
        return
    sides = ALL if arguments.sides == "all" else arguments.sides
    names = list(dict.fromkeys(("plain", *sides.split(","))))
    runs, missing = run_all(names, sizes, arguments.processes, arguments.seconds)
    if "plain" not in runs:
        raise RuntimeError(f"plain: Expected results to compare with. {missing['plain']}")
    section = Section("benchmarks/training.py")
    device = choose_device(sizes.device)
    report(section, runs, missing, sizes)  # before the checks, so that minutes of work are not lost
    if arguments.report:
        say(f"Report: {write_report(section, gpu(device))}")
    check_agreement(runs, device)
    if not arguments.quick:  # for few small maps the loader's buffers dominate
        check_memory(runs)
    if any(why.startswith(FAILED) for why in missing.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
