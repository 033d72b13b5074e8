"""Plan of a robustness study: the networks to train, and their suites."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multifield.config.studies import PLAIN, Method, RobustnessConfig


@dataclass(frozen=True)
class Task:
    """Training of one network, or of one network per suite for a mixture.

    Attributes
    ----------
    method : Method
        Training method.
    field : str
        Fields of the channels, joined with ``_``.
    width : float
        Smoothing width of the test maps [pixels].
    suites : tuple of str
        Suites to train on.
    target : str or None
        Target suite whose training maps are used without true parameters.
    """

    method: Method
    field: str
    width: float
    suites: tuple[str, ...]
    target: str | None = None

    @property
    def trained_on(self) -> str:
        """Names of the suites, joined with ``+``."""
        return "+".join(self.suites)

    @property
    def widths(self) -> tuple[float, ...]:
        """Smoothing widths of the training maps [pixels]; the first is that of the test maps."""
        extra = (width for width in self.method.smoothing_widths if width != self.width)
        return (self.width, *extra)

    @property
    def effective(self) -> Method:
        """Method without the options that have no effect on a single suite."""
        if len(self.suites) > 1 or self.target:
            return self.method
        return replace(self.method, alignment=0.0, own_scale=False)


def list_tasks(config: RobustnessConfig) -> list[Task]:
    """List the networks to train and test: each suite alone, then the methods.

    Networks of one suite cover all fields at the first smoothing, and studied fields at every
    smoothing. Methods are trained on all suites except the held-out one, for studied fields at the
    first smoothing.

    Parameters
    ----------
    config : RobustnessConfig
        Suites, fields, smoothing widths and methods.

    Returns
    -------
    tasks : list of Task
        Networks in the order of training and of the score table.
    """
    first, *others = config.smoothing_widths
    scales = [(field, first) for field in config.fields]
    scales += [(field, width) for field in config.studied for width in others]
    alone = [Task(PLAIN, *scale, (suite,)) for scale in scales for suite in config.suites]
    together = [
        _with_target(Task(method, field, first, config.training_suites), config.held_back)
        for field in config.studied
        for method in config.methods
    ]
    return alone + together


def leave_one_out(task: Task) -> list[tuple[Task, str]]:
    """List the networks that lack one suite of a task, with the suite that each lacks."""
    return [
        (_with_target(replace(task, suites=_without(task.suites, suite)), suite), suite)
        for suite in task.suites
    ]


def each_alone(task: Task) -> list[Task]:
    """List the members of a mixture, one network per suite; none for other methods."""
    if not task.method.mixture or len(task.suites) == 1:
        return []
    return [replace(task, suites=(suite,)) for suite in task.suites]


def every_network(tasks: Sequence[Task]) -> list[Task]:
    """List all networks that tasks need, including teachers and members of mixtures.

    Parameters
    ----------
    tasks : sequence of Task
        Networks to test.

    Returns
    -------
    networks : list of Task
        Networks to train, possibly with repetitions. Teachers precede the networks that use them.
    """
    networks: list[Task] = []
    for task in tasks:
        lacking = leave_one_out(task) if task.method.widen else []
        for one in (*(each_alone(task) or [task]), *(other for other, _ in lacking)):
            if one.method.teacher is not None:
                networks.append(teacher_of(one))
            networks.append(one)
    return networks


def teacher_of(task: Task) -> Task:
    """Give the network that infers pseudo-labels of a task's target suite.

    Parameters
    ----------
    task : Task
        Task whose method has a teacher.

    Returns
    -------
    teacher : Task
        Network of the teacher's field, trained on the same suites.

    Raises
    ------
    ValueError
        If the method has no teacher.
    """
    if task.method.teacher is None:
        raise ValueError(f"task: Expected a method with a teacher, got {task.method.name}.")
    return Task(PLAIN, task.method.teacher, task.width, task.suites)


def _with_target(task: Task, suite: str) -> Task:
    """Set the target suite of a task, if its method uses one."""
    needed = task.method.unlabelled or task.method.teacher is not None
    return replace(task, target=suite if needed else None)


def _without(suites: tuple[str, ...], left_out: str) -> tuple[str, ...]:
    return tuple(suite for suite in suites if suite != left_out)
