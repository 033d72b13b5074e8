"""Measure how accurate the recipes of ``conf/`` are at the same cost, on mock suites.

Run ``python -m benchmarks.recipes --suite MockGaussian`` in the repository; ``--quick`` takes seconds and
says nothing of accuracy. All networks of a run see the same simulations and the same split, and train for the
same processor time on one thread: an epoch of each is timed, validation included, and as many are run as fit
into ``--seconds``. ``--switch`` adds networks of the recommended recipe with one setting switched back to
the published value, which is what that setting is worth. Every error is of simulations that were not fitted
to, in eight orientations that are averaged; chi2 is given as inferred, and after the factors that validation
maps give.

With ``--device cuda`` the cost is the time on a clock of all epochs, and loaders, precision and compilation
are those of a run: what the first epoch takes longer than the others, to compile and to bring the maps there,
is left out for all recipes alike. ``--jobs 3`` trains three seeds of a recipe at the same time.

``--trials 4`` searches: each recipe trains four networks, each in ``--seconds``, whose hyperparameters are
drawn from its own search space in environment ``mock`` as ``tune`` draws them. The one of the lowest
validation loss is tested, and costs what all four do.
"""
