from . import camels as camels
from . import data as data
from . import evaluation as evaluation
from . import maps as maps
from . import mock as mock
from . import models as models
from . import prediction as prediction
from . import reporting as reporting
from . import studies as studies
from . import training as training
from . import tuning as tuning
from .api.network import FittedNetwork as FittedNetwork
from .api.network import load_network as load_network
from .api.posterior import Posterior as Posterior
from .api.study import Study as Study
from .api.study import tune as tune
from .api.suite import Part as Part
from .api.suite import Suite as Suite
from .api.suite import load_suite as load_suite
from .api.training import train as train

__version__: str
