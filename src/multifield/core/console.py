"""Console output at the end of a run: a table and the next steps."""

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
        Table to print.
    next_steps : sequence of str
        Steps, one per line, printed without markup so that commands can be copied.
    console : rich.console.Console, optional
        Console to print to. Standard output if not given.
    heading : str, optional
        Line above the steps. Not printed if there are none.
    """
    console = console or Console()
    console.print(table)
    if heading and next_steps:
        console.print(heading, highlight=False)
    for step in next_steps:
        console.print(f"  {step}", markup=False, highlight=False, soft_wrap=True)
