"""The screen of functions and objects with which maps are used from Python; see `multifield`."""

import warnings

# tqdm, which Optuna imports, asks for ipywidgets in every notebook; none of its bars is shown
warnings.filterwarnings("ignore", message="IProgress not found")
