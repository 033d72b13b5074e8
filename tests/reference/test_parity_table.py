"""Every test that docs/reference/parity.md names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/reference/parity.md"


def named_tests(text: str) -> list[str]:
    """Last cell of each row of the tables, without the heads."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [row[-1].strip() for row in rows]
    return [cell.strip("`") for cell in cells if cell != "test" and set(cell) != {"-"}]


def exists(name: str) -> bool:
    path, *parts = name.split("::")
    if not parts or not (ROOT / path).is_file():
        return False
    body: list[ast.stmt] = ast.parse((ROOT / path).read_text()).body
    for part in parts:
        found = [node for node in body if getattr(node, "name", None) == part]
        if len(found) != 1 or not isinstance(found[0], ast.ClassDef | ast.FunctionDef):
            return False
        body = found[0].body
    return isinstance(found[0], ast.FunctionDef) and found[0].name.startswith("test_")


@pytest.mark.parametrize("name", sorted(set(named_tests(TABLE.read_text()))))
def test_every_test_named_is_there(name: str) -> None:
    assert exists(name)


def test_every_row_names_one_test() -> None:
    rows = re.findall(r"^\|(?!---)(?!.*\| test \|$)", TABLE.read_text(), flags=re.MULTILINE)
    assert len(rows) == len(named_tests(TABLE.read_text())) > 60


@pytest.mark.parametrize(
    "name",
    [
        "TODO",
        "tests/reference/test_parity_table.py",
        "tests/reference/no_such.py::test_a",
        "tests/reference/test_parity_table.py::test_a",
        "tests/reference/test_parity_table.py::exists",
    ],
)
def test_a_name_of_nothing_is_noticed(name: str) -> None:
    assert not exists(name)
