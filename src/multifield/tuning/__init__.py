"""Tuning of hyperparameters with Optuna: sampler, study, storage, driver.

Names are loaded at first use, so that ``import multifield.tuning`` does not import Optuna. They are
listed in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
