from .baselines import BASELINES as BASELINES
from .baselines import compare as compare
from .baselines import exact_results as exact_results
from .baselines import infer_exactly as infer_exactly
from .baselines import infer_with_baselines as infer_with_baselines
