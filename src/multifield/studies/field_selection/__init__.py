"""The smallest sets of fields that hold most of what all fields say of the parameters.

PyTorch and Optuna are imported at the first use of a name that needs them. The names are listed in
``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
