"""Time two ways to one answer side by side, and keep the result as a dated report.

Both sides run in one process and in turns, so that whatever else the machine does meets both alike; the
numbers to remember are the ratios. A report has one section a benchmark and names the machine by its
processor, never by its name in a network.
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

REPORTS = Path(__file__).parent / "reports"
SAMPLE_SECONDS = 0.02  # of calls in one sample, so that the clock and the call do not count
PACKAGES = ("numpy", "scipy", "torch", "opencv-python-headless", "numba")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two ways to one answer, and the ratio to aim for.

    Attributes
    ----------
    name, reference_name : str
        What is computed, and by whom else.
    ours, reference : callable without arguments
        One run of each.
    n_maps : int
        Maps a run of ours takes.
    reference_n_maps : int
        Maps a run of the reference takes; 0 for as many as ours.
    target : float, optional
        Times the reference's speed that is asked for.
    instructions : str
        Those in use when ours runs; the best where empty.
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
    """Samples of one side, [s] a map."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.samples)

    @property
    def fastest(self) -> float:
        """The shortest one: what it takes where nobody else uses the machine."""
        return min(self.samples)

    @property
    def spread(self) -> float:
        """Half of what lies between the quartiles, relative to the median."""
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (high - low) / 2 / self.median


@dataclass(frozen=True)
class Result:
    """A comparison that was timed."""

    comparison: Comparison
    ours: Times
    reference: Times

    @property
    def ratio(self) -> float:
        """How many times as fast ours is, by the medians."""
        return self.reference.median / self.ours.median

    @property
    def ratio_of_fastest(self) -> float:
        """The same by the fastest samples, which other programs disturb least."""
        return self.reference.fastest / self.ours.fastest


@dataclass
class Section:
    """What one benchmark adds to a report: tables and remarks, in order."""

    title: str
    lines: list[str] = field(default_factory=list)

    def add(self, *lines: str) -> None:
        """Keep lines, and show them."""
        self.lines.extend(lines)
        say(*lines)

    def add_table(self, title: str, results: Sequence[Result]) -> None:
        """Add times a map, spreads and ratios."""
        rows = [_row(result) for result in results]
        self.add("", f"### {title}", "", *markdown_table(HEADER, rows))


HEADER = (
    "ours",
    "instructions",
    "us a map",
    "against",
    "us a map",
    "times as fast",
    "of the fastest",
    "asked for",
)


def say(*lines: str) -> None:
    """Write lines for the person who waits."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def compare(comparisons: Iterable[Comparison], n_samples: int) -> list[Result]:
    """Time each comparison, its two sides in turns."""
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
    """Warm up, and count the calls that fill a sample."""
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
    return f"{median:.1f} +- {times.spread * 100:.0f} % ({fastest:.1f})"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def processor() -> str:
    """Name the processor, as the system gives it."""
    path = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", path.read_text()) if path.is_file() else None
    return (found.group(1) if found else platform.processor() or platform.machine()).strip()


def machine() -> list[str]:
    """List what the times depend on."""
    return [
        f"- processor: {processor()}, {os.cpu_count()} cores; {platform.system()}; load {load()}",
        f"- instructions: {mapkernels.instructions()} of {', '.join(mapkernels.available_instructions())}",
        f"- Python {platform.python_version()}; "
        + ", ".join(f"{name} {package_version(name)}" for name in PACKAGES),
    ]


def load() -> str:
    """Say how many programs were running in the last minute: more than cores, and times are long."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def package_version(name: str) -> str:
    """Version of an installed package, or ``absent``."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def options(description: str) -> argparse.ArgumentParser:
    """Make the parser of the options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small and few; checks the answers")
    parser.add_argument("--report", action="store_true", help=f"keep the result in {REPORTS.name}/")
    return parser


def write_report(section: Section) -> Path:
    """Put a section into today's report of this machine; a section of the same title is replaced."""
    date = datetime.now(UTC).date().isoformat()
    slug = re.sub(r"[^a-z0-9]+", "-", processor().lower()).strip("-")
    path = REPORTS / f"{date}_{slug}_{os.cpu_count()}-cores.md"
    before = re.split(r"^(?=## )", path.read_text(), flags=re.M)[1:] if path.is_file() else []
    kept = [text for text in before if not text.startswith(f"## {section.title}\n")]
    head = "\n".join([f"# Benchmarks of {date}", "", *machine(), "", ""])
    REPORTS.mkdir(exist_ok=True)
    body = "\n".join([f"## {section.title}", *section.lines, ""])
    path.write_text(head + "".join(sorted([*kept, body + "\n"])).rstrip("\n") + "\n")
    return path
