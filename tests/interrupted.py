"""A `kedro` that gets a signal; no test."""

# kedro, with a signal in the midst of one step of training; from outside it would come too early or too late
INTERRUPTED = """
import signal, sys
from multifield.training import loop
from kedro.framework.cli.cli import main

original, (signum, times, at) = loop.train_step, map(int, sys.argv[1:4])

def train_step(*arguments, step, **options):
    if step == at:
        for _ in range(times):
            signal.raise_signal(signum)
    return original(*arguments, step=step, **options)

loop.train_step = train_step
sys.argv[1:4] = []
main()
"""
