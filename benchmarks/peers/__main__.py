"""Command line of ``benchmarks.peers``."""

import argparse
import pickle
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import benchmarks.peers
from benchmarks.measure import REPORTS, machine, markdown_table, package_version, say
from benchmarks.peers.inputs import INPUTS, columns_of, names_of
from benchmarks.peers.methods import Outcome, find_methods, prior_of, run_alone
from benchmarks.recipes.maps import Mock, get_mock
from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.config.ingest import MockConfig
from multifield.evaluation.bootstrap import Resamples
from multifield.evaluation.calibration import coverage_curve
from multifield.maps import maps_of, split_simulations
from multifield.studies.scoring.draws import rank_distances, rank_truth

SUITES = ("MockTNG:Mtot_Mgas_T", "MockNbody:Mtot")
BOOTSTRAP = BootstrapConfig(n_resamples=1000, level=0.95, seed=1)
HALF = 0.6827 / 2
HEADER = (
    *("method", "seed", "log-probability [nats]", "RMSE Omega_m", "RMSE sigma_8"),
    *("coverage 68 Omega_m [%]", "coverage 68 sigma_8 [%]", "TARP p"),
    *("epochs", "time [s]", "memory [MiB]"),
)


def row_of(name: str, seed: str, outcome: Outcome, mock: Mock) -> list[str]:
    """Score the outcome of one seed."""
    maps = maps_of(mock.split.test)
    simulation = np.arange(len(maps), dtype=np.int64) // camels.MAPS_PER_SIMULATION
    of_simulation = outcome.log_prob.reshape(-1, camels.MAPS_PER_SIMULATION).mean(axis=1)
    error = of_simulation.std(ddof=1) / len(of_simulation) ** 0.5
    first = [name, seed, f"{of_simulation.mean():.2f} +- {error:.2f}"]
    last = [outcome.epochs, f"{outcome.seconds:.0f}", f"{outcome.memory:.0f}"]
    if outcome.draws is None:
        return [*first, *["-"] * 5, *last]
    names = names_of(mock)
    low, width = prior_of(names)
    draws = low + width * outcome.draws.astype(np.float64)
    truth = mock.theta[maps // camels.MAPS_PER_SIMULATION][:, columns_of(mock)]
    rmse = np.sqrt(np.mean((draws.mean(axis=1) - truth) ** 2, axis=0))
    inside = np.abs(rank_truth(draws, truth, 1) - 0.5) < HALF
    distances = rank_distances(draws, truth, names, 1)
    p_value = coverage_curve(distances, Resamples(simulation, BOOTSTRAP)).p_value
    return [
        *first,
        *(f"{rmse[names.index(each)]:.4f}" for each in camels.COSMOLOGY),
        *(f"{100 * inside[:, names.index(each)].mean():.1f}" for each in camels.COSMOLOGY),
        "-" if p_value is None else f"{p_value:.3f}",
        *last,
    ]


def mean_row(rows: Sequence[Sequence[str]]) -> list[str]:
    """Average the numbers of several seeds; the error is that over simulations, which they share."""
    cells = [rows[0][0], f"mean of {len(rows)}"]
    for column in range(2, len(HEADER)):
        values = [row[column].split(" +- ") for row in rows]
        if values[0][0] in ("", "-"):
            cells.append(values[0][0])
            continue
        digits = len(values[0][0].partition(".")[2])
        means = [
            f"{np.mean([float(value[k]) for value in values]):.{digits}f}"
            for k in range(len(values[0]))
        ]
        cells.append(" +- ".join(means) if HEADER[column] != "TARP p" else "")
    return cells


def make_mock(asked: argparse.Namespace, suite: str, field: str) -> Mock:
    """Make or read the maps, and split them."""
    _, n_valid, n_test = asked.simulations
    n = sum(asked.simulations)
    size = {"map_size": asked.map_size, "lattice": asked.map_size, "refine": 1}
    config = MockConfig(n_simulations=n, seed=1, n_threads=0, **size)
    split = split_simulations(n, 1, n_valid=n_valid, n_test=n_test)
    path = asked.maps and asked.maps / f"{suite}_{field}_{n}_{asked.map_size}.npz"
    return get_mock(suite, camels.parse_fields(field, suite), config, split, path)


def measure(asked: argparse.Namespace, suite: str, field: str) -> list[str]:
    """Run every method on one suite; return the lines of its section."""
    mock = make_mock(asked, suite, field)
    methods, missing = find_methods(asked.peer)
    chosen = {
        name: run
        for name, run in methods.items()
        if not asked.methods or any(word in name for word in asked.methods)
    }
    seeds, rows = range(1, asked.seeds + 1), []
    with TemporaryDirectory(prefix="multifield-peers-") as folder:
        path = Path(folder) / "mock.pickle"
        path.write_bytes(pickle.dumps(mock))
        for name, run in chosen.items():
            # a process per method, for its peak memory
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                outcomes = pool.submit(run_alone, run, path, seeds, asked.seconds).result()
            found = [
                row_of(name, str(seed), outcome, mock)
                for seed, outcome in zip(seeds, outcomes, strict=True)
            ]
            rows += [*found, *([mean_row(found)] if len(found) > 1 else [])]
            say("", *markdown_table(HEADER, found))
    n_train, n_valid, n_test = (
        len(part) for part in (mock.split.train, mock.split.valid, mock.split.test)
    )
    lines = [
        "",
        f"## {suite}, {field.replace('_', ' + ')}",
        "",
        f"{n_train} simulations for training, {n_valid} for validation, {n_test} for the test; "
        f"{asked.map_size} pixels per side, {asked.seconds:g} s per training.",
        "",
        *markdown_table(HEADER, rows),
    ]
    if missing:
        lines += ["", f"Left out, because sbi is not installed: {'; '.join(missing)}."]
    return lines


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=benchmarks.peers.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--suites", nargs="+", default=list(SUITES), help="suite:field, fields joined with _"
    )
    parser.add_argument("--map-size", type=int, default=64, help="[pixels]")
    parser.add_argument("--simulations", type=int, nargs=3, default=(300, 60, 150))
    parser.add_argument("--maps", type=Path, metavar="FOLDER", help="keeps the maps for later runs")
    parser.add_argument("--seconds", type=float, default=60, help="processor time per training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="*", default=[], help="only names with these words")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="MODULE:FUNCTION[@INPUT]",
        help=f"function fit(x, theta) -> log_prob; inputs: {', '.join(INPUTS)}",
    )
    parser.add_argument("--quick", action="store_true", help="few, small maps; checks that all run")
    parser.add_argument("--report", action="store_true", help="writes a dated report")
    asked = parser.parse_args(arguments)
    for peer in asked.peer:
        place, _, kind = peer.partition("@")
        if ":" not in place or kind not in ("", *INPUTS):
            parser.error(
                f"--peer: Expected MODULE:FUNCTION or MODULE:FUNCTION@INPUT with one of "
                f"{', '.join(INPUTS)}, got {peer}."
            )
    if asked.quick:
        asked.suites, asked.simulations, asked.map_size = ["MockTNG:Mgas_T"], (8, 2, 4), 16
        asked.seconds, asked.seeds = 0.0, 1
    return asked


def report(lines: Sequence[str], seeds: int) -> Path:
    """Write the tables with the command, versions and machine class."""
    date = datetime.now(UTC).date().isoformat()
    path = REPORTS / f"{date}_peers.md"
    command = f"python -m benchmarks.peers {shlex.join(sys.argv[1:])}"
    head = [
        f"# Peers, {date}",
        "",
        f"- command: `{command}`",
        f"- seeds of the trainings: {', '.join(str(seed) for seed in range(1, seeds + 1))}; "
        "seed of maps and split: 1",
        *machine(),
        f"- sbi {package_version('sbi')}",
    ]
    path.write_text("\n".join([*head, *lines]) + "\n")
    return path


def main() -> None:
    """Run the benchmark of the command line."""
    asked = parse_arguments()
    lines: list[str] = []
    for suite_and_field in asked.suites:
        suite, _, field = suite_and_field.partition(":")
        found = measure(asked, suite, field)
        lines += found
        say(*found)
        if asked.report:
            say("", f"Wrote {report(lines, asked.seeds)}.")


if __name__ == "__main__":
    main()
