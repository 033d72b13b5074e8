"""Field selection: the smallest sets of fields that keep most of the information.

PyTorch and Optuna are imported at the first use of a name that needs them. ``__init__.pyi`` lists
the names.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
