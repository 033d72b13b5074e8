"""Whether a set of new maps is like the training maps, and at which smoothing scale not.

The network reduces new maps and validation maps to features, which are compared by
`multifield.evaluation.two_sample.compare_sets`. Both are then smoothed, reduced and compared anew.
Faint noise on smoothed maps hides the small scales, which smoothing suppresses but does not remove.
If sets differ as they are and no longer if smoothed by 4 pixels, their small scales differ.
"""

from collections.abc import Mapping
from contextlib import closing
from math import hypot
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64

from multifield import camels
from multifield.config.prediction import AskedMaps
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Index, Maps
from multifield.core.checksums import sha256
from multifield.core.progress import progress
from multifield.evaluation.two_sample import compare_sets
from multifield.maps.instrument import observe
from multifield.maps.memory import source_name
from multifield.maps.splits import maps_of
from multifield.models import Network, for_inference
from multifield.prediction.card import ModelCard
from multifield.prediction.geometry import Geometry, find_geometry
from multifield.prediction.new_maps import open_new_maps
from multifield.prediction.predict import Record, check_maps, load_blocks, preprocessing_of
from multifield.training import choose_device, on_device, torch_threads
from multifield.training.precision import set_numerics

SCALES = (0, 1, 2, 4, 8)  # [pixels], up to an eighth of the map
MOST_MAPS = 1000  # of each set, which bounds the memory: their kernel matrix has 32 MB
SEED = 1
FAINT = 1e-3  # noise on smoothed maps, in standard deviations of the training maps
COLUMNS = (
    *("smoothing", "mmd", "mmd_alike", "p_value"),
    *("simulations", "validation_simulations", "maps_per_simulation"),
)


def open_training_maps(asked: AskedMaps, card: ModelCard) -> dict[str, Maps]:
    """Memory-map the maps that networks were trained on, and verify their checksums.

    Parameters
    ----------
    asked : str or mapping of str to str
        Path of a file or of a folder, or field -> path, as for `open_new_maps`.
    card : ModelCard
        Card of the networks.

    Returns
    -------
    maps : dict of field to (N, L, L) float32
        Raw maps of all simulations in the order of the card's channels.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is absent, or is not the one of the training.
    """
    maps = open_new_maps(asked, card.fields)
    for channel in card.channels:
        path = source_name(maps[channel.field], channel.field)
        found = sha256(path)
        if found != channel.raw_sha256:
            raise ValueError(
                f"{path}: Expected the training maps of the networks, {channel.raw_file} with SHA-256 "
                f"{channel.raw_sha256[:12]}..., got {found[:12]}... Set prediction.training_maps."
            )
    return maps


def compare_with_training(
    maps: Mapping[str, Maps],
    training_maps: Mapping[str, Float32[np.ndarray, "T K K"]],
    card: ModelCard,
    network: Network,
    *,
    training: TrainingConfig,
    maps_per_simulation: int | Literal["same"] = "same",
    box: float | int | Literal["same"] = "same",
    smoothed: bool = False,
) -> list[Record]:
    """Compare new maps with the validation maps at several smoothing scales.

    Parameters
    ----------
    maps : mapping of field to (N, L, L) float32
        Raw maps in the units and the order of the card's channels, ordered by simulation.
    training_maps : mapping of field to (T, K, K) float32
        Raw maps of all simulations of the training; see `open_training_maps`.
    card : ModelCard
        Card of the networks.
    network : Network
        Network whose features are compared.
    training : TrainingConfig
        Device, batch size and number of threads.
    maps_per_simulation : int or "same", optional
        Number of consecutive new maps of one simulation. ``same``: that of the training maps.
    box : float or "same", optional
        Side of the new maps [Mpc/h]. ``same``: that of the training maps.
    smoothed : bool, optional
        Whether the new maps have the smoothing of the training already.

    Returns
    -------
    records : list of dict
        One row per scale. ``smoothing`` is the additional smoothing width [pixels] of both sets.
        ``mmd``, ``mmd_alike`` and ``p_value`` are those of `compare_sets`. ``simulations``,
        ``validation_simulations`` and ``maps_per_simulation`` are the numbers that were compared.

    Raises
    ------
    ValueError
        If the number of maps is not a multiple of `maps_per_simulation`, the maps are larger than the
        training maps, or a pixel has no logarithm.
    """
    of_training = camels.find_set(card.sim_set, card.suite).maps_per_simulation
    of_new = of_training if maps_per_simulation == "same" else maps_per_simulation
    n_maps = len(next(iter(maps.values())))
    if n_maps % of_new:
        raise ValueError(
            f"maps_per_simulation: Expected a divisor of the number of maps, {n_maps}, got {of_new}. "
            "Use 1 if each map is of another simulation."
        )
    geometry = find_geometry(card, maps, box)
    if geometry.n_tiles > 1:
        raise ValueError(
            f"maps: Expected maps of {card.box:g} Mpc/h per side to compare them with the training "
            f"maps, got larger ones. Cut them into maps of {card.map_size} pixels."
        )
    missing = 0.0 if smoothed else card.smoothing_width
    for field, raw in maps.items():
        check_maps(raw, field, card, geometry, preprocessing_of(card, missing, training))
    n_each = min(of_training, of_new)  # equally many, so that simulations can be exchanged
    plain = Geometry(card.map_size, card.map_size, card.map_size)
    new = _choose(range(n_maps // of_new), of_new, n_each)
    reference = _choose(card.split.valid, of_training, n_each)
    sets = (
        (_take(maps, new), geometry, missing),
        (
            _as_trained(_take(training_maps, reference), reference, card),
            plain,
            card.smoothing_width,
        ),
    )
    copy = for_inference(network.to(choose_device(training.device)))
    assert isinstance(copy, Network)
    scales = [scale for scale in SCALES if scale <= card.map_size / 8]
    records = []
    with progress("compare", len(scales), "scales") as advance:
        for scale in scales:
            of_maps, of_valid = (
                _features(copy, chosen, card, shape, training, (width, scale), seed)
                for seed, (chosen, shape, width) in enumerate(sets, SEED)
            )
            parts = (each.reshape(-1, n_each, each.shape[1]) for each in (of_valid, of_maps))
            test = compare_sets(*parts, seed=SEED)
            numbers = len(new) // n_each, len(reference) // n_each, n_each
            row = scale, test.mmd, test.mmd_alike, test.p_value, *numbers
            records.append(dict(zip(COLUMNS, row, strict=True)))
            advance(1)
    return records


def _choose(simulations: range | tuple[int, ...], n_maps: int, n_each: int) -> Index:
    """Choose the first `n_each` of `n_maps` maps of each simulation, at most `MOST_MAPS`."""
    rng = np.random.default_rng(SEED)
    n_most = max(1, MOST_MAPS // n_each)
    chosen = tuple(np.sort(rng.permutation(simulations)[:n_most]).tolist())
    index: Index = maps_of(chosen, n_maps).reshape(-1, n_maps)[:, :n_each].ravel()
    return index


def _take(
    maps: Mapping[str, Maps], index: Int64[np.ndarray, " K"]
) -> dict[str, Float32[np.ndarray, "K L L"]]:
    return {field: np.ascontiguousarray(raw[index]) for field, raw in maps.items()}


def _as_trained(maps: Mapping[str, Maps], numbers: Index, card: ModelCard) -> dict[str, Maps]:
    """Give training maps the noise and the beam that the networks saw."""
    return {
        field: observe(
            raw,
            numbers.tolist(),
            field,
            noise=card.noise,
            beam=card.beam,
            periodic=card.periodic or raw.shape[-1] > card.map_size,
        )
        for field, raw in maps.items()
    }


def _features(
    network: Network,
    maps: Mapping[str, Maps],
    card: ModelCard,
    geometry: Geometry,
    training: TrainingConfig,
    widths: tuple[float, int],
    seed: int,
) -> Float64[np.ndarray, "N F"]:
    """Reduce maps with two smoothings to features, in one orientation.

    The second smoothing is that of the comparison. It leaves small scales too faint for any
    instrument, but networks that read logarithms of spectra still see them. Noise hides them.
    """
    place = choose_device(training.device)
    config = preprocessing_of(card, hypot(*widths), training)
    noise = FAINT if widths[1] else 0.0
    generator = torch.Generator().manual_seed(seed)
    rows = []
    with torch_threads(training.n_threads), set_numerics("float32"), torch.inference_mode():
        for _, loader in load_blocks(maps, card, geometry, config, training):
            with closing(on_device(loader.ordered([0]), place)) as batches:
                for batch in batches:
                    faint = noise * torch.randn(batch.x.shape, generator=generator)
                    found = network.features(batch.x + faint.to(place))
                    rows.append(found.cpu().double().numpy())
    return np.concatenate(rows)
