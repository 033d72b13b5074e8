from .folder import ModelFolder as ModelFolder
from .inference import for_inference as for_inference
from .o3_err import O3Err as O3Err
from .registry import ARCHITECTURES as ARCHITECTURES
from .weights import StateDict as StateDict
from .weights import load_state as load_state
from .weights import load_weights as load_weights
from .weights import save_weights as save_weights
