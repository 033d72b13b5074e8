"""Parameters of new maps: the card of trained networks, predictions and out-of-distribution flags.

PyTorch is imported at the first use of a name that needs it. The names are listed in
``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
