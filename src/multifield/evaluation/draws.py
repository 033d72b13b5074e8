"""Draws from the posteriors of maps, as tables and in the formats of ArviZ and GetDist.

====== ==================================================
letter meaning
====== ==================================================
M      maps
n      draws per map
P      parameters
====== ==================================================
"""

import glob
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from jaxtyping import Float

from multifield import camels
from multifield.config.draws import DrawsConfig
from multifield.core.atomic_files import atomic_path
from multifield.evaluation.joint import JointPosterior, prior_ranges
from multifield.evaluation.results import Results

if TYPE_CHECKING:
    import pandas as pd
    from getdist import MCSamples
    from xarray import DataTree

ROWS = 2**17  # of log-probabilities in memory at a time
LOG_PROB = "log_prob"
NETCDF = ".nc"
TABLE = "table"  # attribute of tables of draws: name of the parameter table
GETDIST_FILES = (".txt", ".paramnames", ".ranges")
PathLike = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws from the posteriors of M maps, in physical units.

    Attributes
    ----------
    theta : (M, n, P) float
        Draws.
    log_prob : (M, n) float
        Joint log-probability of each draw against the uniform prior [nats].
    parameters : tuple of str
        Names of the P parameters.
    truth : (M, P) float
        True parameters. NaN where unknown.
    space : ParameterSpace
        Parameters of their table. By default CMD's six.
    """

    theta: Float[np.ndarray, "M n P"]
    log_prob: Float[np.ndarray, "M n"]
    parameters: tuple[str, ...]
    truth: Float[np.ndarray, "M P"]
    space: camels.ParameterSpace = camels.CMD

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.theta)

    def take(self, rows: Any) -> "Draws":
        """Keep some maps.

        Parameters
        ----------
        rows : slice or sequence of int
            Maps to keep.

        Returns
        -------
        draws : Draws
            Draws of these maps.
        """
        return replace(
            self, theta=self.theta[rows], log_prob=self.log_prob[rows], truth=self.truth[rows]
        )

    @property
    def known(self) -> dict[str, np.ndarray]:
        """True values (M,) of the parameters whose truth is known."""
        columns = zip(self.parameters, self.truth.T, strict=True)
        return {name: values for name, values in columns if not np.isnan(values).all()}

    def intervals(self, level: float) -> Float[np.ndarray, "M P 2"]:
        """Compute equal-tailed credible intervals of each parameter.

        Parameters
        ----------
        level : float
            Probability inside an interval, from 0 to 1.

        Returns
        -------
        intervals : (M, P, 2) float64
            Lower and upper end of each interval in physical units.
        """
        return equal_tailed(self.theta, level)

    def threshold(self, level: float) -> Float[np.ndarray, " M"]:
        """Compute the log-probability at the edge of the highest-density region of each map.

        Parameters
        ----------
        level : float
            Probability inside the region, from 0 to 1.

        Returns
        -------
        threshold : (M,) float64
            Log-probability [nats] that a share `level` of the draws exceeds.
        """
        _check_level(level)
        threshold: np.ndarray = np.quantile(self.log_prob, 1 - level, axis=1)
        return threshold

    # ---- formats ----

    def to_table(self) -> "pd.DataFrame":
        """Return the draws as a long table.

        Returns
        -------
        table : pandas.DataFrame
            One row per draw: ``map`` and ``draw``, both from 0, the parameters, ``log_prob`` [nats]
            and, if known, ``<name>_true``. Numbers are float32.
        """
        import pandas as pd

        n_maps, n, _ = self.theta.shape
        table: dict[str, np.ndarray] = {
            "map": np.repeat(np.arange(n_maps, dtype=np.int32), n),
            "draw": np.tile(np.arange(n, dtype=np.int32), n_maps),
        }
        flat = self.theta.reshape(n_maps * n, -1).astype(np.float32)
        table |= dict(zip(self.parameters, flat.T, strict=True))
        table[LOG_PROB] = self.log_prob.ravel().astype(np.float32)
        for name, values in self.known.items():
            table[f"{name}_true"] = np.repeat(values.astype(np.float32), n)
        frame = pd.DataFrame(table)
        if self.space != camels.CMD:
            frame.attrs[TABLE] = self.space.name  # Parquet files keep it
        return frame

    @classmethod
    def from_table(cls, table: "pd.DataFrame") -> "Draws":
        """Make draws of a table from `to_table`.

        Parameters
        ----------
        table : pandas.DataFrame
            Rows ordered (map, draw).

        Returns
        -------
        draws : Draws
            The draws.

        Raises
        ------
        ValueError
            If a column is missing, or maps differ in their number of draws.
        """
        missing = [name for name in ("map", "draw", LOG_PROB) if name not in table]
        space = camels.find_table(table.attrs.get(TABLE, camels.CMD.name))
        parameters = tuple(name for name in space.names if name in table)
        if missing or not parameters:
            raise ValueError(
                "draws: Expected the columns map, draw, log_prob and parameters, got "
                f"{', '.join(map(str, table.columns))}."
            )
        sizes = table.groupby("map").size()
        if sizes.nunique() != 1:
            raise ValueError(
                f"draws: Expected equal numbers of draws per map, got {sizes.min()} to "
                f"{sizes.max()}."
            )
        ordered = table.sort_values(["map", "draw"], kind="stable")
        n_maps, n = len(sizes), int(sizes.iloc[0])
        theta = ordered[list(parameters)].to_numpy().reshape(n_maps, n, len(parameters))
        log_prob = ordered[LOG_PROB].to_numpy().reshape(n_maps, n)
        truth = np.full((n_maps, len(parameters)), np.nan)
        for column, name in enumerate(parameters):
            if f"{name}_true" in ordered:
                truth[:, column] = ordered[f"{name}_true"].to_numpy()[::n]
        return cls(theta, log_prob, parameters, truth, space)

    def to_arviz(self) -> "DataTree":
        """Return the draws as ArviZ represents posteriors.

        Returns
        -------
        tree : xarray.DataTree
            Groups ``posterior`` with dimensions (chain, draw, map) and one chain, ``sample_stats``
            with ``lp`` [nats] and, if the truth is known, ``constant_data`` with ``<name>_true``.

        Raises
        ------
        ModuleNotFoundError
            If the extra ``netcdf`` is not installed.
        """
        try:
            from arviz_base import from_dict
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "ArviZ is not installed. Use pip install 'multifield[netcdf]'."
            ) from error
        by_draw = np.moveaxis(self.theta, 0, 1)[np.newaxis]  # (1, n, M, P)
        posterior = dict(zip(self.parameters, np.moveaxis(by_draw, -1, 0), strict=True))
        known = {f"{name}_true": values for name, values in self.known.items()}
        tree: DataTree = from_dict(
            {
                "posterior": posterior,
                "sample_stats": {"lp": self.log_prob.T[np.newaxis]},
                **({"constant_data": known} if known else {}),
            },
            dims={name: ["map"] for name in (*posterior, *known, "lp")},
            coords={"map": np.arange(len(self))},
        )
        return tree

    def to_getdist(self, number: int = 0, label: str | None = None) -> "MCSamples":
        """Return the draws of one map as GetDist represents a chain.

        Parameters
        ----------
        number : int, optional
            Number of the map, from 0.
        label : str, optional
            Label in legends.

        Returns
        -------
        samples : getdist.MCSamples
            Independent draws. A parameter has the range of the prior unless a draw is outside it,
            which only posteriors of the head ``diagonal`` have.
        """
        from getdist import MCSamples, chains

        chosen = [self.space[name] for name in self.parameters]
        theta = self.theta[number].astype(np.float64)
        ranges = {
            each.name: [each.minimum, each.maximum]
            for each, values in zip(chosen, theta.T, strict=True)
            if each.minimum <= values.min() and values.max() <= each.maximum
        }
        with patch.object(chains, "print_load_details", False):  # it prints "Removed no burn in"
            return MCSamples(
                samples=theta,
                loglikes=-self.log_prob[number].astype(np.float64),
                names=list(self.parameters),
                labels=[each.axis_label.replace("$", "") for each in chosen],
                ranges=ranges,
                sampler="uncorrelated",
                label=label,
            )

    # ---- files ----

    def write_parquet(self, path: PathLike) -> None:
        """Write `to_table` as Parquet.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        with atomic_path(path) as partial:
            self.to_table().to_parquet(partial, index=False)

    def write_netcdf(self, path: PathLike) -> None:
        """Write `to_arviz` as NetCDF 4, for `arviz.from_netcdf` and `xarray.open_datatree`.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        tree = self.to_arviz()
        with atomic_path(path) as partial:
            tree.to_netcdf(partial, engine="h5netcdf")

    def write_getdist(self, root: PathLike, number: int = 0) -> None:
        """Write the chain of one map, for `getdist.loadMCSamples`.

        Parameters
        ----------
        root : path-like
            Path without ending. The files end in `GETDIST_FILES`: ``.txt``, ``.paramnames`` and
            ``.ranges``.
        number : int, optional
            Number of the map, from 0.
        """
        folder, name = Path(root).parent, Path(root).name
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".getdist_") as staging:
            self.to_getdist(number).saveAsText(str(Path(staging, name)))
            for ending in GETDIST_FILES:
                Path(staging, f"{name}{ending}").replace(folder / f"{name}{ending}")


def draw(results: Results, n: int, seed: int, *, n_orientations: int = 1) -> Draws:
    """Draw parameters from the posterior of each map.

    Parameters
    ----------
    results : Results
        Posteriors, rows ordered (orientation, map).
    n : int
        Number of draws per map.
    seed : int
        Seed of the draws.
    n_orientations : int, optional
        Number of orientations of each map. The posterior of a map is their equal mixture.

    Returns
    -------
    draws : Draws
        Draws with their log-probabilities and the truth.

    Raises
    ------
    ValueError
        If `n` is not >= 1.
    """
    posterior = results.posterior.mixed(n_orientations)
    step = max(1, ROWS // max(1, n))
    blocks = [slice(first, first + step) for first in range(0, len(posterior), step)]
    seeds = np.random.SeedSequence(seed).generate_state(len(blocks))
    theta = np.concatenate(
        [
            posterior.take(block).sample(n, int(number))
            for block, number in zip(blocks, seeds, strict=True)
        ]
    )
    truth = results.truth[: len(posterior)]
    log_prob, space = log_prob_of(posterior, theta), results.space.published
    return Draws(theta, log_prob, results.inferred, truth, space)


def equal_tailed(theta: Float[np.ndarray, "M n P"], level: float) -> Float[np.ndarray, "M P 2"]:
    """Compute equal-tailed credible intervals of draws.

    Parameters
    ----------
    theta : (M, n, P) float
        Draws.
    level : float
        Probability inside an interval, from 0 to 1.

    Returns
    -------
    intervals : (M, P, 2) float64
        Lower and upper end of each interval.
    """
    _check_level(level)
    ends = np.quantile(theta, [(1 - level) / 2, (1 + level) / 2], axis=1)
    intervals: np.ndarray = np.moveaxis(ends, 0, -1)
    return intervals


def central_simulation(draws: Draws) -> np.ndarray:
    """Choose the maps of the simulation whose truth is closest to the center of the prior.

    Parameters
    ----------
    draws : Draws
        Draws with known truth, which is the same for the maps of a simulation.

    Returns
    -------
    rows : (R,) int64
        Numbers of its maps.
    """
    low, width = prior_ranges(draws.parameters, draws.space)
    distance = np.square((draws.truth - low) / width - 0.5).sum(axis=1)
    rows: np.ndarray = np.flatnonzero((draws.truth == draws.truth[np.argmin(distance)]).all(axis=1))
    return rows


def select_files(draws: Draws, config: DrawsConfig) -> dict[str, Draws]:
    """Select the draws that are written for ArviZ and GetDist.

    Parameters
    ----------
    draws : Draws
        Draws of all maps.
    config : DrawsConfig
        Whether NetCDF is written, and numbers of the maps whose chains are.

    Returns
    -------
    files : dict of str to Draws
        Ending of the file name -> draws, for `write_files`.

    Raises
    ------
    ValueError
        If a map does not exist.
    """
    for number in config.getdist:
        if number >= len(draws):
            raise ValueError(
                f"draws.getdist: Expected maps from 0 to {len(draws) - 1}, got {number}."
            )
    chains = {f"_map_{number}": draws.take([number]) for number in config.getdist}
    return {**({NETCDF: draws} if config.netcdf else {}), **chains}


def write_files(stem: PathLike, files: Mapping[str, Draws]) -> None:
    """Write draws for ArviZ and GetDist, and delete the files of an earlier run.

    Parameters
    ----------
    stem : path-like
        Path without ending.
    files : mapping of str to Draws
        Ending -> draws, from `select_files`.
    """
    stem = Path(stem)
    for path in stem.parent.glob(f"{glob.escape(stem.name)}*"):
        if path.name.removeprefix(stem.name) == NETCDF or path.suffix in GETDIST_FILES:
            path.unlink()
    for ending, draws in files.items():
        path = stem.with_name(f"{stem.name}{ending}")
        if ending == NETCDF:
            draws.write_netcdf(path)
        else:
            draws.write_getdist(path)


def log_prob_of(
    posterior: JointPosterior, theta: Float[np.ndarray, "M n P"]
) -> Float[np.ndarray, "M n"]:
    """Compute the joint log-probabilities of several parameter vectors per map.

    Parameters
    ----------
    posterior : JointPosterior
        Posteriors of M maps.
    theta : (M, n, P) float64
        Parameters in physical units.

    Returns
    -------
    log_prob : (M, n) float64
        Log-probabilities against the uniform prior [nats].
    """
    n = theta.shape[1]
    log_prob = np.empty(theta.shape[:2])
    step = max(1, ROWS // n)
    for first in range(0, len(theta), step):
        block = slice(first, first + step)
        at = theta[block].reshape(-1, theta.shape[2])
        rows = np.repeat(np.arange(len(theta))[block], n)
        log_prob[block] = posterior.take(rows).log_prob(at).reshape(-1, n)
    return log_prob


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level: Expected a probability between 0 and 1, got {level}.")
