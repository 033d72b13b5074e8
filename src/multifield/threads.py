"""How many threads a setting of 0 means."""

import os


def available_threads(n_threads: int) -> int:
    """Return `n_threads`, or the cores this process may use where it is 0."""
    if n_threads:
        return n_threads
    if hasattr(os, "sched_getaffinity"):  # Linux; a Slurm job sees its own cores alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
