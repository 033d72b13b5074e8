"""Write optuna_2_10_study.sql, a study as of 2021, when the released databases were made.

Run with Optuna 2.10.0, SQLAlchemy 1.4 and NumPy 1.26, none of which the tests need.
"""

import sqlite3
import tempfile
from pathlib import Path

import optuna

SEARCH_SPACE = {
    "lr": optuna.distributions.LogUniformDistribution(1e-5, 5e-3),
    "wd": optuna.distributions.LogUniformDistribution(1e-8, 1e-1),
    "dr": optuna.distributions.UniformDistribution(0.0, 0.9),
    "hidden": optuna.distributions.IntUniformDistribution(6, 12),
}
TRIALS = (
    (-9.5, {"lr": 1e-3, "wd": 1e-4, "dr": 0.25, "hidden": 8}),
    (-10.25, {"lr": 2e-3, "wd": 1e-6, "dr": 0.5, "hidden": 11}),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "study.db"
        study = optuna.create_study(
            study_name="wd_dr_hidden_lr_o3", storage=f"sqlite:///{database}"
        )
        for value, params in TRIALS:
            study.add_trial(
                optuna.trial.create_trial(params=params, distributions=SEARCH_SPACE, value=value)
            )
        dump = "\n".join(sqlite3.connect(database).iterdump())
    Path(__file__).with_name("optuna_2_10_study.sql").write_text(dump + "\n")


if __name__ == "__main__":
    main()
