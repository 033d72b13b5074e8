"""Script, not a test: kill whole runs at random moments and compare with an undisturbed run.

``python -m tests.chaos --kills 200`` repeats every stage of environment `test` until so many
SIGKILLs were sent. The last run ends undisturbed. Each kill takes about ten seconds.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.projects import make_project

COMMAND = ("-m", "kedro", "run", "--env", "test")
ENVIRONMENT = {"DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"}
# what a run leaves that has neither a time nor a path in it
COMPARED = (
    *("data/01_raw/**/*.npy", "data/01_raw/**/*.txt", "data/05_model_input/**/*.npy"),
    *("data/06_models/weights/*", "data/06_models/losses/*", "data/07_model_output/*"),
    *("data/08_reporting/**/metrics*.json", "data/08_reporting/**/levels.csv"),
)
LEFT_OVER = ("**/*.partial", "data/06_models/checkpoints/*")  # what no finished run has


def main() -> None:
    """Run, kill, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = make_project(Path(folder) / "undisturbed")
        begin = time.monotonic()
        if run(undisturbed).wait():
            sys.exit("The undisturbed run failed.")
        seconds = time.monotonic() - begin
        killed = make_project(Path(folder) / "killed")
        n_kills, n_whole = kill_runs(killed, arguments.kills, seconds, chance)
        if run(killed).wait():
            sys.exit("The last run failed.")
        faults = compare(undisturbed, killed)
        report = f"{n_kills} kills, {n_whole} runs that ended before theirs, {len(faults)} faults"
        sys.stdout.write("\n  ".join([report, *faults]) + "\n")
        sys.exit(bool(faults))


def run(project: Path) -> "subprocess.Popen[bytes]":
    """Start a run."""
    return subprocess.Popen(
        [sys.executable, *COMMAND],
        cwd=project,
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_runs(
    project: Path, n_kills: int, seconds: float, chance: random.Random
) -> tuple[int, int]:
    """Kill runs at random moments; a run that ends early is replaced by a new one."""
    n_whole, n = 0, 0
    while n < n_kills:
        process = run(project)
        try:
            code = process.wait(timeout=chance.uniform(0.0, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            n += 1
            continue
        if code:
            sys.exit(f"A run failed with code {code} after {n} kills.")
        n_whole += 1
        subprocess.run(["rm", "-rf", project / "data"], check=True)
    return n, n_whole


def compare(undisturbed: Path, killed: Path) -> list[str]:
    """List files that differ, are missing or are unexpected."""
    expected, found = checksums(undisturbed), checksums(killed)
    faults = [f"{name}: missing" for name in expected.keys() - found.keys()]
    faults += [f"{name}: unexpected" for name in found.keys() - expected.keys()]
    common = expected.keys() & found.keys()
    faults += [f"{name}: differs" for name in common if expected[name] != found[name]]
    for pattern in LEFT_OVER:
        faults += [f"{path.relative_to(killed)}: left over" for path in killed.glob(pattern)]
    return sorted(faults)


def checksums(project: Path) -> dict[str, str]:
    """Return the SHA-256 of the files of a run."""
    paths = {path for pattern in COMPARED for path in project.glob(pattern) if path.is_file()}
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


if __name__ == "__main__":
    main()
