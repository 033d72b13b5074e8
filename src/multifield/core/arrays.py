"""Types of the arrays that functions take and return.

Letters of the shapes:

====== =============================================
letter meaning
====== =============================================
N      maps in a file
B      maps in a batch
C      channels, which are fields
L      pixels per side
S      simulations
P      parameters (six in CMD)
====== =============================================

They document functions, and the tests check them at run time (jaxtyping with beartype).
"""

import numpy as np
from jaxtyping import Float, Float16, Float32, Float64, Int64, UInt16, UInt64

Map = Float32[np.ndarray, "L L"]
Maps = Float32[np.ndarray, "N L L"]
HalfMaps = Float16[np.ndarray, "N L L"]
StoredMaps = Maps | HalfMaps
MapBatch = Float32[np.ndarray, "B C L L"]
HalfBatch = Float16[np.ndarray, "B C L L"] | UInt16[np.ndarray, "B C L L"]
"""Maps in 16 bits: float16, or bfloat16 stored as uint16."""
Moments = Float64[np.ndarray, "N 3"]
"""Count, mean and M2 (sum of squared deviations from the mean) of each map."""
Digests = UInt64[np.ndarray, " N"]
"""Digest of the values of each map (XXH3, 64 bits)."""
Theta = Float[np.ndarray, "S P"]
"""Parameters in physical units, one row per simulation or per map."""
Thetas = Float[np.ndarray, "... P"]
"""Parameters in arrays of any shape, such as several draws per map."""
Index = Int64[np.ndarray, " N"]
