"""Figures, the HTML report of a run, and the tables printed at the end of a run.

matplotlib is imported at the first use of a name that needs it. The names are listed in
``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
