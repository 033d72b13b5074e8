"""Measure how accurate the recipes of ``conf/`` are at the same cost, on mock suites.

Run ``python -m benchmarks.recipes --suite MockGaussian`` in the repository. ``--quick`` takes
seconds and does not measure accuracy. All networks of a run use the same simulations and split.
They train for the same processor time on one thread: an epoch of each is timed, including
validation, and as many epochs are run as fit into ``--seconds``. ``--switch`` adds networks of the
recommended recipe with one setting switched back to the published value, which shows its effect.
Errors are measured on test simulations, averaged over eight orientations. The tables show chi2
before and after recalibration on validation maps.

``--seconds 60 200 600 2000`` gives each recipe one budget after the other. ``--points FILE.csv``
adds each result to a file, which ``benchmarks.recipes.points`` draws. ``--params`` sets the same
settings for all recipes.

With ``--device cuda`` the cost is the wall-clock time of all epochs, with the loaders, precision
and compilation of a run. The extra time of the first epoch, for compilation and transfer of maps,
is excluded for all recipes. ``--jobs 3`` trains three seeds of a recipe at the same time.

``--trials 4`` runs a search: each recipe trains four networks, each in ``--seconds``. Their
hyperparameters are drawn from its search space in environment ``mock``, as in ``tune``. The
network with the lowest validation loss is tested; its cost is that of all four.
"""
