"""Cosmological parameters, with uncertainties, from maps of the CAMELS Multifield Dataset.

Start here::

    import multifield as mf

    suite = mf.load_suite("MockNbody", "Mtot")        # 400 mock simulations, in minutes
    network = mf.train(suite, recipe="statistics")    # seconds to minutes
    posterior = network.infer(suite.test)             # mean and std per map
    posterior.score()                                 # log_prob, RMSE, R2, chi2, ...
    posterior.plot()                                  # means against the truth

    study = mf.tune(suite, n_trials=20, workers=2)    # search hyperparameters
    network.save("net/")
    mf.load_network("net/").infer("new_maps.npy")     # maps with unknown parameters

Published maps, and your own::

    mf.load_suite("IllustrisTNG", ["Mgas", "T"], folder="/path/to/2D_maps/data")
    mf.load_suite("MySimulation", "Mtot", maps=maps, theta=table)    # 15 maps per row

Any setting of ``conf/base`` is a keyword of `load_suite`, `train` or `tune`. ``help(mf.train)``
lists the most used ones. In a notebook, run ``%matplotlib inline`` to show figures. The command
``multifield run`` does the same from a shell and writes a report.

Packages:

- `camels`: suites, sets, fields, parameters, units and file names of the dataset
- `maps`: smoothing, logarithm, power spectrum, split of simulations
- `data`: from files to batches: log maps, normalization, augmentation, loaders
- `mock`: mock universes, and Gaussian maps with known exact posterior
- `models`: networks
- `training`: one training, in this process or on workers
- `tuning`: hyperparameter studies with Optuna
- `evaluation`: results, metrics, calibration, recalibration
- `prediction`: inference from new maps, cards of networks, out-of-distribution maps
- `reporting`: figures and the report of a run
- `studies`: baselines, robustness across suites, selection of fields
"""

import warnings
from importlib.metadata import version

import lazy_loader

__version__ = version("multifield")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# tqdm, which Optuna imports, warns in notebooks without ipywidgets
warnings.filterwarnings("ignore", message="IProgress not found")
