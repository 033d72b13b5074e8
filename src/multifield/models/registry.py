"""Short names of the architectures, as the configuration spells them."""

from multifield.models.o3_err import O3Err

ARCHITECTURES = {"o3_err": O3Err}
