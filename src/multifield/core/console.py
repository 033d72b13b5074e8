"""The last words of a run: a table, and below it what the user may look at or do next."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


def print_table(
    table: Table, next_steps: Sequence[str], console: Console | None = None, heading: str = ""
) -> None:
    """Print a table and, below it, the next steps.

    Parameters
    ----------
    table : rich.table.Table
    next_steps : sequence of str
        One a line, shown as they are, so that a command can be copied.
    console : rich.console.Console, optional
        Where to print; standard output if not given.
    heading : str, optional
        Above the steps, if there are any.
    """
    console = console or Console()
    console.print(table)
    if heading and next_steps:
        console.print(heading, highlight=False)
    for step in next_steps:
        console.print(f"  {step}", markup=False, highlight=False, soft_wrap=True)
