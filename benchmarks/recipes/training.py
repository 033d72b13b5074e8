"""Networks that are trained and infer, in this process or in several that share a device."""

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
PATIENCE = 900.0  # [s] that a training waits for those beside it, which compile meanwhile

Result = TypeVar("Result")


@dataclass(frozen=True)
class Trained:
    """What one network inferred."""

    test: Results  # of eight orientations, averaged
    single: Results  # of one orientation
    valid: Results  # of eight, averaged
    seconds: float  # that it cost to train it


class Here(NamedTuple):
    """What a process trains with."""

    data: Data
    barrier: Barrier | None  # where trainings beside this one meet

    def meet(self) -> None:
        """Wait until the trainings beside this one are there too."""
        if self.barrier is not None:
            self.barrier.wait(PATIENCE)

    def leave(self) -> None:
        """Let none wait for this one."""
        if self.barrier is not None:
            self.barrier.abort()


def train(here: Here, recipe: Recipe, seed: int) -> Trained:
    """Train a network, and let it infer."""
    trained, clock = learn(here, recipe, seed)
    return let_infer(here, recipe, trained, clock.cost)


def let_infer(here: Here, recipe: Recipe, trained: TrainedNetwork, seconds: float) -> Trained:
    """Let a network, which took so long to train, infer the parameters of validation and test maps."""
    data = here.data.whole
    network = find_architecture(recipe.training.architecture)(
        recipe.hyperparameters.hidden, 0.0, data.channels, data.map_size
    )
    network.load_state_dict(trained.state)
    infer = partial(predict, network, device=recipe.training.device)
    valid, test = (
        average_orientations(infer(maps, range(N_ORIENTATIONS)), N_ORIENTATIONS)
        for maps in (data.valid, data.test)
    )
    return Trained(test, infer(data.test, [0]), valid, seconds)


def time_epochs(here: Here, recipe: Recipe, seed: int) -> Cost:
    """Find what a training costs, by a short one."""
    few = replace(recipe.training, epochs=N_TIMED[recipe.training.device])
    return learn(here, replace(recipe, training=few), seed)[1].parts


def learn(here: Here, recipe: Recipe, seed: int) -> tuple[TrainedNetwork, Clock]:
    """Train a network; give it, and what it cost."""
    keep_freed_memory()  # as `multifield run` does
    data = anew(here.data.timed)
    clock = Clock(recipe.training.device, here.meet)
    trained = train_network(data, recipe.hyperparameters, recipe.training, seed=seed, report=clock)
    clock.stop()
    return trained, clock


def anew(data: SplitLoaders) -> SplitLoaders:
    """Give the same loaders as others: statistics that go with a loader are then a cost of each training."""
    train, valid, test = (copy(each) for each in (data.train, data.valid, data.test))
    return replace(data, train=train, valid=valid, test=test)


# ---- processes ----


Work = Callable[[Here, Recipe, int], Result]


class Workers:
    """What trains several seeds at the same time: processes, or this one where one is enough.

    Processes are spawned: neither CUDA nor threads survive a fork.

    Parameters
    ----------
    n : int
        Trainings at a time.
    mock : Mock
        The maps; each process has a copy.
    training : TrainingConfig
        Says for which device batches are made, and how large they are.
    """

    def __init__(self, n: int, mock: Mock, training: TrainingConfig) -> None:
        self.n = n
        self._pool: ProcessPoolExecutor | None = None
        if n == 1:
            _begin(mock, training, None)
            return
        # by way of a file: through a pipe, the second process would begin when the first has taken the maps
        self._folder = TemporaryDirectory(prefix="multifield-recipes-")
        path = Path(self._folder.name) / "mock.pickle"
        with path.open("wb") as file:
            pickle.dump(mock, file)
        context = get_context("spawn")
        begin_with = (path, training, context.Barrier(n))
        self._pool = ProcessPoolExecutor(n, context, _begin_there, begin_with)

    def __enter__(self) -> "Workers":
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes; work that waits is left undone."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._folder.cleanup()

    def run(self, work: Work[Result], recipe: Recipe, seeds: Sequence[int]) -> Iterator[Result]:
        """Do some work for each seed; results come in the order of seeds.

        Parameters
        ----------
        work : callable
            A function of a module.
        recipe : Recipe
        seeds : sequence of int
            A multiple of `n`, so that as many train at a time from beginning to end.
        """
        if len(seeds) % self.n:
            raise ValueError(f"seeds: expected a multiple of {self.n}, got {len(seeds)}")
        if self._pool is None:
            return (_work(work, recipe, seed) for seed in seeds)
        return _in_order([self._pool.submit(_work, work, recipe, seed) for seed in seeds])


def _in_order(futures: Sequence[Future[Result]]) -> Iterator[Result]:
    """Give results as they come; the reason, where one failed for which another waited."""
    for future in futures:
        try:
            yield future.result()
        except BrokenBarrierError as broken:
            errors = [each.exception() for each in futures]
            reasons = (e for e in errors if e is not None and not isinstance(e, type(broken)))
            raise next(reasons, broken) from None


_here: Here | None = None  # of this process


def _begin(mock: Mock, training: TrainingConfig, barrier: Barrier | None) -> None:
    """Make the batches of this process."""
    global _here
    _here = Here(load(mock, training), barrier)


def _begin_there(path: Path, training: TrainingConfig, barrier: Barrier) -> None:
    """Do so in a process that was started."""
    with path.open("rb") as file:
        _begin(pickle.load(file), training, barrier)


def _work(work: Work[Result], recipe: Recipe, seed: int) -> Result:
    if _here is None:
        raise RuntimeError("expected a process that has maps")
    try:
        return work(_here, recipe, seed)
    except BaseException:
        _here.leave()
        raise


# ---- the same cost ----


def fit_into(
    recipes: Sequence[Recipe], workers: Workers, seconds: float, n_maps: int
) -> list[Recipe]:
    """Give recipes as many epochs as fit into so much time, two at least.

    On a CPU a short training of each is timed in turns and the cheaper of two counts: what else the machine
    does makes a second of its processors worth more or less. As many train at a time as later, and the
    slowest counts.
    """
    seeds = range(workers.n)
    device = recipes[0].training.device
    fitting = [
        [min(c.epochs(seconds) for c in workers.run(time_epochs, r, seeds)) for r in recipes]
        for _ in range(N_TURNS[device])
    ]
    epochs = [max(each) for each in zip(*fitting, strict=True)]
    return [give_epochs(recipe, n, n_maps) for recipe, n in zip(recipes, epochs, strict=True)]
