import os
from pathlib import Path

import pytest

from multifield.config.ingest import MockConfig
from multifield.data.manifest import Manifest, verify_suite
from multifield.data.map_files import write_map_files, write_theta
from multifield.data.origin import is_made_from, origin_path
from multifield.maps.memory import open_maps
from multifield.mock import make_suite

SMALL = {"map_size": 16, "lattice": 16, "refine": 1, "seed": 1, "n_threads": 1}


def stream(fields=("Mtot",), suite="MockTNG", **changes):
    config = MockConfig(**({"n_simulations": 2} | SMALL | changes))
    return make_suite(suite, fields, config)[1]


def paths(folder: Path, *fields: str) -> dict[str, Path]:
    return {field: folder / f"Maps_{field}.npy" for field in fields or ("Mtot",)}


@pytest.fixture
def simulated(monkeypatch):
    """The fields of each simulation that is made."""
    from multifield.mock import simulations

    made, simulate = [], simulations.simulate

    def note(suite, fields, *arguments):
        made.append(fields)
        return simulate(suite, fields, *arguments)

    monkeypatch.setattr(simulations, "simulate", note)
    return made


def test_maps_that_are_there_are_found(tmp_path, simulated, caplog):
    write_map_files(paths(tmp_path), stream())
    before = (tmp_path / "Maps_Mtot.npy").read_bytes()
    simulated.clear()
    with caplog.at_level("INFO"):
        write_map_files(paths(tmp_path), stream())
    assert simulated == []
    assert (tmp_path / "Maps_Mtot.npy").read_bytes() == before
    assert f"Reusing {tmp_path / 'Maps_Mtot.npy'}" in caplog.text


def test_missing_fields_alone_are_made(tmp_path, simulated):
    write_map_files(paths(tmp_path), stream())
    simulated.clear()
    write_map_files(paths(tmp_path, "Mtot", "T"), stream(("Mtot", "T")))
    assert simulated == [("T",)] * 2
    write_map_files(paths(tmp_path / "both", "Mtot", "T"), stream(("Mtot", "T")))
    for field in ("Mtot", "T"):
        one, other = tmp_path / f"Maps_{field}.npy", tmp_path / "both" / f"Maps_{field}.npy"
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    "changes",
    [{"seed": 2}, {"lattice": 18}, {"refine": 2}, {"n_simulations": 3}, {"map_size": 32}],
    ids=lambda changes: next(iter(changes)),
)
def test_other_maps_are_made(tmp_path, simulated, changes):
    write_map_files(paths(tmp_path), stream())
    simulated.clear()
    write_map_files(paths(tmp_path), stream(**changes))
    assert len(simulated) == changes.get("n_simulations", 2)


def test_threads_do_not_matter(tmp_path, simulated):
    write_map_files(paths(tmp_path), stream())
    simulated.clear()
    write_map_files(paths(tmp_path), stream(n_threads=2))
    assert simulated == []


@pytest.mark.parametrize("harm", ["touched", "truncated", "no origin", "another origin"])
def test_what_is_not_as_it_was_is_made_again(tmp_path, simulated, harm):
    (path,) = paths(tmp_path).values()
    write_map_files({"Mtot": path}, stream())
    before = path.read_bytes()
    if harm == "touched":
        os.utime(path, ns=(1, 1))
    elif harm == "truncated":
        path.write_bytes(before[:-4])
    elif harm == "no origin":  # as maps of before 2026-11-29
        origin_path(path).unlink()
    else:
        origin_path(path).write_text("{}")
    assert not is_made_from(path, stream().origin)
    write_map_files({"Mtot": path}, stream())
    assert path.read_bytes() == before
    assert is_made_from(path, stream().origin)


def test_versions_of_the_physics_are_told_apart(tmp_path):
    write_map_files(paths(tmp_path), stream())
    other = stream().origin | {"made_by": "another"}
    assert not is_made_from(tmp_path / "Maps_Mtot.npy", other)


def manifest_of(folder: Path, suite: str) -> Manifest:
    config = MockConfig(**({"n_simulations": 2} | SMALL))
    theta, maps = make_suite(suite, ("Mtot",), config)
    path = folder / f"Maps_Mtot_{suite}_LH_z=0.00.npy"
    write_map_files({"Mtot": path}, maps)
    write_theta(folder / f"params_LH_{suite}.txt", theta)
    return verify_suite(suite, "LH", {"Mtot": open_maps(path)}, theta)


def test_a_manifest_says_what_made_the_maps(tmp_path):
    assert manifest_of(tmp_path, "MockNbody").made_by == "particle mesh 2"
    assert manifest_of(tmp_path, "MockGaussian").made_by == ""


def test_a_manifest_of_older_universes_is_refused(tmp_path):
    record = manifest_of(tmp_path, "MockNbody")
    with pytest.raises(ValueError, match=r"older version.*Run `multifield run --pipelines ingest"):
        Manifest(
            suite="MockNbody",
            sim_set="LH",
            files=record.files,
            theta_sha256=record.theta_sha256,
        )
