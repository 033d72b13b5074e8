"""Suites of maps for training and test."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from multifield import camels
from multifield.api.settings import OF_SUITES, make_parameters, place_settings
from multifield.api.user_maps import Source, write_user_maps
from multifield.camels.selection import Selection
from multifield.config.schema import Parameters
from multifield.core.arrays import Index, Maps, Theta
from multifield.core.atomic_files import write_json
from multifield.data.fills import find_floors
from multifield.data.manifest import Manifest, verify_suite
from multifield.data.map_files import find_file
from multifield.data.normalization import Normalization, fit_normalization
from multifield.data.preprocess import LogMaps
from multifield.ingest.raw_maps import bring_raw, make_log_maps
from multifield.maps.splits import Simulations, Split, maps_of, split_simulations

# as in the catalog of the pipelines
RAW, LOG_MAPS, MODELS = "01_raw", "05_model_input", "06_models"


@dataclass(frozen=True, eq=False, repr=False)
class Suite:
    """Preprocessed maps of one suite with their parameters and split.

    Attributes
    ----------
    selection : Selection
        Suite, set of simulations and fields.
    data : Path
        Data folder, with the file names of the pipelines.
    environment : str
        Environment of ``conf`` with the default values.
    settings : dict of str to object
        Replaced values by dotted name of the parameter.
    parameters : Parameters
        All parameters of a run with these settings.
    maps : dict of str to (15 S, L, L) float32
        Raw maps of each field, as memory maps.
    theta : (S, 6) float64
        Coordinates of the parameters of the simulations, columns as `space`.
    log_maps : dict of str to LogMaps
        Preprocessed maps of each field.
    manifest : Manifest
        Sizes and checksums of the files.
    split : Split
        Indices of the simulations of each part.
    normalization : Normalization
        Mean and standard deviation of the log maps of each field.
    """

    selection: Selection
    data: Path
    environment: str
    settings: dict[str, Any]
    parameters: Parameters
    maps: dict[str, Maps]
    theta: Theta
    log_maps: dict[str, LogMaps]
    manifest: Manifest
    split: Split
    normalization: Normalization

    @property
    def name(self) -> str:
        """Name of the suite."""
        return self.selection.suite

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in channel order."""
        return self.selection.fields

    @property
    def map_size(self) -> int:
        """Number of pixels per side of a map or cut-out."""
        raw_size: int = self.maps[self.fields[0]].shape[-1]
        return self.parameters.preprocessing.pixels(raw_size)

    @property
    def box(self) -> float:
        """Side of a map or cut-out [Mpc/h]."""
        return self.manifest.side(self.map_size)

    @property
    def inferred(self) -> tuple[str, ...]:
        """Names of the parameters that affect the maps."""
        sim_set = self.selection.simulations
        known = np.isfinite(self.theta).all(axis=0)  # tables of other releases lack some
        return tuple(n for n in sim_set.inferred if known[sim_set.space.index(n)])

    @property
    def maps_per_simulation(self) -> int:
        """Number of maps per simulation."""
        return self.selection.simulations.maps_per_simulation

    @property
    def space(self) -> camels.ParameterSpace:
        """Parameters of the columns of `theta`."""
        return self.selection.simulations.space

    @property
    def train(self) -> "Part":
        """Training maps."""
        return Part(self, "train", self.split.train)

    @property
    def valid(self) -> "Part":
        """Validation maps, which select epochs and trials."""
        return Part(self, "valid", self.split.valid)

    @property
    def test(self) -> "Part":
        """Test maps, used in neither training nor model selection."""
        return Part(self, "test", self.split.test)

    @property
    def all(self) -> "Part":
        """All maps, to test networks of another suite or set."""
        return Part(self, "all", tuple(range(len(self.theta))))

    def plot(self, number: int = 0) -> Any:
        """Draw one map of each field.

        Parameters
        ----------
        number : int, optional
            Index of the map. Map i belongs to simulation ``i // maps_per_simulation``.

        Returns
        -------
        figure : matplotlib.figure.Figure
            One panel per field.
        """
        from multifield.reporting import figures

        shown = {field: np.array(maps[number]) for field, maps in self.maps.items()}
        return figures.fields_mosaic(shown, self.name)

    def __repr__(self) -> str:
        """Return a summary of the suite."""
        mock = ", a mock suite" if camels.find_suite(self.name).mock else ""
        parts = (self.train, self.valid, self.test)
        sizes = ", ".join(f"{part.name} {len(part.simulations)}" for part in parts)
        width = self.parameters.preprocessing.smoothing_width
        return (
            f"Suite {self.name}{mock}: {', '.join(self.fields)}\n"
            f"  {len(self.maps[self.fields[0]]):,} maps of {self.map_size} x {self.map_size} pixels"
            f"{f', smoothed by {width:g} pixels' if width else ''}\n"
            f"  {len(self.theta)} simulations: {sizes}\n"
            f"  parameters: {', '.join(self.inferred)}\n"
            f"  files: {self.data}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """Maps of some simulations of a suite.

    Attributes
    ----------
    suite : Suite
        Suite of the maps.
    name : {"train", "valid", "test", "all"}
        Name of the part.
    simulations : tuple of int
        Indices of the simulations.
    """

    suite: Suite
    name: Literal["train", "valid", "test", "all"]
    simulations: Simulations

    @property
    def index(self) -> Index:
        """Indices of the maps, as in ``suite.maps["Mtot"][suite.test.index]``."""
        return maps_of(self.simulations, self.suite.maps_per_simulation)

    @property
    def theta(self) -> Theta:
        """Parameters of each map, (N, P)."""
        theta: Theta = self.suite.theta[self.index // self.suite.maps_per_simulation]
        return theta

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.index)

    def __repr__(self) -> str:
        """Return a summary of the part."""
        suite = self.suite
        which = "maps" if self.name == "all" else f"{self.name} maps"
        return f"{len(self)} {which} of {suite.name}: {', '.join(suite.fields)}"


def load_suite(
    name: str,
    field: str | Sequence[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    maps: Mapping[str, Source] | Source | None = None,
    theta: Source | None = None,
    sim_set: str = "LH",
    data: str | os.PathLike[str] = "data",
    environment: str | None = None,
    **settings: Any,
) -> Suite:
    """Make or read the maps of a suite, check and preprocess them.

    The files are those of ``multifield run --pipelines ingest,preprocess``. Existing files are
    reused, by this function and by the pipelines.

    Parameters
    ----------
    name : str
        Mock suite, such as ``MockNbody`` or ``MockTNG``, whose maps are made; suite of CMD, such as
        ``IllustrisTNG``; or any name for your maps.
    field : str or sequence of str
        Field or fields in channel order: ``"Mtot"``, ``["Mgas", "T"]`` or ``"Mgas_T"``.
    folder : path-like, optional
        Folder with published files, in it or in ``<folder>/<suite>/``. If not given, that of the
        configuration.
    maps : mapping of str to array or path, optional
        Your maps of each field, (15 S, L, L) float32: 15 maps per simulation, or those of the set,
        ordered by simulation. L is a power of two from 16. For one field, an array or path without
        mapping.
    theta : (S, 6), (S, 2) or (S, P) array or path, optional
        Parameters of your simulations, required with `maps`. Columns as
        `multifield.camels.PARAMETERS`, or only Omega_m and sigma_8; or those of the set `sim_set`
        of a suite that `multifield.camels.add_suites` registered, whose box gives the number of
        maps per simulation.
    sim_set : str, optional
        Set of simulations of a published or registered suite.
    data : path-like, optional
        Data folder, with the file names of the pipelines.
    environment : str, optional
        Environment of ``conf`` with the default values. If not given, ``mock`` for mock suites and
        ``base`` for others.
    **settings : object
        Settings that replace those of ``conf``. Mock suites: ``n_simulations``, ``map_size``
        [pixels], ``lattice``, ``refine``, ``seed``, ``n_threads``. Published suites: ``partial``,
        ``download``. Preprocessing: ``smoothing_width`` and ``cutout`` [pixels],
        ``mask`` (file), ``zeros`` ("refuse" or "floor"), ``noise`` and ``beam`` (largest of a
        training map), ``remove_monopole``, ``compact``.
        Split: ``n_valid`` and ``n_test`` [simulations; 5% if the set does not have CMD's size],
        ``split_seed``; ``normalize_over``, "training" or "all".

    Returns
    -------
    suite : Suite
        Maps for `multifield.train`.

    Raises
    ------
    TypeError
        If a setting is unknown, or maps are not float32.
    ValueError
        If a value is out of range, or the shapes of maps and parameters do not agree.
    FileNotFoundError
        If a published file is missing.
    """
    field = field if isinstance(field, str) else "_".join(field)
    given = place_settings(settings, OF_SUITES)
    data = Path(data)
    if (maps is None) != (theta is None):
        raise ValueError("maps, theta: Expected both or none, got one.")
    if maps is not None and theta is not None:
        given |= {"source.partial": True, "source.kind": "folder"}
        fields = field.split("_")
        sim_set = write_user_maps(name, fields, maps, theta, data / RAW / name, sim_set)
        folder = data / RAW
    if environment is None:
        environment = "mock" if camels.find_suite(name).mock else "base"
    if folder is not None:
        given["source.folder"] = str(folder)
    choices = {"suite": name, "field": field, "sim_set": sim_set}
    parameters = make_parameters(environment, {**given, **choices}, OF_SUITES)
    selection = parameters.selection
    raw, table = bring_raw(selection, parameters.source, data / RAW / name)
    if parameters.source.kind == "folder":
        given = {**_keep_shares(parameters, len(table)), **given}
    parameters = make_parameters(environment, {**given, **choices}, OF_SUITES)
    manifest = _verify(selection, raw, table, parameters, data / RAW / name)
    config = parameters.split
    split = split_simulations(len(table), config.seed, n_valid=config.n_valid, n_test=config.n_test)
    preprocessing = parameters.preprocessing
    floors = find_floors(raw, split, preprocessing)
    log_maps = make_log_maps(
        selection, raw, manifest, preprocessing, data / LOG_MAPS / name, floors
    )
    moments = {field: entry.moments for field, entry in log_maps.items()}
    normalization = fit_normalization(moments, split, parameters.normalization.over)
    suite = Suite(
        selection,
        data,
        environment,
        {**given, **choices},
        parameters,
        raw,
        table,
        log_maps,
        manifest,
        split,
        normalization,
    )
    _write_descriptions(suite)
    return suite


def _keep_shares(parameters: Parameters, n: int) -> dict[str, int]:
    """Scale the numbers of validation and test simulations from CMD's latin hypercube to `n`."""
    split, of_all = parameters.split, camels.find_set("LH", "IllustrisTNG").n_simulations
    assert of_all is not None
    numbers = {"split.n_valid": split.n_valid, "split.n_test": split.n_test}
    return {name: max(1, round(n * number / of_all)) for name, number in numbers.items()}


def _verify(
    selection: Selection,
    raw: Mapping[str, Maps],
    theta: Theta,
    parameters: Parameters,
    folder: Path,
) -> Manifest:
    """Check every pixel, unless the same files were checked before."""
    path = folder / f"manifest_{selection.field}_{selection.suite}_{selection.sim_set}.json"
    try:
        present = TypeAdapter(Manifest).validate_json(path.read_bytes())
        present.check_files(raw)
        present.check_theta(theta)
    except (OSError, ValueError, ValidationError):
        pass
    else:
        return present
    manifest = verify_suite(
        selection.suite,
        selection.sim_set,
        raw,
        theta,
        partial=parameters.source.partial,
        table=find_file(folder, camels.theta_names(selection.suite, selection.sim_set)),
    )
    write_json(path, manifest)
    return manifest


def _write_descriptions(suite: Suite) -> None:
    """Write split and normalization as `preprocess` does, for the pipelines."""
    selection, parameters = suite.selection, suite.parameters
    folder = suite.data / LOG_MAPS / suite.name
    ends = f"{selection.suite}_{selection.sim_set}"
    label = camels.recipe_label(
        parameters.training.steps_up,
        parameters.training.steps_down,
        parameters.preprocessing.smoothing_width,
        parameters.preprocessing.remove_monopole,
    )
    label += parameters.preprocessing.suffix
    write_json(folder / f"split_{ends}.json", suite.split)
    write_json(folder / f"normalization_{selection.field}_{ends}_{label}.json", suite.normalization)
