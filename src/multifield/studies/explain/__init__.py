"""Explanation: what a network reads from maps, by scale, environment, statistic and field.

PyTorch is imported at the first use of a name that needs it. ``__init__.pyi`` lists the names.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
