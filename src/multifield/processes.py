"""Processes that train one network together, as the environment names them.

`multifield.models.exchange` joins them.

The variables are those of torchrun: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT.
"""

import os
import sys


def count_processes() -> int:
    """Say how many processes train each network; 1 unless the environment says more.

    Raises
    ------
    ValueError
        If a variable that the others need is missing.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    needed = ("RANK", "MASTER_ADDR", "MASTER_PORT")
    missing = [name for name in needed if name not in os.environ]
    if size > 1 and missing:
        raise ValueError(
            f"WORLD_SIZE: expected {', '.join(needed)} beside {size} processes, as torchrun and "
            f"multifield.launch set them, got no {', '.join(missing)}"
        )
    return size


def is_first() -> bool:
    """Say whether this is the process that has results: the only one, or that of rank 0."""
    return count_processes() == 1 or os.environ["RANK"] == "0"


def end_unless_first() -> None:
    """End this process, well, unless it is the first: results are written once.

    Raises
    ------
    SystemExit
        With 0, in all others.
    """
    if not is_first():
        sys.exit(0)
