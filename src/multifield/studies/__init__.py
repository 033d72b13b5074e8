"""Studies beyond one network on one suite.

This package exports the baselines. `multifield.studies.robustness` tests networks on other suites,
`multifield.studies.field_selection` finds the most informative fields, `multifield.studies.explain`
measures what a network reads, and `multifield.studies.scoring` scores predictions of any program.

Names are loaded at first use, so that pipelines do not import PyTorch. They are listed in
``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
