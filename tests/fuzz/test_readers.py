"""Damaged and hostile files: every reader gives an error that names the file, or reads the file.

20 seconds by default; ``MULTIFIELD_FUZZ_SECONDS=600 pytest tests/fuzz`` is the long run.
"""

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError
from pydantic import TypeAdapter

from multifield.data.map_files import write_theta
from multifield.data.parameter_tables import read_theta
from multifield.datasets.tables import TypedJSONDataset
from multifield.evaluation import read_results
from multifield.evaluation.results import Results, write_results
from multifield.maps.memory import open_maps
from multifield.models import O3Err, load_weights, save_weights
from multifield.prediction.card import ModelCard
from multifield.tuning import load_study
from tests.unit.prediction.test_card import make_card as example_card

SECONDS = float(os.environ.get("MULTIFIELD_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("MULTIFIELD_FUZZ_SEED", "1"))
STUDY = Path(__file__).parents[1] / "unit" / "tuning" / "studies"
EXPECTED = (ValueError, TypeError, OSError)
MAX_LINES, MAX_LENGTH, MAX_SECONDS = 12, 2000, 20.0


def make_maps(path: Path) -> None:
    np.save(path, np.ones((2, 8, 8), np.float32))


def make_theta(path: Path) -> None:
    write_theta(path, np.round(np.random.default_rng(1).uniform(size=(4, 6)), 5))


def make_results(path: Path) -> None:
    values = np.random.default_rng(1).uniform(0.1, 1.0, size=(3, 4, 6))
    write_results(path, Results(*values))


def make_weights(path: Path) -> None:
    save_weights(path, O3Err(1, 0.0, 1, 16, 2).state_dict())


def make_study(path: Path) -> None:
    shutil.copyfile(sorted(STUDY.glob("*.db"))[-1], path)


def make_card(path: Path) -> None:
    path.write_bytes(TypeAdapter(ModelCard).dump_json(example_card(), indent=2))


def load_card(path: Path) -> object:
    dataset = TypedJSONDataset(filepath=str(path), model="multifield.prediction.card.ModelCard")
    try:
        return dataset.load()
    except DatasetError as error:  # as the command line shows it
        raise (error.__cause__ or error) from None


READERS: dict[str, tuple[Callable[[Path], None], Callable[[Path], Any]]] = {
    "maps.npy": (make_maps, open_maps),
    "params.txt": (make_theta, read_theta),
    "results.txt": (make_results, read_results),
    "weights.pt": (make_weights, load_weights),
    "study.db": (make_study, load_study),
    "card.json": (make_card, load_card),
}


def mutate(content: bytes, chance: random.Random) -> bytes:
    """Flip bits, cut, repeat, insert or overwrite, once to four times."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(found)) if found else 0
        length = min(len(found) - start, int(2 ** chance.uniform(0, 10)))
        kind = chance.choice(["flip", "cut", "end", "repeat", "insert", "overwrite", "number"])
        if kind == "flip" and found:
            found[start] ^= 1 << chance.randrange(8)
        elif kind == "cut":
            del found[start : start + length]
        elif kind == "end":
            del found[start:]
        elif kind == "repeat":
            found[start:start] = found[start : start + length]
        elif kind == "insert":
            found[start:start] = chance.randbytes(length)
        elif kind == "overwrite":
            found[start : start + length] = chance.randbytes(length)
        else:
            text = chance.choice([b"nan", b"-1", b"1e999", b"9" * 20, b"\x00", b"'", b"{", b"\xff"])
            found[start : start + len(text)] = text
    return bytes(found)


@pytest.mark.filterwarnings("ignore")  # of libraries, about files that are no files of theirs
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_named_or_read(name: str, tmp_path: Path) -> None:
    make, read = READERS[name]
    path = tmp_path / name
    make(path)
    content = path.read_bytes()
    end = time.monotonic() + 0.8 * SECONDS / len(READERS)
    n_tried = 0
    while time.monotonic() < end:
        chance = random.Random(f"{SEED} {name} {n_tried}")
        path.write_bytes(mutate(content, chance))
        began, n_tried = time.monotonic(), n_tried + 1
        fault = find_fault(read, path)
        assert fault is None, f"case {n_tried - 1}: {fault}"
        assert time.monotonic() - began < MAX_SECONDS, f"case {n_tried - 1} took too long"
    assert n_tried > 5


def find_fault(read: Callable[[Path], Any], path: Path) -> str | None:
    """Read a file; say what is wrong with the error that it gives, if any is."""
    try:
        read(path)
    except EXPECTED as error:
        message = str(error)
        if str(path) not in message:
            return f"no name of the file: {error!r}"
        if len(message.splitlines()) > MAX_LINES or len(message) > MAX_LENGTH:
            return f"too long: {error!r}"
    return None
