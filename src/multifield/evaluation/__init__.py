"""Results files, metrics, calibration, predictions, ensembles and saliency of test maps.

PyTorch is imported at the first use of a name that needs it, so that ``import
multifield.evaluation`` stays quick. The names are listed in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
