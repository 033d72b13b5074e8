"""Bound the time of a training step by bytes and operations, per layer, beside measured times.

Run ``python -m benchmarks.roofline`` in the repository, on a CPU or a GPU, for instance with
``--batch 8`` on a CPU. Bandwidth and peak are measured unless they are given. ``--device none``
needs both and only counts, at any size in seconds. ``--quick`` compares the counts with numbers
derived by hand.

A layer is a convolution or linear layer with what follows it. Bytes are those of the inputs and
outputs of each operation of PyTorch, uncompiled, as if nothing stayed in a cache in between.
Operations are those of convolutions and matrix products. "Fused" is the bound for one kernel per
layer and pass, which reads and writes activations once.
"""

import argparse
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import DeviceType
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.device import Clock, gpu, measure_bandwidth, measure_peak
from benchmarks.measure import Section, markdown_table, options, say, write_report
from benchmarks.padded_channels import pad_channels
from multifield.models import O3Err
from multifield.training import choose_device, moment_loss
from multifield.training.precision import conv_dtype, set_numerics

N_STEPS = 3  # timed, after one that is not
HEADER = (
    *("layer", "stage", "MB", "MB, fused", "GFLOP", "bound [ms]", "bound, fused [ms]"),
    "measured [ms]",
)


class Part(NamedTuple):
    """Part of a step that is counted and timed."""

    layer: str
    stage: str  # forward, backward or update


class Speed(NamedTuple):
    """Speed of a device."""

    bandwidth: float  # [bytes/s]
    peak: float  # [FLOP/s]


@dataclass
class Work:
    """Bytes and floating-point operations."""

    n_bytes: float = 0.0
    flops: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.n_bytes + other.n_bytes, self.flops + other.flops)

    def bound(self, speed: Speed) -> float:
        """Return the shortest time of one kernel that does it [s]."""
        return max(self.n_bytes / speed.bandwidth, self.flops / speed.peak)


# ---- what is executed ----


class Layers(TorchDispatchMode):
    """Assign the operations of a step to layers: count them, and label them for the profiler.

    Operations before the first layer belong to `input`. Set `layer` for what follows the network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.operations: dict[Part, list[tuple[str, Work]]] = defaultdict(list)
        self.fused: dict[Part, int] = {}  # [bytes]
        self._kept: dict[int, torch.UntypedStorage] = {}
        self._first_nodes: list[int] = []
        self._layers: list[str] = []
        self.layer = "input"
        network.register_forward_pre_hook(self._start)
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_pre_hook(partial(self._enter, name))
                module.register_forward_hook(partial(self._count_fused, name))

    @property
    def layer(self) -> str:
        """Layer whose forward pass runs."""
        return self._layers[-1]

    @layer.setter
    def layer(self, name: str) -> None:
        # autograd numbers its nodes in the order of the forward pass
        self._first_nodes.append(torch.autograd._get_sequence_nr())  # type: ignore[attr-defined]
        self._layers.append(name)

    def _start(self, _: nn.Module, inputs: tuple[Tensor]) -> None:
        self._written, self._is_first = inputs[0].nbytes, True

    def _enter(self, name: str, *_: object) -> None:
        self.layer = name

    def _count_fused(self, name: str, module: nn.Module, _: object, y: Tensor) -> None:
        x_bytes, self._written = self._written, y.nbytes  # without padding
        weights = sum(parameter.nbytes for parameter in module.parameters())
        self.fused[Part(name, "forward")] = x_bytes + y.nbytes + weights
        # read the gradient and the saved input and output; write the gradient of the input
        x_gradient = 0 if self._is_first else x_bytes
        self.fused[Part(name, "backward")] = x_bytes + 2 * y.nbytes + x_gradient + 2 * weights
        self._is_first = False

    def total(self, part: Part) -> Work:
        """Return the work of a part."""
        return sum((work for _, work in self.operations.get(part, ())), Work())

    def keep(self, tensor: Tensor) -> Tensor:
        """Record a tensor that is kept for the backward pass."""
        storage = tensor.untyped_storage()
        self._kept[storage._cdata] = storage
        return tensor

    @property
    def kept(self) -> int:
        """Memory that is kept for the backward pass, including weights [bytes]."""
        return sum(storage.nbytes() for storage in self._kept.values())

    def all(self) -> Work:
        """Return the work of the whole step."""
        return sum((self.total(part) for part in self.operations), Work())

    def _part(self) -> Part:
        node = torch._C._current_autograd_node()
        if node is None:
            return Part(self.layer, "update" if self.layer == "optimizer" else "forward")
        if node.name().endswith("AccumulateGrad"):
            return Part("gradients", "backward")
        index = bisect_right(self._first_nodes, node._sequence_nr()) - 1
        return Part(self._layers[index], "backward")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace != "aten":
            return func(*args, **kwargs)
        part = self._part()
        with record_function(label(part)):
            out = func(*args, **kwargs)
        if (work := count(func, args, kwargs, out)) != Work():
            self.operations[part].append((func.overloadpacket.__name__, work))
        return out


def label(part: Part) -> str:
    """Return the name of a part for the profiler."""
    return f"{part.layer} {part.stage}"


def count(func: Any, args: Any, kwargs: Any, out: Any) -> Work:
    """Count the work of one operation: inputs are read once, outputs are written once."""
    name = func.overloadpacket.__name__
    returns = [each.alias_info for each in func._schema.returns]
    is_view = any(alias is not None and not alias.is_write for alias in returns)
    if is_view or name.startswith(("empty", "new_empty")) or name == "detach":
        return Work()
    n_bytes = 0
    for position, argument in enumerate(func._schema.arguments):
        value = args[position] if position < len(args) else kwargs.get(argument.name)
        writes = argument.alias_info is not None and argument.alias_info.is_write
        # in place, it is read and written, except by those that only write
        only_writes = argument.is_out or name in ("copy_", "fill_", "zero_")
        n_bytes += size(value) * (2 if writes and not only_writes else 1)
    if all(alias is None for alias in returns):  # else the output is an argument
        n_bytes += size(out)
    formula = flop_registry.get(func.overloadpacket)
    return Work(n_bytes, formula(*args, **kwargs, out_val=out) if formula else 0)


def size(values: Any) -> int:
    """Return the bytes of all tensors in a nested value. Repeated elements count once."""
    return sum(
        each.element_size() * numel_stored(each)
        for each in tree_leaves(values)
        if isinstance(each, Tensor)
    )


def numel_stored(x: Tensor) -> int:
    """Return the number of elements of a tensor that has not been expanded."""
    n = 1
    for length, stride in zip(x.shape, x.stride(), strict=True):
        n *= length if stride or not length else 1
    return n


# ---- a step ----


class Sizes(NamedTuple):
    """Sizes of a step."""

    hidden: int
    size: int
    batch: int
    precision: str
    padded: bool


class Step:
    """Training step of the published network on random maps, as in `train_network`."""

    def __init__(self, sizes: Sizes) -> None:
        self.network: nn.Module = O3Err(sizes.hidden, 0.0, 1, sizes.size)
        if sizes.padded:
            pad_channels(self.network)
        self.network.conv_dtype = conv_dtype(sizes.precision)  # type: ignore[arg-type, assignment]
        self._optimizer = torch.optim.AdamW(self.network.parameters(), fused=True)
        self._x = torch.randn(sizes.batch, 1, sizes.size, sizes.size)
        self._theta = torch.rand(sizes.batch, 6)

    def to(self, device: torch.device) -> "Step":
        """Move it to a device."""
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._x = self._x.to(device, memory_format=torch.channels_last)
        self._theta = self._theta.to(device)
        return self

    def run(self, layers: Layers | None = None) -> None:
        """Make one step, within `layers` if they are given."""
        within: AbstractContextManager[object] = layers or nullcontext()
        self._optimizer.zero_grad()
        with within:
            mean, std = self.network(self._x).chunk(2, dim=1)
            if layers:
                layers.layer = "loss"
            loss = moment_loss(mean, std, self._theta)
            loss.backward()  # type: ignore[no-untyped-call]
            if layers:
                layers.layer = "optimizer"
            self._optimizer.step()


def count_step(sizes: Sizes) -> Layers:
    """Count the work of a step without computing it."""
    # the operations of a CPU are those of CUDA, except in batch normalization, where they read the
    # input once more for the statistics; CUDA's kernels do so too
    with FakeTensorMode():
        step = Step(sizes)
        step.run()  # creates the optimizer's state
        layers = Layers(step.network)
        with saved_tensors_hooks(layers.keep, lambda tensor: tensor):
            step.run(layers)
    return layers


def time_step(sizes: Sizes, device: torch.device) -> tuple[float, dict[Part, float]]:
    """Measure the time of a step [s], and with the profiler that of each part."""
    with set_numerics(sizes.precision, benchmark=True):  # type: ignore[arg-type]
        step = Step(sizes).to(device)
        step.run()
        seconds, clock = [], Clock(device)
        for _ in range(N_STEPS):
            step.run()
            seconds.append(clock.split())
        layers = Layers(step.network)
        activities = [ProfilerActivity.CPU]
        if device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        with profile(activities=activities) as profiled:
            step.run(layers)
            clock.split()  # wait for pending work
    parts = {label(part): part for part in layers.operations}
    times: dict[Part, float] = defaultdict(float)
    for event in profiled.events():  # type: ignore[no-untyped-call]
        if event.name in parts and event.device_type == DeviceType.CPU:
            on_gpu = device.type == "cuda"
            microseconds = event.device_time_total if on_gpu else event.cpu_time_total
            times[parts[event.name]] += microseconds / 1e6
    return min(seconds), times


# ---- checks ----


def check_counts() -> None:
    """Compare counts with numbers derived by hand, and those without computation with real ones."""
    check_convolution()
    sizes = Sizes(hidden=1, size=32, batch=4, precision="float32", padded=False)
    step = Step(sizes).to(torch.device("cpu"))
    step.run()
    layers = Layers(step.network)
    step.run(layers)
    counted = count_step(sizes)
    for part in layers.operations.keys() | counted.operations.keys():
        expect(label(part), counted.total(part), layers.total(part))


def check_convolution() -> None:
    """Count one convolution and LeakyReLU of float32, 4 bytes per value."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LeakyReLU(0.2, inplace=True))
    layers = Layers(network)
    x, gradient = torch.randn(2, 3, 10, 10), torch.randn(2, 8, 8, 8)
    with layers:
        network(x).backward(gradient)
    forward, backward = Part("0", "forward"), Part("0", "backward")
    n_x, n_weights, n_biases, n_y = 2 * 3 * 10 * 10, 8 * 3 * 3 * 3, 8, 2 * 8 * 8 * 8
    # reads maps, weights and biases, writes the output, which LeakyReLU reads and writes
    read, written = n_x + n_weights + n_biases + n_y, 2 * n_y
    flops = 2 * n_y * 3 * 3 * 3  # a product and a sum
    expect("forward", layers.total(forward), Work(4 * (read + written), flops))
    # the gradient of LeakyReLU reads a gradient and the output; that of the convolution reads the
    # result, the maps and the weights. The maps need no gradient
    read, written = 2 * n_y + n_y + n_x + n_weights, n_y + n_weights + n_biases
    expect("backward", layers.total(backward), Work(4 * (read + written), flops))
    parameters = n_weights + n_biases
    expect("fused", layers.fused[forward], 4 * (n_x + n_y + parameters))
    fused = n_x + 2 * n_y + 2 * parameters
    expect("fused", layers.fused[backward], 4 * fused)


def expect(what: str, found: object, expected: object) -> None:
    """Raise an error if a count is not the expected one."""
    if found != expected:
        raise AssertionError(f"{what}: Expected {expected}, got {found}.")


# ---- the report ----


def bound_executed(layers: Layers, part: Part, speed: Speed) -> float:
    """Return the shortest time of a part with one kernel per operation [s]."""
    return sum(work.bound(speed) for _, work in layers.operations[part])


def bound_fused(layers: Layers, part: Part, speed: Speed) -> float:
    """Return the shortest time of a part with one kernel [s]."""
    if part not in layers.fused:  # loss and optimizer
        return bound_executed(layers, part, speed)
    return Work(layers.fused[part], layers.total(part).flops).bound(speed)


class Bounds(NamedTuple):
    """Bounds of the speed of a step [maps/s]."""

    executed: float
    fused: float


def bounds(layers: Layers, batch: int, speed: Speed) -> Bounds:
    """Bound the speed of a whole step."""
    return Bounds(
        *(
            batch / sum(bound(layers, part, speed) for part in layers.operations)
            for bound in (bound_executed, bound_fused)
        )
    )


def part_rows(
    layers: Layers, batch: int, speed: Speed, times: dict[Part, float]
) -> Iterable[tuple[str, ...]]:
    """Describe each part, in the order of execution."""
    for part in layers.operations:
        work = layers.total(part)
        yield (
            *part,
            f"{work.n_bytes / batch / 1e6:.3f}",
            f"{layers.fused[part] / batch / 1e6:.3f}" if part in layers.fused else "",
            f"{work.flops / batch / 1e9:.4f}",
            f"{bound_executed(layers, part, speed) * 1e3:.3f}",
            f"{bound_fused(layers, part, speed) * 1e3:.3f}",
            f"{times[part] * 1e3:.3f}" if part in times else "",
        )


def operation_rows(layers: Layers, batch: int) -> Iterable[tuple[str, ...]]:
    """Describe the operations with most bytes."""
    works: dict[str, Work] = defaultdict(Work)
    for operations in layers.operations.values():
        for name, work in operations:
            works[name] += work
    n_bytes = sum(work.n_bytes for work in works.values())
    for name, work in sorted(works.items(), key=lambda each: -each[1].n_bytes)[:10]:
        megabytes, share = work.n_bytes / batch / 1e6, work.n_bytes / n_bytes
        yield name, f"{megabytes:.2f}", f"{share:.0%}", f"{work.flops / batch / 1e9:.3f}"


def report(
    section: Section,
    sizes: Sizes,
    layers: Layers,
    speed: Speed,
    timed: tuple[float, dict[Part, float]] | None,
) -> None:
    """Write the tables and the bounds."""
    seconds, times = timed or (0.0, {})
    widened = ", channels padded to a multiple of 8" if sizes.padded else ""
    section.add(
        "",
        f"A step of `o3_err` with hidden {sizes.hidden}{widened} on {sizes.batch} maps of "
        f"{sizes.size} x {sizes.size} in {sizes.precision}, at {speed.bandwidth / 1e9:.0f} GB/s and "
        f"{speed.peak / 1e12:.3g} TFLOP/s. MB and GFLOP are per map, ms per step.",
        "",
        *markdown_table(
            HEADER,
            part_rows(layers, sizes.batch, speed, times),
        ),
        "",
        *markdown_table(("operation", "MB", "share", "GFLOP"), operation_rows(layers, sizes.batch)),
        "",
    )
    bound = bounds(layers, sizes.batch, speed)
    section.add(
        f"Bound as executed: {bound.executed:,.0f} maps per second; with one kernel per layer that "
        f"reads and writes activations once: {bound.fused:,.0f}. {layers.kept / 1e9:.2f} GB are kept "
        "for the backward pass."
    )
    if timed:
        measured = sizes.batch / seconds
        section.add(
            f"Measured: {measured:,.0f} maps per second, {measured / bound.executed:.0%} of the "
            f"bound as executed and {measured / bound.fused:.0%} of the other one."
        )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = options(__doc__ or "")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or none")
    parser.add_argument("--hidden", type=int, default=6, help="width of the network")
    parser.add_argument("--size", type=int, default=256, help="pixels per side of a map")
    parser.add_argument("--batch", type=int, default=128, help="maps per batch")
    parser.add_argument("--precision", default="float32", help="float32, tfloat32 or bfloat16")
    parser.add_argument("--padded", action="store_true", help="channels in multiples of 8")
    parser.add_argument("--bandwidth", type=float, help="of the memory [GB/s]")
    parser.add_argument("--peak", type=float, help="of matrix products [TFLOP/s]")
    arguments = parser.parse_args()
    if arguments.device == "none" and not (arguments.bandwidth and arguments.peak):
        parser.error("--device none: Expected --bandwidth and --peak, got none.")
    return arguments


def main() -> None:
    """Count, measure and report."""
    arguments = parse()
    if arguments.quick:
        torch.set_num_threads(1)
        check_counts()
        arguments.size, arguments.batch, arguments.hidden = 32, 4, 1
        arguments.bandwidth, arguments.peak = 10.0, 0.1
    sizes = Sizes(*(getattr(arguments, name) for name in Sizes._fields))
    device = None if arguments.device == "none" else choose_device(arguments.device)
    speed = Speed(
        arguments.bandwidth * 1e9 if arguments.bandwidth else measure_bandwidth(device),
        arguments.peak * 1e12 if arguments.peak else measure_peak(device, sizes.precision),
    )
    section = Section(f"benchmarks/roofline.py, {sizes.precision}")
    timed = None if device is None else time_step(sizes, device)
    report(section, sizes, count_step(sizes), speed, timed)
    if arguments.report:
        say(f"Report: {write_report(section, gpu(device) if device else '')}")


if __name__ == "__main__":
    main()
