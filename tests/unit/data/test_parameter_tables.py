"""Parameter tables as CAMELS publishes them, drawn from the schema, and the real ones if present."""

import os
from pathlib import Path

import numpy as np
import pytest

from multifield import camels
from multifield.data.map_files import write_theta
from multifield.data.parameter_tables import read_theta
from multifield.datasets import ThetaDataset
from tests.helpers.projects import ROOT

REAL = Path(os.environ.get("MULTIFIELD_TABLES", ROOT.parent / "shared" / "data"))
"""Folder of published tables, which are not part of the project."""

SETS = {
    f"{suite.name}-{sim_set.name}-{len(table)}": (suite, sim_set, table)
    for suite in camels.SUITES.values()
    if not suite.mock
    for sim_set in suite.sets.values()
    for table in sim_set.tables
}
each_set = pytest.mark.parametrize(("suite", "sim_set", "table"), SETS.values(), ids=SETS)
QUIRKS = {
    "plain": {},
    "names": {"names": True},
    "seeds": {"seeds": True},
    "header": {"header": "#Name {} seed", "names": True, "seeds": True},
    "header with blanks": {"header": "# sim_name {} seed", "names": True, "seeds": True},
    "header without #": {"header": "Name {} seed", "names": True, "seeds": True},
    "header of numbers alone": {"header": "# {}"},
    "names and seeds": {"names": True, "seeds": True},
    "tabs": {"header": "#Name {} Seed", "names": True, "seeds": True, "blank": "\t"},
    "commas": {"header": "#Name {} Seed", "names": True, "seeds": True, "blank": ", "},
    "CRLF": {"header": "#Name {} seed", "names": True, "seeds": True, "end": "\r\n"},
    "BOM": {"header": "#Name {} seed", "names": True, "seeds": True, "encoding": "utf-8-sig"},
}


def draw(sim_set: camels.SimulationSet, table: camels.ParameterSpace, n: int = 12) -> np.ndarray:
    """Rows that a set of this design has."""
    rng = np.random.default_rng(len(table))
    fiducial = np.array([sim_set.fiducial[name] for name in table.names])
    theta = np.tile(fiducial, (n, 1))
    low, high = np.array([each.range for each in table]).T
    if sim_set.design.rows == "spread":
        return low + rng.random((n, len(table))) * (high - low)
    if sim_set.design.rows == "one_at_a_time":
        free = table.columns(table.free)
        for row in range(n):
            theta[row, free[row % len(free)]] = high[free[row % len(free)]]
    if sim_set.design.rows == "extreme":
        theta[1:, len(table.cosmology) :] = rng.choice([0.0, 100.0])
    return theta


def write(
    path: Path,
    sim_set: camels.SimulationSet,
    titles: tuple[str, ...],
    theta: np.ndarray,
    *,
    header: str = "",
    names: bool = False,
    seeds: bool = False,
    blank: str = " ",
    end: str = "\n",
    encoding: str = "utf-8",
) -> Path:
    """Write a table with a quirk of published ones."""
    prefix = sim_set.name.split("_")[0]
    middle = "p1_" if prefix == "1P" else ""
    lines = [header.format(blank.join(titles))] if header else []
    for row, values in enumerate(theta.tolist()):
        words = [f"{prefix}_{middle}{row}"] if names else []
        words += [repr(value) for value in values] + ([str(5000 + row)] if seeds else [])
        lines.append(blank.join(words))
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode(encoding))
    return path


@each_set
@pytest.mark.parametrize("quirk", QUIRKS)
def test_a_table_of_each_set_is_read(tmp_path, suite, sim_set, table, quirk):
    theta = draw(sim_set, table)
    path = write(tmp_path / "params.txt", sim_set, table.names, theta, **QUIRKS[quirk])
    read = read_theta(path, sim_set, table)
    np.testing.assert_array_equal(read, table.coordinates(theta))


@each_set
def test_a_permuted_table_is_refused_without_header_and_ordered_with_one(
    tmp_path, suite, sim_set, table
):
    theta = draw(sim_set, table)
    order = np.roll(np.arange(len(table)), 1)
    titles = tuple(table.names[column] for column in order)
    path = write(
        tmp_path / "header.txt", sim_set, titles, theta[:, order], header="#Name {}", names=True
    )
    np.testing.assert_array_equal(read_theta(path, sim_set, table), table.coordinates(theta))
    path = write(tmp_path / "plain.txt", sim_set, titles, theta[:, order])
    with pytest.raises(ValueError, match=r"plain\.txt: (row \d+, |row \d+: |Expected rows)"):
        read_theta(path, sim_set, table)


@pytest.mark.parametrize("suite", ["IllustrisTNG", "SIMBA", "Astrid", "EAGLE", "Magneticum"])
@pytest.mark.parametrize("columns", [(0, 1), (1, 2), (0, 5), (3, 4), (2, 5)])
def test_two_exchanged_columns_are_refused(tmp_path, suite, columns):
    """Unless both have the same range, which without a header nobody can notice."""
    sim_set = camels.find_set("LH", suite)
    if len({sim_set.space[column].range for column in columns}) == 1:
        assert suite == "Astrid"  # A_SN1 and A_AGN2 go from 0.25 to 4
        return
    theta = draw(sim_set, sim_set.space, n=200)
    theta[:, columns] = theta[:, columns[::-1]]
    path = write(tmp_path / "params.txt", sim_set, (), theta)
    with pytest.raises(ValueError, match="Expected a value from"):
        read_theta(path, sim_set)


def real_tables() -> list[Path]:
    return sorted([*REAL.glob("camels_params/Cosmo*.txt"), *REAL.glob("params/params_*.txt")])


def set_of(path: Path) -> camels.SimulationSet:
    """The set that the name of a published table says."""
    if path.name.startswith("params"):
        _, sim_set, suite = path.stem.split("_", 2)
    else:
        _, suite, volume, sim_set = path.stem.split("_")
        boxes = camels.find_suite(suite).sets
        sim_set = f"{sim_set}_{volume}" if f"{sim_set}_{volume}" in boxes else sim_set
    assert path.name in camels.theta_names(suite, sim_set)
    return camels.find_set(sim_set, suite)


@pytest.mark.parametrize("path", real_tables(), ids=lambda path: path.stem)
def test_a_published_table_is_read(path):
    sim_set = set_of(path)
    theta = read_theta(path, sim_set)
    assert sim_set.n_simulations in (None, len(theta))
    assert np.isfinite(theta[:, :2]).all()


@pytest.mark.parametrize("path", real_tables(), ids=lambda path: path.stem)
def test_a_published_table_with_permuted_columns_is_refused(path, tmp_path):
    sim_set = set_of(path)
    rows = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    first = 1 if rows[0][0][0].isalpha() or rows[0][0][1].isalpha() else 0
    wrong = [
        [*row[:first], row[first + 2], row[first + 1], row[first], *row[first + 3 :]]
        for row in rows
    ]
    (tmp_path / path.name).write_text("".join(f"{' '.join(row)}\n" for row in wrong))
    with pytest.raises(ValueError, match=path.stem):
        read_theta(tmp_path / path.name, sim_set)


# ---- six columns of any set ----


def test_theta_round_trip(tmp_path, rng):
    theta = np.round(rng.uniform(0.1, 4, (7, 6)), 5)
    write_theta(tmp_path / "params.txt", theta)
    np.testing.assert_array_equal(read_theta(tmp_path / "params.txt"), theta)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.3 0.8\n0.1 0.9\n", r"rows of 6 columns, got shape \(2, 2\)"),
        ("0.3 0.8 1 1 1 1\n0.3 0.8 1 1 1\n", "Expected rows of numbers, all of 6, got 5 in row 1"),
        ("0.3 0.8 1 1 1 1\n0.3 0.8 x 1 1 1\n", r"got another text \('x' in row 1\)"),
        ("0.3 0.8 1 1 1 1_0\n", "Expected rows of numbers"),
        ("a b c d e f\n", "Expected rows of numbers"),
        ("", r"rows of 6 columns"),
        ("0.3 0.8 1 1 1 1\n0.3 nan 1 1 1 1\n", r"row 1, sigma_8: Expected a finite value, got nan"),
        ("#Omega_m sigma_8 A\n0.3 0.8 1\n", r"Expected a header with Omega_m, .* got Omega_m, sig"),
        ("#Omega_m sigma_8\n0.3 0.8 1 1 1 1\n", "as many titles .* got 2 and 6"),
    ],
)
def test_bad_theta(tmp_path, text, message):
    path = tmp_path / "params_LH_SIMBA.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"params_LH_SIMBA\.txt: .*{message}"):
        read_theta(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CV_0", "Expected simulation LH_0, got 'CV_0'"),
        ("LH_3", "Expected simulation LH_0, got 'LH_3'"),
    ],
)
def test_rows_are_in_the_order_of_the_maps(tmp_path, name, message):
    (tmp_path / "params.txt").write_text(f"{name} 0.3 0.8 1 1 1 1\n")
    with pytest.raises(ValueError, match=rf"row 0: {message}"):
        read_theta(tmp_path / "params.txt", camels.find_set("LH", "SIMBA"))


@pytest.mark.parametrize(("encoding", "named"), [("latin-1", "8-bit"), ("utf-16", "UTF-16")])
def test_another_encoding_is_named(tmp_path, encoding, named):
    (tmp_path / "params.txt").write_text("0.1 0.8 1 1 1 1 # \u00e9\n", encoding=encoding)
    with pytest.raises(ValueError, match=rf"params\.txt: .*UTF-8 text, got byte 0x.*{named}"):
        read_theta(tmp_path / "params.txt")


def test_parameters_that_a_table_lacks_are_unknown(tmp_path):
    sim_set = camels.find_set("1P", "IllustrisTNG")
    _, extended = sim_set.tables
    path = write(tmp_path / "params.txt", sim_set, extended.names, draw(sim_set, extended))
    theta = read_theta(path, sim_set)
    assert theta.shape == (12, 6)
    assert np.isnan(theta[:, 2:]).all()
    assert np.isfinite(theta[:, :2]).all()
    assert read_theta(path, sim_set, extended).shape == (12, 28)


def test_an_extra_parameter_is_not_taken_for_a_seed(tmp_path):
    sim_set = camels.find_set("1P", "Astrid")
    six, seven = sim_set.tables
    for table, seeds in ((six, True), (seven, False)):
        path = write(
            tmp_path / "params.txt", sim_set, (), draw(sim_set, table), names=True, seeds=seeds
        )
        theta = read_theta(path, sim_set, seven)
        assert np.isfinite(theta[:, 6]).all() == (table is seven)


def test_a_test_set_is_read_in_the_parameters_of_the_training(tmp_path):
    """1P has 6 or 28 columns; a network of SB28 is tested on all 28."""
    sim_set = camels.find_set("1P", "IllustrisTNG")
    six, extended = sim_set.tables
    (tmp_path / "IllustrisTNG").mkdir()
    path = tmp_path / "IllustrisTNG" / "params_1P_IllustrisTNG.txt"
    write(path, sim_set, extended.names, draw(sim_set, extended), header="#Name {}", names=True)
    options = {"path": str(tmp_path), "suite": "IllustrisTNG", "sim_set": "1P"}
    for trained_on, table in (("LH", six), ("SB28", extended)):
        training = {"suite": "IllustrisTNG", "sim_set": trained_on}
        dataset = ThetaDataset(**options, trained_on=training)
        assert dataset.load().shape == (12, len(table))
        assert dataset.preview()["columns"] == list(table.names)
