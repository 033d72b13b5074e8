"""Write ``optuna_<version>.db``: one study, as several versions of Optuna keep it.

The released databases were written in 2021, by Optuna 2. Run with Python 3.11, which every version here
supports: ``python make_studies.py`` makes an environment a version, installs into it and throws it
away. Times in the databases are those of the run; nothing else differs from one run to the next.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ENVIRONMENTS = {
    "2.10.0": ("sqlalchemy==1.4.54", "numpy==1.26.4", "setuptools<81"),
    "3.1.1": ("sqlalchemy==1.4.54", "numpy==1.26.4", "setuptools<81"),  # has a schema of its own
    "3.6.2": ("numpy==1.26.4",),
    "4.5.0": ("numpy==1.26.4",),
}
HERE = Path(__file__).parent

# (lr, wd, dr, hidden) of each trial, and what became of it
TRIALS = (
    (1e-3, 1e-4, 0.25, 8, -9.5),
    (2e-3, 1e-6, 0.5, 11, -10.25),
    (5e-3, 1e-1, 0.9, 12, "raises"),
    (4e-3, 1e-2, 0.0, 6, float("nan")),
    (1e-5, 1e-8, 0.75, 7, "pruned"),
    (3e-3, 1e-7, 0.125, 9, -10.25),
    (1e-4, 1e-5, 0.375, 10, float("inf")),
    (5e-4, 1e-3, 0.625, 6, -11.75),
)
RUNNING = (6e-4, 1e-3, 0.5, 8)
WAITING = (7e-4, 1e-3, 0.5, 8)


def write_study(path: Path) -> None:
    """Write the study with the Optuna that is installed."""
    import optuna  # not at the top: the environment that makes the others may have none

    study = optuna.create_study(
        study_name="wd_dr_hidden_lr_o3",
        storage=f"sqlite:///{path}",
        sampler=optuna.samplers.TPESampler(n_startup_trials=20),
        direction="minimize",
    )

    def draw(trial: optuna.Trial) -> None:
        trial.suggest_float("lr", 1e-5, 5e-3, log=True)
        trial.suggest_float("wd", 1e-8, 1e-1, log=True)
        trial.suggest_float("dr", 0.0, 0.9)
        trial.suggest_int("hidden", 6, 12)

    def objective(trial: optuna.Trial) -> float:
        draw(trial)
        trial.report(-1.0, step=0)
        end = TRIALS[trial.number][-1]
        if end == "raises":
            raise RuntimeError("out of memory")
        if end == "pruned":
            raise optuna.TrialPruned
        return float(end)

    for *values, _ in TRIALS:
        study.enqueue_trial(named(*values))
        study.optimize(objective, n_trials=1, catch=(RuntimeError,))
    study.enqueue_trial(named(*RUNNING))
    draw(study.ask())
    study.enqueue_trial(named(*WAITING))


def named(lr: float, wd: float, dr: float, hidden: int) -> dict[str, float]:
    return {"lr": lr, "wd": wd, "dr": dr, "hidden": hidden}


def main() -> None:
    for version, requirements in ENVIRONMENTS.items():
        database = HERE / f"optuna_{version}.db"
        database.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            venv.create(folder, with_pip=True)
            python = str(Path(folder) / "bin" / "python")
            packages = [f"optuna=={version}", *requirements]
            subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
            subprocess.run([python, __file__, str(database)], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_study(Path(sys.argv[1]))
    else:
        main()
