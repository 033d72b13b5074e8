"""Write the card of networks from the maps and the study of their training."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from multifield import camels
from multifield.config.data import PreprocessingConfig
from multifield.config.prediction import CardConfig
from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.core.checksums import sha256
from multifield.core.progress import progress
from multifield.core.versions import describe_software
from multifield.data import MapLoader, Normalization, SplitLoaders, encode_mask_of
from multifield.data.manifest import Manifest
from multifield.evaluation import (
    Results,
    average_networks,
    average_orientations,
    fit_share,
    fit_sigma_factors,
    simulation_of_rows,
)
from multifield.evaluation import predict as predict_known
from multifield.maps import Split
from multifield.models import ModelFolder, load_weights
from multifield.prediction.card import (
    SCHEMA,
    Channel,
    Inferred,
    ModelCard,
    NetworkRecord,
    SigmaFactors,
)
from multifield.prediction.novelty import fit_novelty
from multifield.training import Losses
from multifield.tuning import FrozenTrial, Study, rank_trials
from multifield.tuning.study import FINGERPRINT, HYPERPARAMETER_NAMES, WEIGHTS_SHA256

logger = logging.getLogger(__name__)

N_ORIENTATIONS = 8
SINGLE = "single"  # in file names, instead of a trial number


@dataclass(frozen=True)
class TrainedOn:
    """Training data of networks, as written by `preprocess` and checked.

    Attributes
    ----------
    data : SplitLoaders
        Loaders of training, validation and test maps.
    split : Split
        Simulations of training, validation and test.
    normalization : Normalization
        Mean and standard deviation of the log maps of each field.
    manifest : Manifest
        Names and checksums of the raw files.
    preprocessing : PreprocessingConfig
        Smoothing and logarithm of the maps.
    """

    data: SplitLoaders
    split: Split
    normalization: Normalization
    manifest: Manifest
    preprocessing: PreprocessingConfig


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes
    ----------
    trial : int or str
        Number of its trial, or ``single`` outside a study.
    weights : Path
        File of its weights.
    hyperparameters : Hyperparameters
        Learning rate, weight decay, dropout and width.
    valid_loss : float
        Lowest validation loss.
    sha256 : str or None
        SHA-256 of the file at the end of the training, or None if it was not recorded.
    """

    trial: int | str
    weights: Path
    hyperparameters: Hyperparameters
    valid_loss: float
    sha256: str | None = None


def trained_by(trial: FrozenTrial, weights: Path) -> Trained:
    """Describe the network of a complete trial.

    Parameters
    ----------
    trial : optuna.trial.FrozenTrial
        Trial with its hyperparameters and value. The checksum of the weights is used if recorded.
    weights : Path
        File of its weights.

    Returns
    -------
    network : Trained
        The network. Its loss is NaN if the trial has no value.
    """
    parameters = {name: trial.params[name] for name in HYPERPARAMETER_NAMES}
    loss = float(trial.value) if trial.value is not None else float("nan")
    stored = trial.user_attrs.get(WEIGHTS_SHA256)
    return Trained(trial.number, weights, Hyperparameters(**parameters), loss, stored)


def trained_networks(study: Study, weights: Callable[[int], Path], top_k: int) -> list[Trained]:
    """List the best networks of a study, best first.

    Parameters
    ----------
    study : Study
        Study with the trials.
    weights : callable
        Function from a trial number to the path of its weights. The file may be absent.
    top_k : int
        Largest number of networks.

    Returns
    -------
    networks : list of Trained
        The best networks up to `top_k`, or up to the first whose file is missing. An ensemble of
        the k best networks requires all k.

    Raises
    ------
    ValueError
        If no trial is complete.
    FileNotFoundError
        If the best trial has no weights.
    """
    networks: list[Trained] = []
    for trial in rank_trials(study)[:top_k]:
        path = weights(trial.number)
        if not path.is_file():
            break
        networks.append(trained_by(trial, path))
    if not networks:
        ranked = rank_trials(study)
        if not ranked:
            raise ValueError(f"study {study.study_name}: Expected a complete trial, got none.")
        best = weights(ranked[0].number)
        raise FileNotFoundError(f"{best}: Expected the weights of the best trial, found no file.")
    return networks


def trained_alone(folder: ModelFolder, hyperparameters: Hyperparameters, losses: Losses) -> Trained:
    """Describe a network that was trained outside a study.

    Parameters
    ----------
    folder : ModelFolder
        Model folder with its weights.
    hyperparameters : Hyperparameters
        Learning rate, weight decay, dropout and width.
    losses : (E, 4) float
        Epoch, training, validation and test loss, one row per epoch.

    Returns
    -------
    network : Trained
        The network.
    """
    return Trained(SINGLE, folder.weights(SINGLE), hyperparameters, float(losses[:, 2].min()))


def known_causes(study: Study) -> dict[str, str]:
    """Give the training settings that a study recorded.

    Parameters
    ----------
    study : Study
        Study of the networks.

    Returns
    -------
    causes : dict of str to str
        Setting -> value as text. Empty for released studies, which recorded none.
    """
    return dict(study.user_attrs.get(FINGERPRINT, {}))


def describe_networks(
    networks: Sequence[Trained],
    trained_on: TrainedOn,
    folder: ModelFolder,
    training: TrainingConfig,
    config: CardConfig,
    causes: Mapping[str, str],
) -> ModelCard:
    """Make the card of networks, or read it if they have one.

    For a new card, the networks infer the validation maps in all orientations, for the
    recalibration factors. A card in the model folder is kept if all that determines it is unchanged.

    Parameters
    ----------
    networks : sequence of Trained
        Networks, best first.
    trained_on : TrainedOn
        Their training data.
    folder : ModelFolder
        Model folder with their files.
    training : TrainingConfig
        Architecture, device and number of threads.
    config : CardConfig
        Settings of the out-of-distribution reference.
    causes : mapping of str to str
        Recorded training settings; see `multifield.training.causes.fingerprint`.

    Returns
    -------
    card : ModelCard
        The card.

    Raises
    ------
    ValueError
        If weights do not fit the maps or their hyperparameters.
    """
    data, manifest = trained_on.data, trained_on.manifest
    learned = data.space.learned or data.space
    known: dict[str, Any] = {
        "schema_version": SCHEMA,
        "suite": manifest.suite,
        "sim_set": manifest.sim_set,
        "field": folder.field,
        "label": folder.label,
        "smoothing_width": trained_on.preprocessing.smoothing_width,
        "remove_monopole": trained_on.preprocessing.remove_monopole,
        "map_size": data.map_size,
        "box": data.box,
        "periodic": not trained_on.preprocessing.cutout,
        "mask": encode_mask_of(trained_on.preprocessing, data.map_size),
        "noise": trained_on.preprocessing.noise,
        "beam": trained_on.preprocessing.beam,
        "channels": _channels(trained_on.normalization, manifest, data.causes),
        "normalization_over": trained_on.normalization.over,
        "parameters": tuple(Inferred.of(learned[column]) for column in data.inferred),
        "architecture": training.architecture,
        "networks": tuple(_record(network) for network in networks),
        "training": {name: text for name, text in causes.items() if name.startswith("training.")},
        "theta_sha256": manifest.theta_sha256,
        "versions": describe_software(),
        "split": trained_on.split,
    }
    path = folder.card(SINGLE if networks[0].trial == SINGLE else None)
    present = _read_card(path)
    if present is not None and _is_described(present, known, config):
        logger.info("Nothing to describe: %s is the card of these networks", path.name)
        return present
    valid = _predict(networks, data, data.valid, training)
    return ModelCard(
        **known,
        sigma_factors=_fit_factors(valid),
        share=_fit_share(valid[0]) if data.valid.maps_per_simulation > 1 else None,
        novelty=fit_novelty(
            data.train, data.valid, config.novelty, n_threads=training.loader_threads
        ),
    )


def _read_card(path: Path) -> ModelCard | None:
    """Read a card, if there is a valid one."""
    try:
        card: ModelCard = TypeAdapter(ModelCard).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return card


def _is_described(card: ModelCard, known: Mapping[str, Any], config: CardConfig) -> bool:
    """Whether a card is of the same networks, maps, settings and versions."""
    settings = asdict(config.novelty)
    return all(getattr(card, name) == value for name, value in known.items()) and all(
        getattr(card.novelty, name) == value for name, value in settings.items()
    )


def _channels(
    normalization: Normalization, manifest: Manifest, causes: Mapping[str, str]
) -> tuple[Channel, ...]:
    floors = {
        field: causes[f"log_maps.{field}.floor"]
        for field in normalization.fields
        if f"log_maps.{field}.floor" in causes
    }
    statistics = zip(normalization.fields, normalization.mean, normalization.std, strict=True)
    return tuple(
        Channel(
            field=field,
            unit=camels.FIELDS[field].unit,
            transform=camels.FIELDS[field].transform,
            mean=mean,
            std=std,
            raw_file=manifest.files[field].name,
            raw_sha256=manifest.files[field].sha256,
            floor=float(floors[field]) if field in floors else None,
        )
        for field, mean, std in statistics
    )


def _record(network: Trained) -> NetworkRecord:
    return NetworkRecord(
        trial=network.trial,
        weights=network.weights.name,
        sha256=sha256(network.weights),
        hyperparameters=network.hyperparameters,
        valid_loss=network.valid_loss,
    )


def _predict(
    networks: Sequence[Trained], data: SplitLoaders, maps: MapLoader, training: TrainingConfig
) -> list[Results]:
    """Infer the validation maps in all orientations with one network in memory at a time."""
    results = []
    with progress("describe: infer validation maps", len(networks), "networks") as advance:
        for trained in networks:
            network = load_weights(
                trained.weights,
                hidden=trained.hyperparameters.hidden,
                channels=data.channels,
                map_size=data.map_size,
                architecture=training.architecture,
                head=training.head,
                sha256=trained.sha256,
            )
            results.append(
                predict_known(
                    network,
                    maps,
                    range(N_ORIENTATIONS),
                    device=training.device,
                    n_threads=training.n_threads,
                )
            )
            advance(1)
    return results


def _fit_share(results: Results) -> float:
    maps = average_orientations(results, N_ORIENTATIONS)
    return fit_share(maps, simulation_of_rows(maps, 1))


def _fit_factors(results: Sequence[Results]) -> tuple[SigmaFactors, ...]:
    """Fit the factors for the k best networks and the first n orientations, for every k and n."""
    entries = []
    for k in range(1, len(results) + 1):
        ensemble = average_networks(results[:k])
        for n in range(1, N_ORIENTATIONS + 1):
            # rows are ordered (orientation, simulation, map)
            first = ensemble.take(slice(n * (len(ensemble) // N_ORIENTATIONS)))
            averaged = average_orientations(first, n)
            factors = fit_sigma_factors(averaged, simulation_of_rows(averaged, 1))
            entries.append(SigmaFactors(n_networks=k, orientations=n, factors=factors))
    return tuple(entries)
