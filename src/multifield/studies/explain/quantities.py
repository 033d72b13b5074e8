"""Names of the quantities of an explanation."""

NATS, LOST, SHARE = "information [nats]", "lost [nats]", "share"
ALONE, ADDED = "alone [nats]", "added to the others [nats]"
SHAPLEY, AFTER_POWER = "Shapley value [nats]", "Shapley value after the power spectrum [nats]"


def epsilon_of(parameter: str) -> str:
    """Name the mean relative error of a parameter."""
    return f"epsilon of {parameter}"


def r2_of(parameter: str) -> str:
    """Name the share of the variance of a parameter's posterior means that is explained."""
    return f"R2 of {parameter}"
