"""Time two implementations side by side, and write the result to a dated report.

Both sides run alternately in one process, so that other load affects both alike. The ratios are
the main result. A report has one section per benchmark and names the machine only by its
processor.
"""

import argparse
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mapkernels
import numpy as np

REPORTS = Path(__file__).parent / "reports"
SAMPLE_SECONDS = 0.02  # calls per sample last this long, so that clock and call overhead vanish
PACKAGES = ("numpy", "scipy", "torch", "triton", "lightning", "opencv-python-headless", "numba")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two implementations with the same result, and the required speed-up.

    Attributes
    ----------
    name, reference_name : str
        Names of the computation and of the reference.
    ours, reference : callable without arguments
        One run of each side.
    n_maps : int
        Maps per run of this package.
    reference_n_maps : int
        Maps per run of the reference; 0 for the same number.
    target : float, optional
        Required speed-up over the reference.
    instructions : str
        Instruction set of the kernels; empty for the best one.
    """

    name: str
    reference_name: str
    ours: Callable[[], object]
    reference: Callable[[], object]
    n_maps: int = 1
    reference_n_maps: int = 0
    target: float | None = None
    instructions: str = ""


@dataclass(frozen=True)
class Times:
    """Samples of one side, [s] per map."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples)

    @property
    def fastest(self) -> float:
        """Shortest sample, the time on an idle machine."""
        return min(self.samples)

    @property
    def spread(self) -> float:
        """Half the interquartile range, relative to the median."""
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (high - low) / 2 / self.median


@dataclass(frozen=True)
class Result:
    """Times of a comparison."""

    comparison: Comparison
    ours: Times
    reference: Times

    @property
    def ratio(self) -> float:
        """Speed-up by the medians."""
        return self.reference.median / self.ours.median

    @property
    def ratio_of_fastest(self) -> float:
        """Speed-up by the fastest samples, which other programs disturb least."""
        return self.reference.fastest / self.ours.fastest


@dataclass
class Section:
    """Section of a report: tables and remarks, in order."""

    title: str
    lines: list[str] = field(default_factory=list)

    def add(self, *lines: str) -> None:
        """Add lines and print them."""
        self.lines.extend(lines)
        say(*lines)

    def add_table(self, title: str, results: Sequence[Result]) -> None:
        """Add a table of times per map, spreads and speed-ups."""
        rows = [_row(result) for result in results]
        self.add("", f"### {title}", "", *markdown_table(HEADER, rows))


HEADER = (
    "ours",
    "instructions",
    "us per map",
    "reference",
    "us per map",
    "speed-up",
    "of the fastest",
    "required",
)


def say(*lines: str) -> None:
    """Print lines at once."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def compare(comparisons: Iterable[Comparison], n_samples: int) -> list[Result]:
    """Time each comparison, alternating its two sides."""
    return [_compare(comparison, n_samples) for comparison in comparisons]


def _compare(comparison: Comparison, n_samples: int) -> Result:
    best = mapkernels.instructions()
    mapkernels.set_instructions(comparison.instructions or best)
    sides = (comparison.ours, comparison.reference)
    n_calls = [_calls_a_sample(run) for run in sides]
    samples: tuple[list[float], list[float]] = ([], [])
    for _ in range(n_samples):
        for run, n, times in zip(sides, n_calls, samples, strict=True):
            times.append(_seconds(run, n) / n)
    mapkernels.set_instructions(best)
    n_maps = comparison.n_maps, comparison.reference_n_maps or comparison.n_maps
    ours, reference = (
        Times(tuple(t / n for t in times)) for times, n in zip(samples, n_maps, strict=True)
    )
    return Result(comparison, ours, reference)


def _calls_a_sample(run: Callable[[], object]) -> int:
    """Warm up, and return the number of calls per sample."""
    run()
    return max(1, round(SAMPLE_SECONDS / _seconds(run, 1)))


def _seconds(run: Callable[[], object], n: int) -> float:
    begin = time.perf_counter()
    for _ in range(n):
        run()
    return time.perf_counter() - begin


def _row(result: Result) -> tuple[str, ...]:
    comparison = result.comparison
    return (
        comparison.name,
        comparison.instructions or mapkernels.instructions(),
        format_times(result.ours),
        comparison.reference_name,
        format_times(result.reference),
        f"**{_format_ratio(result.ratio)}**",
        _format_ratio(result.ratio_of_fastest),
        "" if comparison.target is None else f"{comparison.target:g}",
    )


def _format_ratio(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def format_times(times: Times) -> str:
    """Write median, spread and fastest, in [us]."""
    median, fastest = times.median * 1e6, times.fastest * 1e6
    return f"{median:.1f} +- {times.spread * 100:.0f}% ({fastest:.1f})"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Format the lines of a table."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def processor() -> str:
    """Name the processor as the system does."""
    path = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", path.read_text()) if path.is_file() else None
    return (found.group(1) if found else platform.processor() or platform.machine()).strip()


def machine() -> list[str]:
    """Describe hardware and software that times depend on."""
    return [
        f"- processor: {processor()}, {os.cpu_count()} cores; {platform.system()}; load {load()}",
        f"- instructions: {mapkernels.instructions()} of {', '.join(mapkernels.available_instructions())}",
        f"- compiler of the kernels: {mapkernels.compiler()}; NumPy's own instructions: {numpy_simd()}",
        f"- clock: the same work takes {clock_noise():.1%} more or less (half the interquartile range)",
        f"- Python {platform.python_version()}; "
        + ", ".join(f"{name} {package_version(name)}" for name in PACKAGES),
    ]


def numpy_simd() -> str:
    """Return the instruction sets that NumPy dispatches to on this machine."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]
    return ", ".join([*found["baseline"], *found["found"]])


def clock_noise() -> float:
    """Return the spread of the time that a fixed computation in cache takes."""
    x, out = np.full((2, 2**14), 2, np.float32)
    samples = (_seconds(lambda: np.log10(x, out=out), 500) for _ in range(41))
    return Times(tuple(samples)).spread


def load() -> str:
    """Return the load of the last minute; a load above the number of cores makes times long."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def package_version(name: str) -> str:
    """Return the version of an installed package, or ``absent``."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def options(description: str) -> argparse.ArgumentParser:
    """Make the parser of the options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small and few maps; checks results")
    parser.add_argument(
        "--report", action="store_true", help=f"write the result to {REPORTS.name}/"
    )
    return parser


def write_report(section: Section, gpu: str = "") -> Path:
    """Write a section to today's report of this machine, replacing one with the same title."""
    date = datetime.now(UTC).date().isoformat()
    hardware = gpu or f"{processor()}_{os.cpu_count()}-cores"
    slug = re.sub(r"[^a-z0-9_]+", "-", hardware.lower()).strip("-")
    path = REPORTS / f"{date}_{slug}.md"
    before = re.split(r"^(?=## )", path.read_text(), flags=re.M)[1:] if path.is_file() else []
    kept = [text for text in before if not text.startswith(f"## {section.title}\n")]
    head = "\n".join([f"# Benchmarks of {date}", "", *machine(), "", ""])
    REPORTS.mkdir(exist_ok=True)
    body = "\n".join([f"## {section.title}", *section.lines, ""])
    path.write_text(head + "".join(sorted([*kept, body + "\n"])).rstrip("\n") + "\n")
    return path
