"""Training of one network: loss, loop, configuration, files of losses.

PyTorch is imported at the first use of a name, so that ``import multifield.training`` stays quick. The
names are listed in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
