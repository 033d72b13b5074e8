"""Time trainings on several workers against one, and 32 workers with nearly empty trials.

Run ``python -m benchmarks.workers`` in the repository on idle cores. ``--quick`` checks the
results with fewer trials. Workers are local processes with one thread each. The time starts when
all are ready, because importing PyTorch takes seconds but a real trial takes hours.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.measure import Section, markdown_table, options, say, write_report
from multifield.config.data import NormalizationConfig
from multifield.config.studies import RobustnessConfig
from multifield.config.training import ExecutionConfig, Hyperparameters, TrainingConfig
from multifield.studies import robustness
from multifield.studies.robustness import NetworkFolder, SuiteMaps
from multifield.training import InProcessExecutor, TrainingProgress
from multifield.training.cluster import DaskExecutor
from multifield.tuning import tune
from tests.unit.studies.robustness.examples import make_suite_maps
from tests.unit.studies.robustness.examples import method as make_method
from tests.unit.studies.robustness.examples import robustness as make_robustness
from tests.unit.training.examples import config, make_data
from tests.unit.tuning.test_driver import FINGERPRINT, TUNING, make_folder

TARGET = 1.7  # required speed-up of two workers on two cores
ROBUSTNESS_TARGET = 0.6  # largest time of two workers over that of one
N_CROWD = 32  # number of workers for nearly empty trials
SUITES = ("MockTNG", "MockSIMBA", "MockAstrid")


def ready_workers(n: int) -> DaskExecutor:
    """Start workers and let each import the modules of a training."""
    executor = DaskExecutor(ExecutionConfig(workers=n, scheduler=None))
    client = executor.open()
    client.wait_for_workers(n)
    client.run(_warm_up)
    return executor


def _warm_up() -> None:
    from multifield.training import train_network

    hyperparameters = Hyperparameters(lr=1e-3, wd=1e-3, dr=0.1, hidden=1)
    train_network(make_data(), hyperparameters, config(epochs=1))


# ---- a study ----


def settings(n_trials: int) -> Any:
    """Draw all trials at random with one width, so that they are equally long."""
    space = replace(TUNING.search_space, hidden=replace(TUNING.search_space.hidden, low=2, high=2))
    return replace(TUNING, n_trials=n_trials, n_startup_trials=n_trials, search_space=space)


def time_study(
    executor: Any, n_trials: int, training: TrainingConfig, n_train: int
) -> tuple[float, list[Any]]:
    """Tune; return the time [s] and the values of all trials, checked to occur once."""
    with tempfile.TemporaryDirectory() as name, executor:
        folder = make_folder(Path(name))
        data = make_data(n_train, folder=Path(name) / "maps")
        if isinstance(executor, InProcessExecutor):
            _warm_up()
        begin = time.perf_counter()
        study = tune(
            data,
            folder,
            settings(n_trials),
            training,
            fingerprint=FINGERPRINT,
            executor=executor,
            progress=TrainingProgress("trials", n_trials, training.epochs),
        )
        seconds = time.perf_counter() - begin
        assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * n_trials
        assert folder.trials_with_weights() == tuple(range(n_trials))
        return seconds, [(trial.value, trial.params) for trial in study.trials]


# ---- the networks of `robustness` ----


def make_suites(path: Path, n_simulations: int) -> dict[str, SuiteMaps]:
    """Make small suites with log maps in files."""
    return {
        suite: make_suite_maps(suite, seed, n_simulations=n_simulations, folder=path / suite)
        for seed, suite in enumerate(SUITES)
    }


def time_robustness(executor: Any, epochs: int, n_simulations: int) -> tuple[float, list[bytes]]:
    """Train all networks; return the time [s] and the bytes of their weights."""
    noises = (0.0, 0.1, 0.2, 0.3, 0.4)  # eight networks, including those of one suite
    methods = tuple(make_method(f"noise_{i}", noise=noise) for i, noise in enumerate(noises))
    asked: RobustnessConfig = make_robustness(epochs=epochs, methods=methods)
    with tempfile.TemporaryDirectory() as name, executor:
        suites = make_suites(Path(name), n_simulations)
        folder = NetworkFolder(Path(name) / "networks")
        hyperparameters = Hyperparameters(lr=1e-3, wd=1e-3, dr=0.1, hidden=2)
        over = NormalizationConfig(over="training")
        if isinstance(executor, InProcessExecutor):
            _warm_up()
        begin = time.perf_counter()
        robustness.train_all(
            suites, asked, hyperparameters, config(epochs=epochs), over, folder, executor
        )
        seconds = time.perf_counter() - begin
        weights = sorted((folder.path / "weights").iterdir())
        return seconds, [path.read_bytes() for path in weights]


# ---- the report ----


def main() -> None:
    """Run the benchmark."""
    parser = options(__doc__ or "")
    arguments = parser.parse_args()
    quick = arguments.quick
    training = config(epochs=2 if quick else 60)
    n_trials, n_train = (4, 2) if quick else (12, 12)
    rows = []

    one, expected = time_study(InProcessExecutor(), n_trials, training, n_train)
    two, found = time_study(ready_workers(2), n_trials, training, n_train)
    assert found == expected
    rows.append(
        (f"{n_trials} trials", f"{one:.1f} s", f"{two:.1f} s", f"{one / two:.2f}x", f"{TARGET}x")
    )

    epochs, n_simulations = (1, 6) if quick else (40, 16)
    one, networks = time_robustness(InProcessExecutor(), epochs, n_simulations)
    two, same = time_robustness(ready_workers(2), epochs, n_simulations)
    assert same == networks
    rows.append((
        f"robustness, {len(networks)} networks", f"{one:.1f} s", f"{two:.1f} s",
        f"{two / one:.2f} of the time", f"at most {ROBUSTNESS_TARGET}",
    ))  # fmt: skip

    n_crowd, n_empty = (4, 16) if quick else (N_CROWD, 320)
    empty = config(epochs=1)
    seconds, _ = time_study(ready_workers(n_crowd), n_empty, empty, 2)
    rows.append((
        f"{n_empty} trials of one epoch of 4 steps, {n_crowd} workers", "", f"{seconds:.1f} s",
        f"{n_empty / seconds:.1f} per second", "none lost or repeated",
    ))  # fmt: skip

    header = ("work", "one worker", "two workers", "ratio", "required")
    lines = markdown_table(header, rows)
    say(*lines)
    if arguments.report:
        write_report(Section("Workers", lines))


if __name__ == "__main__":
    main()
