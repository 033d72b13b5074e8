"""Where the networks of one suite, field and recipe lie, under the benchmark's names."""

import re
from dataclasses import dataclass
from pathlib import Path

from multifield.camels import find_suite, word_of_label


@dataclass(frozen=True)
class ModelFolder:
    """Databases, weights, losses, cards and checkpoints of one suite, field and recipe.

    Parameters
    ----------
    path : Path
        Folder that holds ``databases/``, ``weights/`` and ``losses/``; and ``cards/`` and ``checkpoints/``,
        which are not the benchmark's.
    suite : str
        Suite the networks are trained on. Files carry its short name: ``Nbody`` for
        Nbody_IllustrisTNG.
    field : str
        Field, or fields joined with ``_``.
    label : str
        How they are trained, from `multifield.camels.recipe_label`: ``all_steps_500_500_o3``. The
        architecture stands in it, so that weights of one are never taken for those of another.
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
        """Optuna study of all trials."""
        word = word_of_label(self.label)
        return self.path / "databases" / f"{self._sim}_{word}_{self.field}_{self.label}.db"

    def weights(self, trial: int | str) -> Path:
        """State dict of one trial."""
        return self.path / "weights" / self._trial_name("weights", trial, "pt")

    def losses(self, trial: int | str) -> Path:
        """Losses of one trial, a line an epoch."""
        return self.path / "losses" / self._trial_name("losses", trial, "txt")

    def checkpoint(self, trial: int | str) -> Path:
        """State of one trial whose training is under way."""
        return self.path / "checkpoints" / self._trial_name("checkpoint", trial, "pt")

    def card(self, trial: str | None = None) -> Path:
        """All that is known of the networks of the study, or of one network outside it."""
        word = "" if trial is None else f"_{trial}"
        return self.path / "cards" / f"card_{self._sim}_{self.field}{word}_{self.label}.json"

    def trials_with_weights(self) -> tuple[int, ...]:
        """Numbers of the trials whose weights are here, in rising order."""
        stem, mark, tail = self._trial_name("weights", "<trial>", "pt").partition("<trial>")
        pattern = re.compile(re.escape(stem) + r"(\d+)" + re.escape(tail))
        names = (path.name for path in self.weights(mark).parent.glob("weights_*.pt"))
        return tuple(sorted(int(match[1]) for match in map(pattern.fullmatch, names) if match))

    def _trial_name(self, kind: str, trial: int | str, suffix: str) -> str:
        return f"{kind}_{self._sim}_{self.field}_{trial}_{self.label}.{suffix}"
