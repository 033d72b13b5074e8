"""Parameters from summary statistics of maps: the baselines that a network must beat.

Each baseline reduces maps to statistics and fits the parameters as a polynomial in them, by least
squares on the training simulations. The validation simulations give its standard deviation.
Baselines and networks use the same loaders: standardized log maps of the same simulations.
"""

from collections.abc import Callable, Mapping

import numpy as np

from multifield.config.studies import BaselinesConfig
from multifield.core.progress import progress
from multifield.data.loader import Batch, MapLoader
from multifield.data.split_loaders import SplitLoaders
from multifield.evaluation import Results
from multifield.maps.statistics import Statistic, channel_means, channel_quantiles, channel_spectra

# [standard deviations] at which statistics are clipped: quantiles of Mstar are zero on most maps
# and hundreds on a few, where a polynomial diverges
LARGEST = 4.0


BASELINES: dict[str, tuple[str, ...]] = {
    "prior": (),
    "mean": ("mean",),
    "power spectrum": ("spectrum",),
    "one-point distribution": ("quantiles",),
    "one-point distribution and power spectrum": ("quantiles", "spectrum"),
}
"""Statistics of each baseline by name. The prior uses none and predicts mean and std."""


def infer_with_baselines(data: SplitLoaders, config: BaselinesConfig) -> dict[str, Results]:
    """Fit every baseline and infer the parameters of the test maps.

    Parameters
    ----------
    data : SplitLoaders
        Loaders of the three parts. Each map is used in one orientation, because the statistics do
        not depend on it.
    config : BaselinesConfig
        Bins, quantiles and degree of the polynomial.

    Returns
    -------
    results : dict of str to Results
        Results by the names in `BASELINES`, rows ordered (simulation, map). The standard deviation
        of a parameter is the root mean square error on the validation maps. For the prior it is
        the standard deviation over the training simulations.

    Raises
    ------
    ValueError
        If there are more bins than half the pixels per side, or a map is constant.
    """
    parts = (data.train, data.valid, data.test)
    columns = list(data.inferred)
    with progress("statistics", sum(len(part) for part in parts), "maps") as advance:
        statistics = [_measure(part, config, advance) for part in parts]
    space = data.space.published
    train, valid = (space.scale(part.theta)[:, columns] for part in parts[:2])
    results = {}
    for name, chosen in BASELINES.items():
        features = [_join(each, chosen) for each in statistics]
        design = _polynomials(features, config.degree)
        coefficients = np.linalg.lstsq(design[0], train)[0]
        error = np.sqrt(np.mean((design[1] @ coefficients - valid) ** 2, axis=0))
        std = error if chosen else train.std(axis=0)  # the larger part gives the better estimate
        results[name] = _to_results(data, design[2] @ coefficients, std)
    return results


# ---- statistics ----


def _mean(batch: Batch, config: BaselinesConfig) -> Statistic:
    return channel_means(batch.x)


def _ln_spectra(batch: Batch, config: BaselinesConfig) -> Statistic:
    """Compute ln of each channel's power spectrum, linear in slope and ln of the amplitude."""
    most = batch.x.shape[-1] // 2
    if config.n_bins > most:
        raise ValueError(
            f"baselines.n_bins: Expected 1 to {most}, half the pixels per side of these maps, got "
            f"{config.n_bins}."
        )
    power = channel_spectra(batch.x, config.n_bins)
    without = ~(power > 0).all(axis=1)
    if without.any():
        number = batch.index[np.argmax(without)]
        raise ValueError(
            f"maps: Expected power > 0 in every bin of k, got an empty bin in map {number}. "
            "Reduce baselines.n_bins, or check that the map is not constant."
        )
    ln_power: Statistic = np.log(power)
    return ln_power


def _quantiles(batch: Batch, config: BaselinesConfig) -> Statistic:
    levels = (np.arange(config.n_quantiles) + 0.5) / config.n_quantiles
    return channel_quantiles(batch.x, levels)


_STATISTICS: dict[str, Callable[[Batch, BaselinesConfig], Statistic]] = {
    "mean": _mean,
    "spectrum": _ln_spectra,
    "quantiles": _quantiles,
}


def _measure(
    loader: MapLoader, config: BaselinesConfig, advance: Callable[[int], None]
) -> dict[str, Statistic]:
    """Compute every statistic of every map in the loader's order, one batch at a time."""
    batches: dict[str, list[Statistic]] = {name: [] for name in _STATISTICS}
    for batch in loader.ordered([0]):
        for name, measure in _STATISTICS.items():
            batches[name].append(measure(batch, config))
        advance(len(batch.index))
    return {name: np.concatenate(rows) for name, rows in batches.items()}


# ---- regression ----


def _join(statistics: Mapping[str, Statistic], chosen: tuple[str, ...]) -> Statistic:
    n_maps = len(next(iter(statistics.values())))
    return np.concatenate([np.empty((n_maps, 0)), *(statistics[name] for name in chosen)], axis=1)


def _polynomials(features: list[Statistic], degree: int) -> list[Statistic]:
    """Stack ones and powers of the features of each part, standardized by the first part."""
    mean, std = features[0].mean(axis=0), features[0].std(axis=0)
    std = np.where(std > 0, std, 1.0)  # powers of a constant feature become zeros
    scaled = [np.clip((part - mean) / std, -LARGEST, LARGEST) for part in features]
    return [
        np.concatenate(
            [np.ones((len(part), 1)), *(part**power for power in range(1, degree + 1))], axis=1
        )
        for part in scaled
    ]


def _to_results(data: SplitLoaders, scaled_mean: Statistic, scaled_std: np.ndarray) -> Results:
    """Convert parameters from [0, 1] to physical units; NaN where a parameter is not inferred."""
    theta = np.asarray(data.test.theta, dtype=np.float64)
    mean, std = np.full_like(theta, np.nan), np.full_like(theta, np.nan)
    columns = list(data.inferred)
    mean[:, columns], std[:, columns] = scaled_mean, scaled_std
    space = data.space.published
    names = tuple(space.names[column] for column in columns)
    return Results(
        theta,
        space.unscale(mean),
        space.unscale_std(std),
        names,
        None,
        space,
        data.test.maps_per_simulation,
    )
