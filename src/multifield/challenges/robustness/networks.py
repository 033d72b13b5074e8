"""Networks that are trained once: weights, and a card of what they were trained on."""

import hashlib
import json
import logging
from typing import Any

from multifield.atomic import atomic_path
from multifield.challenges.robustness.data import TrainingSuites
from multifield.challenges.robustness.folder import NetworkFolder
from multifield.challenges.robustness.objective import choose_objective
from multifield.challenges.robustness.plan import Task
from multifield.maps.manifest import sha256
from multifield.models import Network, load_weights, save_weights
from multifield.training import (
    Hyperparameters,
    PlainObjective,
    TrainedNetwork,
    TrainingConfig,
    remove_checkpoint,
    train_network,
)
from multifield.training.checkpoint import describe_run

logger = logging.getLogger(__name__)

N_DIGITS = 12  # of the fingerprint in a name: two of 10^5 networks share it once in 5 10^4 cases


def train_or_reuse(
    task: Task,
    joined: TrainingSuites,
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
    folder: NetworkFolder,
) -> Network:
    """Train a network, or read it if all that decides its numbers is what it was.

    Parameters
    ----------
    task : Task
        Its suites and field name the network, with a fingerprint; its method gives the objective.
    joined : TrainingSuites
    hyperparameters : Hyperparameters
    config : TrainingConfig
        An interrupted training goes on from its checkpoint, as `train_network` does.
    folder : NetworkFolder

    Returns
    -------
    network : Network
        The state of the lowest validation loss, over the validation maps of the suites trained on.

    Raises
    ------
    ValueError
        If weights are not those of their card.
    """
    run = describe_run(joined.data, hyperparameters, config, config.seed)
    name = f"{task.trained_on}_{task.field}_{_fingerprint(run)}"
    if folder.card(name).is_file():
        _check_card(folder, name, run)
        return load_weights(folder.weights(name))
    logger.info("Training %s", name)
    trained = train_network(
        joined.data,
        hyperparameters,
        config,
        checkpoint=folder.checkpoint(name),
        objective=choose_objective(
            task.effective,
            PlainObjective(config.loss, config.judged_by),
            joined.ends,
            joined.n_suites,
        ),
    )
    save_weights(folder.weights(name), trained.state)
    _write_card(folder, name, run, trained)
    remove_checkpoint(folder.checkpoint(name))
    return load_weights(folder.weights(name))


def _fingerprint(run: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:N_DIGITS]


def _write_card(
    folder: NetworkFolder, name: str, run: dict[str, str], trained: TrainedNetwork
) -> None:
    card: dict[str, Any] = {
        "run": run,
        "weights_sha256": sha256(folder.weights(name)),
        "best_epoch": trained.best_epoch,
        "best_valid_loss": trained.best_valid_loss,
        "losses": trained.losses.tolist(),
    }
    with atomic_path(folder.card(name)) as partial:
        partial.write_text(json.dumps(card, indent=2))


def _check_card(folder: NetworkFolder, name: str, run: dict[str, str]) -> None:
    card = json.loads(folder.card(name).read_text())
    found = sha256(folder.weights(name))
    if card["weights_sha256"] != found or card["run"] != run:
        raise ValueError(
            f"{folder.weights(name)}: expected the weights of {folder.card(name).name}, SHA-256 "
            f"{card['weights_sha256'][:12]}..., got {found[:12]}...; delete both to train anew"
        )
