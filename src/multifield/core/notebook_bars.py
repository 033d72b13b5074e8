"""Progress bars in a notebook."""

import io
import time
from typing import Any, ClassVar, cast

import rich
from rich.console import Console
from rich.progress import Progress, ProgressColumn


def in_notebook() -> bool:
    """Return whether output goes to a notebook cell."""
    return rich.get_console().is_jupyter


class NotebookBars(Progress):
    """Progress bars as text in the output of a notebook cell, redrawn in place.

    Successive bars of one cell replace each other. Rich's own bars need ipywidgets and warn if it
    is not installed.

    Parameters
    ----------
    *columns : ProgressColumn or str
        Parts of a bar.
    **options : object
        Other arguments of `rich.progress.Progress`.
    """

    WIDTH = 100  # [characters]
    PERIOD = 0.5  # [s] between two updates
    _places: ClassVar[dict[int, Any]] = {}  # number of the running cell -> display of its bars

    def __init__(self, *columns: ProgressColumn | str, **options: Any) -> None:
        self._place: Any = None
        self._drawn = 0.0
        super().__init__(*columns, **options)

    def start(self) -> None:
        """Create the display of the bars."""
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        ipython, show = cast(Any, get_ipython), cast(Any, display)  # both untyped
        cell = ipython().execution_count
        if cell not in self._places:
            self._places.clear()
            self._places[cell] = show({"text/plain": ""}, raw=True, display_id=True)
        self._place = self._places[cell]

    def stop(self) -> None:
        """Show the final bars."""
        self._draw()
        self._place = None

    def update(self, *args: Any, **options: Any) -> None:
        """Update a bar; see `rich.progress.Progress.update`."""
        super().update(*args, **options)
        self._draw_now_and_then()

    def advance(self, *args: Any, **options: Any) -> None:
        """Advance a bar; see `rich.progress.Progress.advance`."""
        super().advance(*args, **options)
        self._draw_now_and_then()

    def _draw_now_and_then(self) -> None:
        if time.monotonic() - self._drawn >= self.PERIOD:
            self._draw()

    def _draw(self) -> None:
        if self._place is None:
            return
        self._drawn = time.monotonic()
        paper = Console(
            file=io.StringIO(), width=self.WIDTH, force_jupyter=False, color_system=None
        )
        with paper.capture() as text:
            paper.print(self.get_renderable())
        self._place.update({"text/plain": text.get().rstrip()}, raw=True)
