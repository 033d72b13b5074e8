"""How good the inferred parameters are: results files, metrics, predictions, figures, summary.

PyTorch and matplotlib are imported at the first use of a name that needs them, so that ``import
multifield.evaluation`` stays quick. The names are listed in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
