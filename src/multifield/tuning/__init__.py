"""Hyperparameters by Optuna: search space, study, trials, progress.

Optuna is imported at the first use of a name, so that ``import multifield.tuning`` stays quick. The names
are listed in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
