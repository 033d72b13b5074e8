"""Methods that are compared, and what each found about the test maps."""

import importlib
import importlib.util
import pickle
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers import npe
from benchmarks.peers.inputs import make_inputs
from benchmarks.recipes.maps import Mock
from benchmarks.recipes.recipe import read_recipe
from benchmarks.recipes.training import Workers, fit_into, train
from multifield import camels
from multifield.maps import maps_of

N_DRAWS = 200  # per test map
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Outcome:
    """Posteriors of the test maps by one method and seed, in units of the prior range."""

    log_prob: np.ndarray  # (M,) of the truth [nats against the uniform prior]
    draws: np.ndarray | None  # (M, n, P)
    seconds: float  # processor time of the training and the statistics of its maps
    memory: float  # peak of the process [MiB]
    epochs: str


Run = Callable[[Mock, Sequence[int], float], list[Outcome]]


def run_alone(run: Run, path: Path, seeds: Sequence[int], seconds: float) -> list[Outcome]:
    """Run a method in this process, on the maps of a file and one thread."""
    torch.set_num_threads(1)
    with path.open("rb") as file:
        mock: Mock = pickle.load(file)
    return run(mock, seeds, seconds)


def peak_memory() -> float:
    """Return the peak memory of this process, [MiB]."""
    status = Path("/proc/self/status")
    if status.is_file():  # a child's ru_maxrss begins with the memory of its parent
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MEBIBYTE if sys.platform == "darwin" else 1024)


# ---- ours ----


def run_recipe(
    mock: Mock, seeds: Sequence[int], seconds: float, *, name: str, head: str
) -> list[Outcome]:
    """Train a recipe of ``conf/`` for as many epochs as fit into the time."""
    recipe = read_recipe(name, 1, training={"head": head})
    outcomes = []
    with Workers(1, mock, recipe.training) as workers:
        n_maps = len(maps_of(mock.split.train))
        [[recipe]] = fit_into([recipe], workers, [seconds], n_maps)
        for seed, trained in zip(seeds, workers.run(train, recipe, seeds), strict=True):
            posterior, truth = trained.test.posterior, trained.test.truth
            low, width = prior_of(posterior.parameters)
            outcomes.append(
                Outcome(
                    posterior.log_prob(truth),
                    (posterior.sample(N_DRAWS, seed) - low) / width,
                    trained.seconds,
                    peak_memory(),
                    str(recipe.training.epochs),
                )
            )
    return outcomes


def prior_of(parameters: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return minima and widths of the prior ranges, (P,) each."""
    chosen = [camels.PARAMETERS[camels.PARAMETER_NAMES.index(name)] for name in parameters]
    low = np.array([parameter.minimum for parameter in chosen])
    return low, np.array([parameter.maximum for parameter in chosen]) - low


# ---- sbi ----


def run_npe(
    mock: Mock, seeds: Sequence[int], seconds: float, *, flow: str, kind: str
) -> list[Outcome]:
    """Train a density estimator of sbi on one kind of input."""
    begin = time.process_time()
    parts = make_inputs(mock, kind)
    of_inputs = time.process_time() - begin
    outcomes = []
    for seed in seeds:
        begin = time.process_time()
        found = npe.fit(parts, flow, seed, seconds - of_inputs)
        cost = of_inputs + time.process_time() - begin
        log_prob, draws = found.infer(parts.test.x, parts.test.theta, N_DRAWS)
        outcomes.append(Outcome(log_prob, draws, cost, peak_memory(), str(found.n_epochs)))
    return outcomes


# ---- of the user ----


def run_function(
    mock: Mock, seeds: Sequence[int], seconds: float, *, place: str, kind: str
) -> list[Outcome]:
    """Call a function ``fit(x, theta) -> log_prob`` of a module."""
    module, _, name = place.partition(":")
    fit = getattr(importlib.import_module(module), name)
    begin = time.process_time()
    parts = make_inputs(mock, kind)
    of_inputs = time.process_time() - begin
    outcomes = []
    for seed in seeds:
        np.random.seed(seed)  # noqa: NPY002 - the function may use the global generators
        torch.manual_seed(seed)
        begin = time.process_time()
        log_prob = fit(parts.train.x, parts.train.theta)
        cost = of_inputs + time.process_time() - begin
        values = np.asarray(log_prob(parts.test.x, parts.test.theta), np.float64)
        if values.shape != (len(parts.test.x),):
            raise ValueError(
                f"{place}: Expected {len(parts.test.x)} log-probabilities, one per test map, got "
                f"shape {values.shape}."
            )
        sample = getattr(log_prob, "sample", None)
        draws = None if sample is None else np.asarray(sample(parts.test.x, N_DRAWS))
        outcomes.append(Outcome(values, draws, cost, peak_memory(), ""))
    return outcomes


# ---- all of them ----

OWN: dict[str, Run] = {
    "statistics, autoregressive": partial(run_recipe, name="statistics", head="autoregressive"),
    "statistics, diagonal": partial(run_recipe, name="statistics", head="diagonal"),
    "published": partial(run_recipe, name="published", head="diagonal"),
}
OF_SBI: dict[str, Run] = {
    f"sbi NPE {flow}, {kind}": partial(run_npe, flow=flow, kind=kind)
    for kind, flow in (
        ("statistics", "maf"),
        ("statistics", "nsf"),
        ("spectra", "maf"),
        ("spectra", "nsf"),
        ("maps", "maf"),
    )
}


def find_methods(peers: Sequence[str]) -> tuple[dict[str, Run], list[str]]:
    """Return the methods that can run here, and the names of those that cannot.

    Parameters
    ----------
    peers : sequence of str
        Functions of the user, as ``module:function`` or ``module:function@input``.

    Returns
    -------
    methods : dict of callable
        Name -> function of maps, seeds and seconds.
    missing : list of str
        Names of methods whose package is not installed.
    """
    of_user = {}
    for peer in peers:
        place, _, kind = peer.partition("@")
        of_user[peer] = partial(run_function, place=place, kind=kind or "statistics")
    if importlib.util.find_spec("sbi") is None:
        return OWN | of_user, list(OF_SBI)
    return OWN | OF_SBI | of_user, []
