"""Which networks answer the questions of a configuration."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from multifield.config.studies import PLAIN, Method, RobustnessConfig


@dataclass(frozen=True)
class Task:
    """One network, or one of each suite: how it is trained, and on what."""

    method: Method
    field: str
    width: float  # [pixels]
    suites: tuple[str, ...]
    asked_about: str | None = None  # a suite of which training maps are seen, and no parameters

    @property
    def trained_on(self) -> str:
        """The suites, joined with ``+``."""
        return "+".join(self.suites)

    @property
    def widths(self) -> tuple[float, ...]:
        """Smoothing of the training maps [pixels], that of the test maps first."""
        extra = (width for width in self.method.smoothing_widths if width != self.width)
        return (self.width, *extra)

    @property
    def effective(self) -> Method:
        """The method as far as it acts on the training: a suite alone has none to differ from."""
        if len(self.suites) > 1 or self.asked_about:
            return self.method
        return replace(self.method, alignment=0.0, own_scale=False)


def list_tasks(config: RobustnessConfig) -> list[Task]:
    """List what is trained and tested: each suite alone, studied fields at each smoothing; then methods.

    Methods are trained on all suites but the one held back, at the first smoothing, for studied fields.
    """
    first, *others = config.smoothing_widths
    scales = [(field, first) for field in config.fields]
    scales += [(field, width) for field in config.studied for width in others]
    alone = [Task(PLAIN, *scale, (suite,)) for scale in scales for suite in config.suites]
    together = [
        _ask_about(Task(method, field, first, config.training_suites), config.held_back)
        for field in config.studied
        for method in config.methods
    ]
    return alone + together


def leave_one_out(task: Task) -> list[tuple[Task, str]]:
    """Give the networks that lack one of the suites of a task, and the suite that each lacks."""
    return [
        (_ask_about(replace(task, suites=_without(task.suites, suite)), suite), suite)
        for suite in task.suites
    ]


def each_alone(task: Task) -> list[Task]:
    """Give the networks whose posteriors a mixture is of, one of each suite; none for other methods."""
    if not task.method.mixture or len(task.suites) == 1:
        return []
    return [replace(task, suites=(suite,)) for suite in task.suites]


def every_network(tasks: Sequence[Task]) -> list[Task]:
    """List the networks that tasks need, teachers and members of mixtures included; some may be equal.

    Returns
    -------
    networks : list of Task
        A teacher stands before its pupils.
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
    """Give the network that tells a task the parameters of the suite it is asked about.

    Raises
    ------
    ValueError
        If its method has no teacher.
    """
    if task.method.teacher is None:
        raise ValueError(f"task: expected a method with a teacher, got {task.method.name}")
    return Task(PLAIN, task.method.teacher, task.width, task.suites)


def _ask_about(task: Task, suite: str) -> Task:
    """Let a network see maps of the suite that it will be asked about, if its method wants them."""
    wanted = task.method.unlabelled or task.method.teacher is not None
    return replace(task, asked_about=suite if wanted else None)


def _without(suites: tuple[str, ...], left_out: str) -> tuple[str, ...]:
    return tuple(suite for suite in suites if suite != left_out)
