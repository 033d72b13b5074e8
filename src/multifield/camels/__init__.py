"""The CAMELS Multifield Dataset: suites, sets, fields, parameters, units and file names.

Two pitfalls:

* The columns of a parameter table are **SN1, AGN1, SN2, AGN2**. Papers often list SN1, SN2, AGN1,
  AGN2.
* Map *i* belongs to simulation ``i // 15``: 15 maps share one parameter vector. A split by map
  **leaks**; split by simulation.
"""

from multifield.camels.fields import (
    BOX_SIZE,
    CRITICAL_DENSITY,
    FIELDS,
    HUBBLE,
    MAP_SIZE,
    MAPS_PER_SIMULATION,
    N_AXES,
    N_SLABS,
    REDSHIFT_LABEL,
    Field,
    Transform,
)
from multifield.camels.file_names import (
    log_maps_name,
    maps_names,
    recipe_label,
    run_name,
    theta_names,
    word_of_label,
)
from multifield.camels.parameters import (
    COSMOLOGY,
    FEEDBACK,
    PARAMETER_NAMES,
    PARAMETERS,
    Parameter,
    scale_theta,
    unscale_theta,
    unscale_theta_std,
)
from multifield.camels.sets import (
    SETS,
    SimulationSet,
    add_suite,
    check_map_size,
    check_n_simulations,
    check_ranges,
    find_set,
)
from multifield.camels.suites import SUITES, Suite, find_suite, parse_fields, scored_parameters

__all__ = [
    "BOX_SIZE",
    "COSMOLOGY",
    "CRITICAL_DENSITY",
    "FEEDBACK",
    "FIELDS",
    "HUBBLE",
    "MAPS_PER_SIMULATION",
    "MAP_SIZE",
    "N_AXES",
    "N_SLABS",
    "PARAMETERS",
    "PARAMETER_NAMES",
    "REDSHIFT_LABEL",
    "SETS",
    "SUITES",
    "Field",
    "Parameter",
    "SimulationSet",
    "Suite",
    "Transform",
    "add_suite",
    "check_map_size",
    "check_n_simulations",
    "check_ranges",
    "find_set",
    "find_suite",
    "log_maps_name",
    "maps_names",
    "parse_fields",
    "recipe_label",
    "run_name",
    "scale_theta",
    "scored_parameters",
    "theta_names",
    "unscale_theta",
    "unscale_theta_std",
    "word_of_label",
]
