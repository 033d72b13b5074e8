"""Time preprocessing, from raw maps to normalized sets, against the published scripts.

Run ``python -m benchmarks.preprocess`` in the repository. ``--quick`` takes seconds and only
checks the results. Each side runs in separate processes, so that their peak memory is measured
separately.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from unittest import mock

import numpy as np
import torch
from pydantic import TypeAdapter
from scipy import ndimage

from benchmarks.kernels import copy_maps
from benchmarks.measure import (
    Section,
    Times,
    format_times,
    markdown_table,
    options,
    say,
    write_report,
)
from multifield import camels
from multifield.config.data import NormalizationConfig, PreprocessingConfig, SplitConfig
from multifield.config.ingest import MockConfig
from multifield.core.checksums import map_digests
from multifield.data.manifest import Manifest, verify_suite
from multifield.data.map_files import write_map_files, write_theta
from multifield.data.normalization import fit_normalization
from multifield.data.parameter_tables import read_theta
from multifield.data.preprocess import Preprocessing, open_log_maps
from multifield.data.split_loaders import load_splits
from multifield.maps.memory import open_maps
from multifield.maps.splits import split_simulations
from multifield.mock.simulations import make_suite

SUITE, SET, FIELD = "MockNbody", "LH", "Mtot"
BATCH = 128
N_CHECKED = 600  # maps on which both sides must agree
NORMALIZED_ATOL = (
    2e-5  # 3e-6 dex of a log map (see tests/helpers/tolerances.py) over a std of at least 0.3
)
TARGETS = {0.0: 8.0, 2.0: 18.0}  # required speed-up by width
MAX_MEMORY = 256  # [MB] of this package above the interpreter and its libraries

STATUS = Path("/proc/self/status")  # Linux

Consume = Callable[[str, torch.Tensor], object]
"""Function of the name of a set and a batch of its maps (B, 1, L, L), in order."""


# ---- the file ----


def write_suite(folder: Path, n_maps: int, side: int) -> None:
    """Simulate universes and write their maps, parameters and manifest, unless they exist."""
    if (folder / "manifest.json").is_file():
        check_suite(folder, n_maps, side)
        return
    folder.mkdir(parents=True, exist_ok=True)
    config = MockConfig(
        n_simulations=n_maps // camels.MAPS_PER_SIMULATION,
        map_size=side,
        lattice=side
        // 2,  # coarsest lattice without empty pixels: 0.6 s per simulation of 256 pixels
        refine=2,
        seed=1,
        n_threads=0,
    )
    theta, blocks = make_suite(SUITE, (FIELD,), config)
    write_map_files({FIELD: raw_path(folder)}, blocks)
    write_theta(folder / camels.theta_names(SUITE, SET)[0], theta)
    manifest = verify_suite(SUITE, SET, {FIELD: open_maps(raw_path(folder))}, theta, partial=True)
    (folder / "manifest.json").write_bytes(TypeAdapter(Manifest).dump_json(manifest))


def check_suite(folder: Path, n_maps: int, side: int) -> None:
    """Check the number and size of stored maps."""
    expected, found = (n_maps, side, side), open_maps(raw_path(folder)).shape
    if found != expected:
        raise ValueError(
            f"{raw_path(folder)}: Expected maps of shape {expected}, got {found}. Delete the folder."
        )


def raw_path(folder: Path) -> Path:
    """Return the file of raw maps."""
    return folder / camels.maps_names(FIELD, SUITE, SET)[0]


def split_config(n_simulations: int) -> SplitConfig:
    """Hold out 5% of the simulations for each of the two smaller sets, as published."""
    n = max(1, n_simulations // 20)
    return SplitConfig(seed=1, n_valid=n, n_test=n)


# ---- the two sides ----


def write_log_maps(folder: Path, width: float, manifest: Manifest) -> None:
    """Compute the log maps of the file and write them beside it."""
    config = PreprocessingConfig(
        smoothing_width=width,
        remove_monopole=False,
        compact=False,
        cutout=0,
        mask=None,
        zeros="refuse",
        noise=0,
        beam=0,
        n_threads=0,
    )
    raw = open_maps(raw_path(folder))
    to_do = Preprocessing(raw, FIELD, config, manifest.checksums((FIELD,))[FIELD])
    to_do.write(folder / "log_maps.npy")


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of the file."""
    return TypeAdapter(Manifest).validate_json((folder / "manifest.json").read_bytes())


def ours(folder: Path, width: float, consume: Consume) -> None:
    """Make the sets from log maps in a file, with the library's public functions."""
    manifest = read_manifest(folder)
    theta = read_theta(folder / camels.theta_names(SUITE, SET)[0])
    write_log_maps(folder, width, manifest)
    log_maps = {FIELD: open_log_maps(folder / "log_maps.npy")}
    chosen = split_config(len(theta))
    split = split_simulations(len(theta), 1, n_valid=chosen.n_valid, n_test=chosen.n_test)
    normalization = fit_normalization({FIELD: log_maps[FIELD].moments}, split, "all")
    loaders = load_splits(
        log_maps,
        theta,
        split,
        normalization,
        manifest,
        split_config=chosen,
        normalization_config=NormalizationConfig(over="all"),
        batch_size=BATCH,
        n_threads=os.cpu_count() or 1,
        prefetch=0,  # there is no training to overlap with
    )
    for batch in loaders.train.ordered([0]):
        consume("train", torch.from_numpy(batch.x))
    for batch in loaders.valid.ordered(range(8)):
        consume("valid", torch.from_numpy(batch.x))
    for batch in loaders.test.ordered(range(8)):
        consume("test", torch.from_numpy(batch.x))


def reference(folder: Path, width: float, consume: Consume) -> None:
    """Make the sets with the calls of the published scripts, which repeat everything per set."""
    n_simulations = len(np.loadtxt(folder / camels.theta_names(SUITE, SET)[0], ndmin=2))
    chosen = split_config(n_simulations)
    order = np.arange(n_simulations)
    np.random.RandomState(1).shuffle(order)
    n_train = n_simulations - chosen.n_valid - chosen.n_test
    parts = np.split(order, [n_train, n_train + chosen.n_valid])
    for name, simulations in zip(("train", "valid", "test"), parts, strict=True):
        maps = np.load(raw_path(folder))
        if width:
            for i in range(len(maps)):
                maps[i] = ndimage.gaussian_filter(maps[i], width, mode="wrap")
        maps = np.log10(maps)
        maps = (maps - np.mean(maps)) / np.std(maps)  # float32, as published
        per_simulation = np.arange(camels.MAPS_PER_SIMULATION)
        index = (simulations[:, None] * camels.MAPS_PER_SIMULATION + per_simulation).ravel()
        maps = maps[index]
        copies = [maps] if name == "train" else oriented_copies(maps)
        consume(name, torch.tensor(np.concatenate(copies))[:, None])


def oriented_copies(maps: np.ndarray) -> list[np.ndarray]:
    """Give all eight orientations: four rotations, each also flipped."""
    rotated = [np.rot90(maps, k=k, axes=(1, 2)) for k in range(4)]
    return [copy for turn in rotated for copy in (turn, np.flip(turn, axis=1))]


SIDES = {"ours": ours, "reference": reference}


# ---- checking and timing ----


def check_agreement(folder: Path, width: float) -> None:
    """Check that both sides give the same sets, pixel by pixel."""
    sets: dict[str, dict[str, list[torch.Tensor]]] = {side: {} for side in SIDES}
    for side, make in SIDES.items():
        make(folder, width, lambda name, x, s=side: sets[s].setdefault(name, []).append(x.clone()))
    for name, theirs in sets["reference"].items():
        a, b = torch.cat(sets["ours"][name]).numpy(), torch.cat(theirs).numpy()
        np.testing.assert_allclose(a, b, rtol=0, atol=NORMALIZED_ATOL, err_msg=name)


def warm(path: Path) -> None:
    """Read a file into the page cache."""
    buffer = bytearray(2**24)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def run_child(side: str, folder: Path, width: float) -> dict[str, float]:
    """Run one side in a separate process, on a warm file."""
    warm(raw_path(folder))
    command = [sys.executable, "-m", "benchmarks.preprocess", "--child", side]
    command += ["--folder", str(folder), "--width", str(width)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(
            f"{side}, {width:g} pixels: Expected a result, got an error.\n{finished.stderr}"
        )
    return json.loads(finished.stdout.splitlines()[-1])


def child(side: str, folder: Path, width: float) -> None:
    """Time one side in this process, and print time and memory."""
    before, own_before = peak_memory(), own_memory()
    begin, cpu_begin = time.perf_counter(), time.process_time()
    with PeakOfOwnMemory() as peak:
        SIDES[side](folder, width, lambda name, x: None)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu_begin
    memory = {"memory": peak_memory() - before, "own_memory": peak.memory - own_before}
    say(json.dumps({"seconds": seconds, "cpu": cpu} | memory))


def peak_memory() -> float:
    """Return the peak resident memory of this process, mapped files included, [MB]."""
    if STATUS.is_file():  # getrusage includes memory of the parent from before the start
        return from_status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if platform.system() == "Darwin" else peak / 1e3


def own_memory() -> float:
    """Return the current resident memory without mapped files, [MB]."""
    return from_status("RssAnon") if STATUS.is_file() else peak_memory()


def from_status(name: str) -> float:
    """Read an amount of memory, [MB]."""
    return int(STATUS.read_text().split(f"{name}:")[1].split()[0]) / 1e3


class PeakOfOwnMemory:
    """Thread that samples `own_memory` every 10 ms and keeps the maximum."""

    def __init__(self) -> None:
        self.memory = own_memory()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            self.memory = max(self.memory, own_memory())

    def __enter__(self) -> Self:
        """Start sampling."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop after a last sample."""
        self._ended.set()
        self._thread.join()
        self.memory = max(self.memory, own_memory())


def measure(folder: Path, width: float, n_maps: int, n_samples: int) -> tuple[str, ...]:
    """Run both sides alternately; return a table row."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(n_samples):
        for side, results in runs.items():
            results.append(run_child(side, folder, width))
    times, cpu = (
        {s: Times(tuple(r[key] / n_maps for r in results)) for s, results in runs.items()}
        for key in ("seconds", "cpu")
    )
    largest = {
        (s, key): max(r[key] for r in results)
        for s, results in runs.items()
        for key in ("own_memory", "memory")
    }
    return (
        f"{width:g} pixels",
        format_times(times["ours"]),
        format_times(times["reference"]),
        f"**{times['reference'].median / times['ours'].median:.1f}**",
        f"{times['reference'].fastest / times['ours'].fastest:.1f}",
        f"{TARGETS[width]:g}",
        f"{cpu['reference'].median / cpu['ours'].median:.1f}",
        f"{largest['ours', 'own_memory']:.0f}; {largest['ours', 'memory']:.0f}",
        f"{largest['reference', 'own_memory']:.0f}; {largest['reference', 'memory']:.0f}",
    )


HEADER = (
    "smoothing",
    "ours",
    "published order",
    "speed-up",
    "of the fastest",
    "required",
    "by processor time",
    "memory, ours",
    "published",
)


def digests(folder: Path, width: float, n_maps: int, n_samples: int) -> tuple[str, ...]:
    """Time the log maps with and without their digests, alternately; return a table row."""
    manifest, kinds = read_manifest(folder), {"with": map_digests, "without": no_digests}
    wall: dict[str, list[float]] = {kind: [] for kind in kinds}
    cpu: dict[str, list[float]] = {kind: [] for kind in kinds}
    warm(raw_path(folder))
    for _ in range(4 * n_samples):
        for kind, function in kinds.items():
            with mock.patch("multifield.data.preprocess.map_digests", function):
                begin, cpu_begin = time.perf_counter(), time.process_time()
                write_log_maps(folder, width, manifest)
            wall[kind].append((time.perf_counter() - begin) / n_maps)
            cpu[kind].append((time.process_time() - cpu_begin) / n_maps)
    row = [f"{width:g} pixels"]
    for times in (wall, cpu):
        with_them, without = Times(tuple(times["with"])), Times(tuple(times["without"]))
        added = f"{100 * (with_them.median / without.median - 1):.1f}%"
        row += [format_times(with_them), format_times(without), added]
    return tuple(row)


def no_digests(maps: np.ndarray) -> np.ndarray:
    """Return zeros instead of digests."""
    return np.zeros(len(maps), np.uint64)


HEADER_OF_DIGESTS = (
    "smoothing",
    "with digests",
    "without",
    "added",
    "with digests, processor time",
    "without, processor time",
    "added, processor time",
)


def writing(folder: Path, n_maps: int, side: int) -> str:
    """Measure the limit of the disk: write and flush the same bytes."""
    block = np.ones((64, side, side), np.float32)
    begin = time.perf_counter()
    with (folder / "bytes").open("wb") as file:
        for _ in range(0, n_maps, len(block)):
            file.write(block.data)
        file.flush()
        written = time.perf_counter()
        os.fsync(file.fileno())
    flushed = time.perf_counter()
    (folder / "bytes").unlink()
    into_cache, to_disk = ((t / n_maps) * 1e6 for t in (written - begin, flushed - written))
    return (
        f"Writing the same bytes without computation takes {into_cache:.0f} us per map into the page "
        f"cache and {to_disk:.0f} us to the disk."
    )


def copying(n_maps: int, side: int) -> str:
    """Measure the limit of memory: copy the sets from existing log maps."""
    maps = np.ones((4 * BATCH, side, side), np.float32)
    out, index = np.ones((BATCH, 1, side, side), np.float32), np.arange(BATCH) * 3
    n_threads = os.cpu_count() or 1
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        copy_maps(maps, out, index, n_threads)
        times.append(time.perf_counter() - begin)
    a_map = min(times) / BATCH * 1e6
    n_simulations = n_maps // camels.MAPS_PER_SIMULATION
    held_back = split_config(n_simulations).n_valid / n_simulations
    copies = 1 - 2 * held_back + 2 * 8 * held_back
    return (
        f"The three sets are {copies:.1f} copies of the file: {copies * a_map:.0f} us per map at the "
        f"speed of memcpy on {n_threads} threads ({a_map:.1f} us per map). Reading each raw map and "
        f"writing its log map adds {a_map:.0f} us at that speed."
    )


def main() -> None:
    """Run both sides and report."""
    parser = options(__doc__ or "")
    parser.add_argument("--maps", type=int, default=600, help="number of maps; CMD's LH has 15000")
    parser.add_argument("--samples", type=int, default=5, help="number of runs per side")
    parser.add_argument("--child", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument(
        "--folder", type=Path, help="folder of maps for repeated runs; created if missing"
    )
    parser.add_argument("--width", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.folder, arguments.width)
        return
    n_maps, side, n_samples = (
        (60, 64, 2) if arguments.quick else (arguments.maps, 256, arguments.samples)
    )
    section = Section("benchmarks/preprocess.py")
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or Path(name) / "suite"
        # the sets of a large file would not fit into memory
        checked = Path(name) / "checked"
        write_suite(checked, min(n_maps, N_CHECKED), side)
        for width in TARGETS:
            check_agreement(checked, width)
        write_suite(folder, n_maps, side)
        rows = [measure(folder, width, n_maps, n_samples) for width in TARGETS]
        of_digests = [digests(folder, width, n_maps, n_samples) for width in TARGETS]
        section.add(
            "",
            f"From a file of {n_maps} maps of {side} x {side} in the page cache to normalized training, "
            "validation and test sets, the latter two in eight orientations. Times are us per map of the "
            "file: median, half the interquartile range, and fastest sample. Memory is MB above the "
            "interpreter and its libraries, without and with mapped files, which the system may reclaim. "
            f"The limit of this package is {MAX_MEMORY} MB for any number of maps.",
            "",
            *markdown_table(HEADER, rows),
            "",
            writing(folder, min(n_maps, 600), side),
            "",
            copying(n_maps, side),
            "",
            "Log maps written to a file, with the digests of raw and log maps and without. At most 5% "
            "are required.",
            "",
            *markdown_table(HEADER_OF_DIGESTS, of_digests),
        )
    if arguments.report:
        say(f"Report: {write_report(section)}")


if __name__ == "__main__":
    main()
