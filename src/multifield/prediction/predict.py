"""Infer the parameters of maps that nobody knows them of."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from multifield import camels
from multifield.config.data import PreprocessingConfig
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Maps
from multifield.core.progress import progress
from multifield.core.threads import available_threads
from multifield.data import MapLoader, moments_of_log_maps
from multifield.evaluation import Results, average_networks, average_orientations, recalibrate
from multifield.evaluation import predict as predict_loader
from multifield.maps.transforms import preprocess_block
from multifield.models import ModelFolder, Network, find_architecture, load_weights
from multifield.prediction.card import ModelCard
from multifield.prediction.novelty import measure
from multifield.training import loader_options

BLOCK_BYTES = 128 * 2**20  # [bytes] of maps in memory: 512 of CMD's

Record = dict[str, int | float | bool]


def load_networks(card: ModelCard, folder: ModelFolder, top_k: int) -> list[Network]:
    """Load the best networks of a card, if their weights are those that it names.

    Parameters
    ----------
    card : ModelCard
    folder : ModelFolder
        Where the weights are.
    top_k : int
        How many.

    Returns
    -------
    networks : list of Network
        Best first, on the CPU.

    Raises
    ------
    FileNotFoundError, ValueError
        If weights are absent or are others, or the card has fewer networks.
    """
    if top_k > len(card.networks):
        raise ValueError(
            f"prediction.top_k: expected 1 to {len(card.networks)}, the networks of the card, got {top_k}"
        )
    find_architecture(card.architecture)  # a card causes no import
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
) -> list[Record]:
    """Infer mean and standard deviation of each parameter of each map.

    Every pixel is checked before the first map is inferred from. Then maps are preprocessed a block at a
    time, by the same pass as those that were trained on, and never kept.

    Parameters
    ----------
    maps : mapping of field to (N, L, L) float32
        Raw maps in the units of the card, channels in their order; see `open_new_maps`.
    card : ModelCard
    networks : sequence of Network
        Whose posteriors are averaged as in `multifield.evaluation.average_networks`.
    orientations : int
        In which each map is looked at; averaged likewise.
    training : TrainingConfig
        Of which device, batch size and threads are read.

    Returns
    -------
    records : list of dict
        A row a map: ``map``, its number in the file; for each parameter ``<name>_mean``, ``<name>_std`` and
        ``<name>_std_recalibrated``; ``distance`` and ``p_value`` of the map, see
        `multifield.prediction.novelty`; ``unlike_training``, whether it is flagged.

    Raises
    ------
    ValueError
        If a pixel has no logarithm; names the file, the map, the pixel and the value.
    """
    factors = card.factors(len(networks), orientations)
    preprocessing = PreprocessingConfig(
        smoothing_width=card.smoothing_width,
        remove_monopole=card.remove_monopole,
        compact=False,
        n_threads=training.loader_threads,
    )
    for field, raw in maps.items():
        moments_of_log_maps(raw, field, preprocessing)
    records: list[Record] = []
    n_maps = len(next(iter(maps.values())))
    with progress("predict", n_maps, "maps") as advance:
        for first, loader in _blocks(maps, card, preprocessing, training):
            found = predict_together(networks, loader, orientations, training)
            results = average_orientations(found, orientations)
            records += list_records(first, results, factors, card, loader, training)
            advance(len(loader))
    return records


def predict_together(
    networks: Sequence[Network], loader: MapLoader, orientations: int, training: TrainingConfig
) -> Results:
    """Infer the parameters of the maps of a loader with the average of several posteriors.

    Parameters
    ----------
    networks : sequence of Network
        Whose posteriors are averaged as in `multifield.evaluation.average_networks`.
    loader : MapLoader
        Standardized maps.
    orientations : int
        Number of orientations of each map, 1 to 8.
    training : TrainingConfig
        Of which device and threads are read.

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


def _blocks(
    maps: Mapping[str, Maps],
    card: ModelCard,
    preprocessing: PreprocessingConfig,
    training: TrainingConfig,
) -> Iterator[tuple[int, MapLoader]]:
    """Yield the number of the first map and the loader of each block, whole batches each but the last."""
    fields = list(maps.values())
    n_maps, batch_size = len(fields[0]), training.batch_size
    batch_bytes = batch_size * len(fields) * fields[0][0].nbytes
    n_block = batch_size * max(1, BLOCK_BYTES // batch_bytes)
    columns = tuple(camels.PARAMETER_NAMES.index(name) for name in card.inferred)
    for first in range(0, n_maps, n_block):
        blocks = {field: raw[first : first + n_block] for field, raw in maps.items()}
        log_maps = [
            _log_maps(block, field, first, preprocessing) for field, block in blocks.items()
        ]
        unknown = np.full((len(log_maps[0]), len(camels.PARAMETERS)), np.nan)
        yield (
            first,
            MapLoader(
                log_maps,
                unknown,
                None,
                card.normalization,
                batch_size=batch_size,
                inferred=columns,
                **loader_options(training),
            ),
        )


def _log_maps(raw: Maps, field: str, first: int, config: PreprocessingConfig) -> Maps:
    log_maps = np.empty(raw.shape, np.float32)
    preprocess_block(
        raw,
        log_maps,
        np.empty((len(raw), 3)),
        field=field,
        width=config.smoothing_width,
        without_monopole=config.remove_monopole,
        n_threads=available_threads(config.n_threads),
        first_map=first,
    )
    return log_maps


def list_records(
    first: int,
    results: Results,
    factors: Mapping[str, float],
    card: ModelCard,
    loader: MapLoader,
    training: TrainingConfig,
) -> list[Record]:
    """Make the records of the maps of a loader.

    Parameters
    ----------
    first : int
        Number of the first map.
    results : Results
        One row per map, in the order of the loader.
    factors : mapping of str to float
        Factors of the standard deviations, by parameter.
    card : ModelCard
        Card of the networks.
    loader : MapLoader
        The maps.
    training : TrainingConfig
        Of which threads are read.

    Returns
    -------
    records : list of dict
        As of `infer_parameters`.
    """
    recalibrated, novelty = recalibrate(results, factors), card.novelty
    numbers = measure(
        loader, novelty.n_bins, novelty.n_quantiles, n_threads=training.loader_threads
    )
    distances = novelty.distances(numbers)
    p_values = novelty.p_values(distances)
    columns: dict[str, np.ndarray] = {"map": np.arange(first, first + len(loader))}
    for name in results.inferred:
        column = camels.PARAMETER_NAMES.index(name)
        columns[f"{name}_mean"] = results.mean[:, column]
        columns[f"{name}_std"] = results.std[:, column]
        columns[f"{name}_std_recalibrated"] = recalibrated.std[:, column]
    columns |= {"distance": distances, "p_value": p_values}
    columns["unlike_training"] = novelty.flag(p_values)
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
