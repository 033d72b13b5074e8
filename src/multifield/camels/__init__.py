"""The CAMELS Multifield Dataset: suites, sets, fields, parameters, units and file names.

Two pitfalls:

* The columns of a parameter table are **SN1, AGN1, SN2, AGN2**. Papers often list SN1, SN2, AGN1,
  AGN2.
* Map *i* belongs to simulation ``i // 15``, or ``i // 30`` in boxes of 50 Mpc/h: maps of a
  simulation share one parameter vector. A split by map **leaks**; split by simulation.
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
from multifield.camels.parameters import Parameter, ParameterSpace
from multifield.camels.schema import SimulationSet, Suite, parse_schema, read_schema
from multifield.camels.sets import check_map_size, check_n_simulations, check_ranges, check_rows
from multifield.camels.suites import (
    BUILT_IN,
    CMD,
    COSMOLOGY,
    FEEDBACK,
    PARAMETER_NAMES,
    PARAMETERS,
    SUITES,
    add_suite,
    add_suites,
    choose_parameters,
    find_set,
    find_space,
    find_suite,
    find_table,
    in_table_order,
    parse_fields,
    scale_theta,
    scored_parameters,
    unscale_theta,
    unscale_theta_std,
)

__all__ = [
    "BOX_SIZE",
    "BUILT_IN",
    "CMD",
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
    "SUITES",
    "Field",
    "Parameter",
    "ParameterSpace",
    "SimulationSet",
    "Suite",
    "Transform",
    "add_suite",
    "add_suites",
    "check_map_size",
    "check_n_simulations",
    "check_ranges",
    "check_rows",
    "choose_parameters",
    "find_set",
    "find_space",
    "find_suite",
    "find_table",
    "in_table_order",
    "log_maps_name",
    "maps_names",
    "parse_fields",
    "parse_schema",
    "read_schema",
    "recipe_label",
    "run_name",
    "scale_theta",
    "scored_parameters",
    "theta_names",
    "unscale_theta",
    "unscale_theta_std",
    "word_of_label",
]
