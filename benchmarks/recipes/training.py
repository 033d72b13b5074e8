"""Training and inference in this process or in several processes that share a device."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BrokenBarrierError
from typing import NamedTuple, TypeVar

from benchmarks.recipes.cost import N_TIMED, N_TURNS, Clock, Cost
from benchmarks.recipes.maps import Data, Mock, load
from benchmarks.recipes.recipe import Recipe, give_epochs
from multifield.config.training import TrainingConfig
from multifield.data import SplitLoaders
from multifield.evaluation import Results, average_orientations, predict
from multifield.models import find_architecture
from multifield.training import TrainedNetwork, train_network
from multifield.training.allocator import keep_freed_memory

N_ORIENTATIONS = 8
PATIENCE = 900.0  # [s] that a training waits for parallel ones, which may still compile

Result = TypeVar("Result")


@dataclass(frozen=True)
class Trained:
    """Results of one network."""

    test: Results  # test maps, average of eight orientations
    single: Results  # test maps, one orientation
    valid: Results  # validation maps, average of eight orientations
    seconds: float  # cost of the training


class Here(NamedTuple):
    """Data and barrier of a process."""

    data: Data
    barrier: Barrier | None  # synchronizes parallel trainings

    def meet(self) -> None:
        """Wait for parallel trainings."""
        if self.barrier is not None:
            self.barrier.wait(PATIENCE)

    def leave(self) -> None:
        """Release parallel trainings that wait for this one."""
        if self.barrier is not None:
            self.barrier.abort()


def train(here: Here, recipe: Recipe, seed: int) -> Trained:
    """Train and test a network."""
    trained, clock = learn(here, recipe, seed)
    return let_infer(here, recipe, trained, clock.cost)


def let_infer(here: Here, recipe: Recipe, trained: TrainedNetwork, seconds: float) -> Trained:
    """Predict validation and test maps with a network of known cost."""
    data = here.data.whole
    network = find_architecture(recipe.training.architecture)(
        recipe.hyperparameters.hidden,
        0.0,
        data.channels,
        data.map_size,
        head=recipe.training.head,
    )
    network.load_state_dict(trained.state)
    infer = partial(predict, network, device=recipe.training.device)
    valid, test = (
        average_orientations(infer(maps, range(N_ORIENTATIONS)), N_ORIENTATIONS)
        for maps in (data.valid, data.test)
    )
    return Trained(test, infer(data.test, [0]), valid, seconds)


def time_epochs(here: Here, recipe: Recipe, seed: int) -> Cost:
    """Measure the cost of a training with a short one."""
    few = replace(recipe.training, epochs=N_TIMED[recipe.training.device])
    return learn(here, replace(recipe, training=few), seed)[1].parts


def learn(here: Here, recipe: Recipe, seed: int) -> tuple[TrainedNetwork, Clock]:
    """Train a network; return it with its cost."""
    keep_freed_memory()  # as in `multifield run`
    data = anew(here.data.timed)
    clock = Clock(recipe.training.device, here.meet)
    trained = train_network(data, recipe.hyperparameters, recipe.training, seed=seed, report=clock)
    clock.stop()
    return trained, clock


def anew(data: SplitLoaders) -> SplitLoaders:
    """Copy the loaders, so that statistics stored with a loader count as cost of each training."""
    train, valid, test = (copy(each) for each in (data.train, data.valid, data.test))
    return replace(data, train=train, valid=valid, test=test)


# ---- processes ----


Work = Callable[[Here, Recipe, int], Result]


class Workers:
    """Processes that train several seeds at the same time, or this process for one seed.

    Processes are spawned, because neither CUDA nor threads survive a fork.

    Parameters
    ----------
    n : int
        Number of parallel trainings.
    mock : Mock
        Simulations; each process has a copy.
    training : TrainingConfig
        Device and size of batches.
    """

    def __init__(self, n: int, mock: Mock, training: TrainingConfig) -> None:
        self.n = n
        self._pool: ProcessPoolExecutor | None = None
        if n == 1:
            _begin(mock, training, None)
            return
        # a file, because a pipe would start the second process only after the first has read the
        # maps
        self._folder = TemporaryDirectory(prefix="multifield-recipes-")
        path = Path(self._folder.name) / "mock.pickle"
        with path.open("wb") as file:
            pickle.dump(mock, file)
        context = get_context("spawn")
        begin_with = (path, training, context.Barrier(n))
        self._pool = ProcessPoolExecutor(n, context, _begin_there, begin_with)

    def __enter__(self) -> "Workers":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes and cancel waiting work."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._folder.cleanup()

    def run(self, work: Work[Result], recipe: Recipe, seeds: Sequence[int]) -> Iterator[Result]:
        """Run work for each seed; results come in the order of seeds.

        Parameters
        ----------
        work : callable
            Function of a module.
        recipe : Recipe
            Recipe to train.
        seeds : sequence of int
            Seeds. Their number is a multiple of `n`, so that the same number trains at any time.

        Returns
        -------
        results : iterator
            Result of each seed.
        """
        if len(seeds) % self.n:
            raise ValueError(f"seeds: Expected a multiple of {self.n}, got {len(seeds)}.")
        if self._pool is None:
            return (_work(work, recipe, seed) for seed in seeds)
        return _in_order([self._pool.submit(_work, work, recipe, seed) for seed in seeds])


def _in_order(futures: Sequence[Future[Result]]) -> Iterator[Result]:
    """Yield results; raise the error of a failed training rather than that of one that waited."""
    for future in futures:
        try:
            yield future.result()
        except BrokenBarrierError as broken:
            errors = [each.exception() for each in futures]
            reasons = (e for e in errors if e is not None and not isinstance(e, type(broken)))
            raise next(reasons, broken) from None


_here: Here | None = None  # data of this process


def _begin(mock: Mock, training: TrainingConfig, barrier: Barrier | None) -> None:
    """Load the data of this process."""
    global _here
    _here = Here(load(mock, training), barrier)


def _begin_there(path: Path, training: TrainingConfig, barrier: Barrier) -> None:
    """Load the data of a spawned process."""
    with path.open("rb") as file:
        _begin(pickle.load(file), training, barrier)


def _work(work: Work[Result], recipe: Recipe, seed: int) -> Result:
    if _here is None:
        raise RuntimeError("work: Expected a process with loaded maps, got one without.")
    try:
        return work(_here, recipe, seed)
    except BaseException:
        _here.leave()
        raise


# ---- the same cost ----


def fit_into(
    recipes: Sequence[Recipe], workers: Workers, budgets: Sequence[float], n_maps: int
) -> list[list[Recipe]]:
    """Set the number of epochs of each recipe that fits into each time, at least two.

    On a CPU a short training of each recipe is timed twice, alternating, and the cheaper one
    counts, because other load changes the speed. As many train in parallel as later, and the
    slowest counts.

    Parameters
    ----------
    recipes : sequence of Recipe
        Recipes to fit.
    workers : Workers
        Processes that train.
    budgets : sequence of float
        Times of a training, [s].
    n_maps : int
        Number of training maps.

    Returns
    -------
    fitted : list of list of Recipe
        For each recipe, one per budget.
    """
    seeds = range(workers.n)
    device = recipes[0].training.device
    costs = [
        [list(workers.run(time_epochs, recipe, seeds)) for recipe in recipes]
        for _ in range(N_TURNS[device])
    ]
    return [
        [
            give_epochs(recipe, max(min(c.epochs(s) for c in each) for each in turns), n_maps)
            for s in budgets
        ]
        for recipe, turns in zip(recipes, zip(*costs, strict=True), strict=True)
    ]
