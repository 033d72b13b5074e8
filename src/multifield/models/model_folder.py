"""Paths of the networks of one suite, field and recipe, with the benchmark's file names."""

import re
from dataclasses import dataclass
from pathlib import Path

from multifield.camels import find_suite, word_of_label


@dataclass(frozen=True)
class ModelFolder:
    """Paths of databases, weights, losses, cards and checkpoints of one suite, field and recipe.

    Parameters
    ----------
    path : Path
        Folder with ``databases/``, ``weights/`` and ``losses/`` as in the benchmark, and with
        ``cards/`` and ``checkpoints/``.
    suite : str
        Suite that the networks are trained on. File names contain its short name: ``Nbody`` for
        Nbody_IllustrisTNG.
    field : str
        Field, or several fields joined with ``_``.
    label : str
        Label of the recipe from `multifield.camels.recipe_label`, such as ``all_steps_500_500_o3``.
        It contains the architecture, so weights of different architectures have different names.
    """

    path: Path
    suite: str
    field: str
    label: str

    @property
    def _sim(self) -> str:
        return find_suite(self.suite).short_name

    @property
    def database(self) -> Path:
        """Path of the Optuna study."""
        word = word_of_label(self.label)
        return self.path / "databases" / f"{self._sim}_{word}_{self.field}_{self.label}.db"

    def weights(self, trial: int | str) -> Path:
        """Return the path of the state dict of one trial."""
        return self.path / "weights" / self._trial_name("weights", trial, "pt")

    def losses(self, trial: int | str) -> Path:
        """Return the path of the losses of one trial, one line per epoch."""
        return self.path / "losses" / self._trial_name("losses", trial, "txt")

    def checkpoint(self, trial: int | str) -> Path:
        """Return the path of the checkpoint of one trial."""
        return self.path / "checkpoints" / self._trial_name("checkpoint", trial, "pt")

    def card(self, trial: str | None = None) -> Path:
        """Return the path of the card of the study, or of one network outside a study."""
        word = "" if trial is None else f"_{trial}"
        return self.path / "cards" / f"card_{self._sim}_{self.field}{word}_{self.label}.json"

    def trials_with_weights(self) -> tuple[int, ...]:
        """Return the numbers of the trials that have a weights file, in increasing order."""
        stem, mark, tail = self._trial_name("weights", "<trial>", "pt").partition("<trial>")
        pattern = re.compile(re.escape(stem) + r"(\d+)" + re.escape(tail))
        names = (path.name for path in self.weights(mark).parent.glob("weights_*.pt"))
        return tuple(sorted(int(match[1]) for match in map(pattern.fullmatch, names) if match))

    def _trial_name(self, kind: str, trial: int | str, suffix: str) -> str:
        return f"{kind}_{self._sim}_{self.field}_{trial}_{self.label}.{suffix}"
