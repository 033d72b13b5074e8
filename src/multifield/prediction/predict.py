"""Infer the parameters of new maps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from multifield.config.data import PreprocessingConfig
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Index, Maps
from multifield.core.progress import progress
from multifield.core.threads import available_threads
from multifield.data import MapLoader, compute_log_maps, moments_of_log_maps
from multifield.evaluation import Results, average_networks, average_orientations, recalibrate
from multifield.evaluation import predict as predict_loader
from multifield.evaluation.results import join_results
from multifield.maps.memory import blocks_of
from multifield.maps.transforms import adds_one, check_pixels
from multifield.models import ModelFolder, Network, find_architecture, load_weights
from multifield.prediction.card import ModelCard
from multifield.prediction.geometry import Geometry, find_geometry
from multifield.prediction.novelty import measure
from multifield.training import loader_options

BLOCK_BYTES = 128 * 2**20  # [bytes] of maps in memory: 512 maps of CMD

Record = dict[str, int | float | bool]


def load_networks(card: ModelCard, folder: ModelFolder, top_k: int) -> list[Network]:
    """Load the best networks of a card and verify the checksums of their weights.

    Parameters
    ----------
    card : ModelCard
        Card of the networks.
    folder : ModelFolder
        Model folder with the weights.
    top_k : int
        Number of networks.

    Returns
    -------
    networks : list of Network
        Networks on the CPU, best first.

    Raises
    ------
    FileNotFoundError, ValueError
        If weights are absent or have another checksum, or the card has fewer networks.
    """
    if top_k > len(card.networks):
        raise ValueError(
            f"prediction.top_k: Expected 1 to {len(card.networks)}, the number of networks in the "
            f"card, got {top_k}."
        )
    find_architecture(card.architecture)  # a card must not import code: only known names pass
    networks = []
    for record in card.networks[:top_k]:
        path = folder.weights(record.trial).with_name(record.weights)
        hidden, channels = record.hyperparameters.hidden, len(card.channels)
        networks.append(
            load_weights(
                path,
                hidden=hidden,
                channels=channels,
                map_size=card.map_size,
                architecture=card.architecture,
                sha256=record.sha256,
            )
        )
    return networks


def infer_parameters(
    maps: Mapping[str, Maps],
    card: ModelCard,
    networks: Sequence[Network],
    *,
    orientations: int,
    training: TrainingConfig,
    box: float | int | Literal["same"] = "same",
    smoothed: bool = False,
) -> tuple[Results, list[Record]]:
    """Infer the posterior of each map.

    Every pixel is checked before the first prediction. The maps are then preprocessed in memory,
    block by block, by the same pass as the training maps.

    Parameters
    ----------
    maps : mapping of field to (N, L, L) float32
        Raw maps in the units and the order of the card's channels; see `open_new_maps`.
    card : ModelCard
        Card of the networks.
    networks : sequence of Network
        Networks whose posteriors are averaged; see `multifield.evaluation.average_networks`.
    orientations : int
        Number of orientations of each map to average, 1 to 8.
    training : TrainingConfig
        Device, batch size and number of threads.
    box : float or "same", optional
        Side of the maps [Mpc/h]. ``same``: that of the training maps.
    smoothed : bool, optional
        Whether the maps have the smoothing of the training already.

    Returns
    -------
    results : Results
        Posteriors, rows ordered (orientation, tile, map). The truth is NaN.
    records : list of dict
        One row per map. ``map`` is its number in the file. Each parameter has ``<name>_mean``,
        ``<name>_std`` and ``<name>_std_recalibrated``. If it is learned in the logarithm, these are
        of the logarithm to base 10, and ``<name>_median``, ``<name>_low`` and ``<name>_high`` are
        median and recalibrated 68% interval in physical units. ``distance`` and ``p_value`` are explained
        in `multifield.prediction.novelty`. ``unlike_training`` is True for out-of-distribution
        maps. ``tiles`` is the number of tiles of the map, and ``regridded_from`` its pixels per side
        before regridding, 0 if it was not regridded. ``floored`` is the number of its zero pixels that
        got the floor.

    Raises
    ------
    ValueError
        If a pixel has no logarithm. The message names the file, the map, the pixel and the value.
        Also if the networks cannot take maps of this size.

    Notes
    -----
    Maps of another pixel size are regridded before anything else; see `multifield.maps.regrid`.

    The posterior of a map of several tiles is the equal mixture of those of its tiles. Its
    intervals contain the truth at least as often as those of the tiles. It is not narrower than
    that of a typical tile: a product would need to know how the errors of tiles are correlated.
    """
    geometry = find_geometry(card, maps, box)
    n_views = orientations * geometry.n_tiles
    factors = card.factors(len(networks), orientations)
    width = 0.0 if smoothed else card.smoothing_width
    preprocessing = preprocessing_of(card, width, training)
    for field, raw in maps.items():
        check_maps(raw, field, card, geometry, preprocessing)
    parts, records = [], list[Record]()
    n_maps = len(next(iter(maps.values())))
    with progress("predict", n_maps, "maps") as advance:
        for first, loader in load_blocks(maps, card, geometry, preprocessing, training):
            found = predict_together(networks, loader, orientations, training)
            maps_found = average_orientations(found, n_views)
            records += list_records(
                first,
                maps_found,
                factors,
                card,
                loader,
                training,
                geometry.regridded_from,
                _count_floored(maps, card, slice(first, first + len(maps_found))),
            )
            parts.append(found)
            advance(len(maps_found))
    # from (block, view, map) to (view, map)
    view = [np.repeat(np.arange(n_views), len(part) // n_views) for part in parts]
    order = np.argsort(np.concatenate(view), kind="stable")
    return join_results(parts).take(order), records


def preprocessing_of(
    card: ModelCard, width: float, training: TrainingConfig
) -> PreprocessingConfig:
    """Give the preprocessing of new maps.

    Parameters
    ----------
    card : ModelCard
        Card of the networks.
    width : float
        Smoothing width [pixels].
    training : TrainingConfig
        Number of threads.

    Returns
    -------
    preprocessing : PreprocessingConfig
        Settings of the preprocessing. Mask and floor are in the fills of the card.
    """
    return PreprocessingConfig(
        smoothing_width=width,
        remove_monopole=card.remove_monopole,
        compact=False,
        cutout=0 if card.periodic else card.map_size,
        mask=None,
        zeros="refuse",
        noise=0.0,  # new maps have that of their instrument
        beam=0.0,
        n_threads=training.loader_threads,
    )


def predict_together(
    networks: Sequence[Network], loader: MapLoader, orientations: int, training: TrainingConfig
) -> Results:
    """Infer the parameters of the maps of a loader with the average of several posteriors.

    Parameters
    ----------
    networks : sequence of Network
        Networks whose posteriors are averaged; see `multifield.evaluation.average_networks`.
    loader : MapLoader
        Standardized maps.
    orientations : int
        Number of orientations of each map, 1 to 8.
    training : TrainingConfig
        Device and number of threads.

    Returns
    -------
    results : Results
        Rows ordered (orientation, simulation, map).
    """
    found = [
        predict_loader(
            network,
            loader,
            range(orientations),
            device=training.device,
            n_threads=training.n_threads,
        )
        for network in networks
    ]
    return average_networks(found)


def _count_floored(
    maps: Mapping[str, Maps], card: ModelCard, block: slice
) -> Int64[np.ndarray, " M"]:
    """Count the zeros of each map, in all fields with a floor, before regridding."""
    floored = np.zeros(len(next(iter(maps.values()))[block]), np.int64)
    for field, raw in maps.items():
        fills = card.fills(field)
        if fills.floor is not None:
            seen = True if fills.mask is None else ~fills.mask
            floored += np.count_nonzero((raw[block] == 0) & seen, axis=(1, 2))
    return floored


def check_maps(
    raw: Maps, field: str, card: ModelCard, geometry: Geometry, config: PreprocessingConfig
) -> None:
    """Check every pixel of new maps.

    Parameters
    ----------
    raw : (N, L, L) float32
        Raw maps of one field.
    field : str
        Name of the field.
    card : ModelCard
        Card of the networks.
    geometry : Geometry
        How the maps are regridded and cut.
    config : PreprocessingConfig
        Smoothing and logarithm.

    Raises
    ------
    ValueError
        If a pixel has no logarithm. The message names the file, the map, the pixel and the value.
    """
    try:
        if geometry.is_plain:
            moments_of_log_maps(raw, field, config, card.fills(field))
        else:
            allow_zero = adds_one(field) or card.fills(field).floor is not None
            _check_raw(raw, field, allow_zero, config.n_threads)
    except ValueError as error:
        if "got nan" not in str(error):
            raise
        raise ValueError(
            f"{error} Networks take masked maps if they are trained with the mask. Use --params "
            "mask=... in the training."
        ) from None


def _check_raw(raw: Maps, field: str, allow_zero: bool, n_threads: int) -> None:
    """Check every pixel of maps that are changed before the logarithm."""
    for first, block in blocks_of(raw):
        check_pixels(
            block,
            field,
            allow_zero=allow_zero,
            first_map=first,
            n_threads=available_threads(n_threads),
        )


def load_blocks(
    maps: Mapping[str, Maps],
    card: ModelCard,
    geometry: Geometry,
    preprocessing: PreprocessingConfig,
    training: TrainingConfig,
) -> Iterator[tuple[int, MapLoader]]:
    """Preprocess maps in memory, block by block of whole batches.

    Parameters
    ----------
    maps : mapping of field to (N, L, L) float32
        Raw maps in the units and the order of the card's channels.
    card : ModelCard
        Card of the networks.
    geometry : Geometry
        How the maps are regridded and cut.
    preprocessing : PreprocessingConfig
        Smoothing and logarithm.
    training : TrainingConfig
        Batch size and number of threads.

    Yields
    ------
    first : int
        Number of the first map of the block.
    loader : MapLoader
        Standardized maps of the block, rows ordered (tile, map).
    """
    fields = list(maps.values())
    n_maps, batch_size = len(fields[0]), training.batch_size
    batch_bytes = batch_size * len(fields) * 4 * card.map_size**2
    n_block = max(1, batch_size * max(1, BLOCK_BYTES // batch_bytes) // geometry.n_tiles)
    columns = card.space.columns(card.inferred)
    for first in range(0, n_maps, n_block):
        block = slice(first, first + n_block)
        log_maps = [
            _log_maps(raw, block, field, card, geometry, preprocessing)
            for field, raw in maps.items()
        ]
        unknown = np.full((len(log_maps[0]), len(card.space)), np.nan)
        yield (
            first,
            MapLoader(
                log_maps,
                unknown,
                None,
                card.normalization,
                batch_size=batch_size,
                inferred=columns,
                space=card.space,
                box=card.box,
                **loader_options(training),
            ),
        )


def _log_maps(
    raw: Maps,
    block: slice,
    field: str,
    card: ModelCard,
    geometry: Geometry,
    config: PreprocessingConfig,
) -> Float32[np.ndarray, "T M M"]:
    if geometry.is_plain:
        return compute_log_maps(raw, block, field, config, card.fills(field))
    maps = geometry.apply(raw[block])
    return compute_log_maps(maps, slice(0, len(maps)), field, config, card.fills(field))


def list_records(
    first: int,
    results: Results,
    factors: Mapping[str, float],
    card: ModelCard,
    loader: MapLoader,
    training: TrainingConfig,
    regridded_from: int = 0,
    floored: Index | int = 0,
) -> list[Record]:
    """Make the records of the maps of a loader.

    Parameters
    ----------
    first : int
        Number of the first map.
    results : Results
        One row per map, in the order of the loader.
    factors : mapping of str to float
        Recalibration factor of each parameter.
    card : ModelCard
        Card of the networks.
    loader : MapLoader
        The maps, or all their tiles, rows ordered (tile, map).
    training : TrainingConfig
        Number of threads.
    regridded_from : int, optional
        Pixels per side before regridding. 0: the maps are not regridded.
    floored : (N,) int64, optional
        Number of zero pixels of each map that got the floor.

    Returns
    -------
    records : list of dict
        Records as `infer_parameters` returns.
    """
    recalibrated, novelty = recalibrate(results, factors), card.novelty
    numbers = measure(
        loader, novelty.n_bins, novelty.n_quantiles, n_threads=training.loader_threads
    )
    of_tiles = novelty.distances(numbers).reshape(-1, len(results))
    n_tiles, distances = len(of_tiles), np.quantile(of_tiles, 0.5, axis=0, method="lower")
    p_values = novelty.p_values(distances)
    if n_tiles > 1:  # twice the median is a valid p-value, however the tiles are correlated
        p_values = np.minimum(1.0, 2 * p_values)
    columns: dict[str, np.ndarray] = {"map": np.arange(first, first + len(results))}
    for name in results.inferred:
        _, columns[f"{name}_mean"], columns[f"{name}_std"] = results.of(name)
        _, _, columns[f"{name}_std_recalibrated"] = recalibrated.of(name)
        if results.space[name].scale == "log":  # the others are of its logarithm to base 10
            _, mean, std = recalibrated.of(name)
            columns[f"{name}_median"] = 10.0**mean
            columns[f"{name}_low"], columns[f"{name}_high"] = (
                10.0 ** (mean - std),
                10.0 ** (mean + std),
            )
    columns |= {"distance": distances, "p_value": p_values}
    columns["unlike_training"] = novelty.flag(p_values)
    columns["tiles"] = np.full(len(results), n_tiles)
    columns["regridded_from"] = np.full(len(results), regridded_from)
    columns["floored"] = np.broadcast_to(floored, len(results))
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
