"""Result of an explanation: one row per number, each with its bootstrap interval."""

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from multifield.evaluation.intervals import Interval

Topic = Literal[
    "maps", "scales", "smoothing", "environments", "statistics", "outputs", "monopole", "fields"
]
Reader = Literal["network", "statistics"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Row:
    """One number of an explanation.

    Attributes
    ----------
    topic : str
        Question that the number answers.
    name : str
        Name of the removed or read part: a filter, class of pixels, group of statistics, field or
        parameter.
    quantity : str
        Measured quantity, with its unit in brackets.
    read_by : {"network", "statistics"}
        Trained network, or regression from statistics that was trained on the same view.
    scale : float or None
        Wave number [h/Mpc], or width of the smoothing [pixels]. None for all scales.
    interval : Interval or None
        Value with its interval over test simulations. None if it is not finite.
    """

    topic: Topic
    name: str
    quantity: str
    read_by: Reader
    scale: float | None
    interval: Interval | None


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Explanation:
    """Information that a network reads from maps.

    Attributes
    ----------
    suite : str
        Name of the suite.
    mock : bool
        Whether the suite was made by this project.
    fields : tuple of str
        Fields of the maps.
    inferred : tuple of str
        Names of the inferred parameters.
    map_size : int
        Number of pixels per side.
    n_networks : int
        Number of trained networks, whose posteriors are averaged.
    n_simulations : int
        Number of test simulations, which are resampled.
    level : float
        Confidence level of the intervals.
    rows : tuple of Row
        All numbers.
    left_out : tuple of str
        Questions without an answer, with the reason.
    """

    suite: str
    mock: bool
    fields: tuple[str, ...]
    inferred: tuple[str, ...]
    map_size: int
    n_networks: int
    n_simulations: int
    level: float
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]

    def find(
        self,
        topic: Topic,
        quantity: str | None = None,
        name: str | None = None,
        read_by: Reader | None = None,
    ) -> list[Row]:
        """Find rows.

        Parameters
        ----------
        topic : str
            Their question.
        quantity, name, read_by : str, optional
            Other attributes they must have.

        Returns
        -------
        rows : list of Row
            Rows in their order.
        """
        asked = {"topic": topic, "quantity": quantity, "name": name, "read_by": read_by}
        wanted = {key: value for key, value in asked.items() if value is not None}
        return [
            row
            for row in self.rows
            if all(getattr(row, key) == value for key, value in wanted.items())
        ]
