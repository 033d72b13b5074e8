"""The functions and objects with which maps are used from Python; see `multifield`."""

from multifield.core.threads import spin_briefly

spin_briefly()  # before PyTorch is imported, which the modules here do when they are used
