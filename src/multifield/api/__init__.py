"""Python interface. See `multifield`."""

from multifield.core.threads import spin_briefly

spin_briefly()  # before the modules of this package import PyTorch
