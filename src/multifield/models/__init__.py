"""Architectures of networks, their registry, and files with their weights.

Names are loaded at first use, so that ``import multifield.models`` does not import PyTorch. They
are listed in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
