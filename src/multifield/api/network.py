"""Trained networks: storage and inference."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from multifield import camels, evaluation, models, prediction, reporting, training
from multifield.api.posterior import Posterior
from multifield.api.settings import OF_LOADING, make_parameters, place_settings
from multifield.api.suite import Part, Suite
from multifield.camels.selection import Selection
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Maps
from multifield.core.atomic_files import write_json
from multifield.core.checksums import sha256
from multifield.data import MapLoader, encode_mask_of
from multifield.data.parameter_tables import align
from multifield.maps.cutouts import cut_corner
from multifield.maps.instrument import observe
from multifield.models.model_folder import ModelFolder
from multifield.prediction.describe import SINGLE

if TYPE_CHECKING:
    from multifield.training import Losses

PathLike = str | os.PathLike[str]
NewMaps = Part | np.ndarray | PathLike | Mapping[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class FittedNetwork:
    """A trained network, or several networks whose posteriors are averaged.

    Attributes
    ----------
    card : multifield.prediction.ModelCard
        Description of the network: maps, preprocessing, split, settings, checksums.
    networks : list of multifield.models.Network
        PyTorch modules, the best first.
    settings : TrainingConfig
        Device, batch size and threads of `infer`.
    losses : (E, 4) float64 or None
        Epoch and training, validation and test loss. None if they were not stored.
    """

    card: "prediction.ModelCard"
    networks: "list[models.Network]"
    settings: TrainingConfig
    losses: "Losses | None" = None

    def infer(
        self,
        maps: NewMaps,
        *,
        orientations: int = 8,
        box: float | int | Literal["same"] = "same",
        smoothed: bool = False,
    ) -> Posterior:
        """Infer the posterior of each map.

        Parameters
        ----------
        maps : Part, array, path or mapping
            Maps of a suite, such as ``suite.test``. Or raw maps in CMD's units, not smoothed and
            without logarithm: an array (N, L, L) float32 or one map (L, L); a ``.npy`` file; a
            folder of files named after their fields; or a mapping of field to array or file.
        orientations : int, optional
            Number of orientations of each map, 1 to 8. The posterior is their equal mixture.
        box : float or "same", optional
            Side of raw maps [Mpc/h]. ``same``: that of the training maps. Larger maps are cut into
            tiles, if the networks are trained on cut-outs; see `multifield.prediction.geometry`.
        smoothed : bool, optional
            Whether raw maps have the smoothing of the training already.

        Returns
        -------
        posterior : Posterior
            Joint posteriors, one row per map.

        Raises
        ------
        TypeError, ValueError, FileNotFoundError
            If fields, pixels, shape or type differ from those of the training maps.
        """
        if not 1 <= orientations <= 8:
            raise ValueError(f"orientations: Expected 1 to 8, got {orientations}.")
        if isinstance(maps, Part):
            return self._infer_part(maps, orientations)
        opened = self._open(maps)
        results, records = prediction.infer_parameters(
            opened,
            self.card,
            self.networks,
            orientations=orientations,
            training=self.settings,
            box=box,
            smoothed=smoothed,
        )
        return self._posterior(results, orientations, records, None)

    def compare(
        self,
        maps: NewMaps,
        reference: Part,
        *,
        maps_per_simulation: int | Literal["same"] = "same",
        box: float | int | Literal["same"] = "same",
        smoothed: bool = False,
    ) -> pd.DataFrame:
        """Test whether a set of maps is like the validation maps, at several smoothing scales.

        Parameters
        ----------
        maps : Part, array, path or mapping
            Maps as for `infer`, ordered by simulation.
        reference : Part
            Validation maps of the training, ``suite.valid``.
        maps_per_simulation : int or "same", optional
            Number of consecutive maps of one simulation. ``same``: that of the training maps. 1: all
            maps are of different simulations.
        box : float or "same", optional
            Side of raw maps [Mpc/h]. ``same``: that of the training maps.
        smoothed : bool, optional
            Whether raw maps have the smoothing of the training already.

        Returns
        -------
        table : pandas.DataFrame
            One row per smoothing width [pixels]: discrepancy of both sets, its median for sets that
            are alike, p-value and numbers of simulations. See
            `multifield.prediction.comparison`.

        Raises
        ------
        TypeError, ValueError, FileNotFoundError
            If fields, pixels, shape or type differ from those of the training maps, or `reference`
            has other simulations than the validation of the training.
        """
        if (reference.suite.selection, reference.simulations) != (
            self._trained_on,
            self.card.split.valid,
        ):
            raise ValueError(
                f"reference: Expected suite.valid of {self.card.suite} with the split of the training, "
                f"split_seed={self.card.split.seed}, got {reference!r}."
            )
        self._check_preprocessing(reference)
        if isinstance(maps, Part):
            maps_per_simulation = maps.suite.maps_per_simulation
            self._check_part(maps)
        records = prediction.compare_with_training(
            _raw_maps(maps) if isinstance(maps, Part) else self._open(maps),
            reference.suite.maps,
            self.card,
            self.networks[0],
            training=self.settings,
            maps_per_simulation=maps_per_simulation,
            box=box,
            smoothed=smoothed,
        )
        return pd.DataFrame(records)

    def save(self, folder: PathLike) -> None:
        """Save weights, losses and card in a folder for `multifield.load_network`.

        Parameters
        ----------
        folder : path-like
            Target folder, which gets ``weights/``, ``losses/`` and ``cards/`` with the benchmark's
            file names. It is also a ``models_folder`` of the pipelines.
        """
        card, place = self.card, self._folder(folder)
        records = []
        for record, network in zip(card.networks, self.networks, strict=False):
            path = place.weights(record.trial)
            models.save_weights(path, network.state_dict())
            records.append(replace(record, weights=path.name, sha256=sha256(path)))
        factors = tuple(each for each in card.sigma_factors if each.n_networks <= len(records))
        if self.losses is not None:
            training.write_losses(place.losses(records[0].trial), self.losses)
        single = SINGLE if records[0].trial == SINGLE else None
        write_json(
            place.card(single), replace(card, networks=tuple(records), sigma_factors=factors)
        )

    def plot(self) -> Any:
        """Draw the losses per epoch.

        Returns
        -------
        figure : matplotlib.figure.Figure
            Training, validation and test loss.

        Raises
        ------
        ValueError
            If the losses were not stored with the network.
        """
        if self.losses is None:
            raise ValueError("losses: Expected losses stored with the network, got none.")
        return reporting.figures.loss_curves({0: self.losses}, 0, self.card.suite, self.card.field)

    def __repr__(self) -> str:
        """Return a summary of the network and its training."""
        card = self.card
        mock = "mock suite " if camels.find_suite(card.suite).mock else ""
        n_weights = sum(weight.numel() for weight in self.networks[0].parameters())
        split = card.split
        several = f", {len(self.networks)} networks" if len(self.networks) > 1 else ""
        lines = [
            f"Network {card.architecture}: {n_weights:,} weights{several}",
            f"  trained on {mock}{card.suite}: {', '.join(card.fields)}, "
            f"{len(split.train)} simulations, {card.map_size} x {card.map_size} pixels",
            f"  infers {', '.join(card.inferred)}",
            f"  best validation loss {card.networks[0].valid_loss:.4g}",
        ]
        if self.losses is not None:
            lines[-1] += f" in epoch {int(np.argmin(self.losses[:, 2])) + 1} of {len(self.losses)}"
        return "\n".join(lines)

    @property
    def _trained_on(self) -> Selection:
        card = self.card
        return Selection(suite=card.suite, sim_set=card.sim_set, field=card.field)

    def _folder(self, path: PathLike) -> ModelFolder:
        card = self.card
        return ModelFolder(path=Path(path), suite=card.suite, field=card.field, label=card.label)

    def _infer_part(self, part: Part, orientations: int) -> Posterior:
        self._check_part(part)
        suite, card = part.suite, self.card
        loader = MapLoader(
            [each.channel for each in suite.log_maps.values()],
            align(suite.space.physical(suite.theta), suite.space, card.space),
            part.simulations,
            card.normalization,
            batch_size=self.settings.batch_size,
            inferred=card.space.columns(card.inferred),
            space=card.space,
            maps_per_simulation=suite.maps_per_simulation,
            box=suite.box,
            **training.loader_options(self.settings),
        )
        results = prediction.predict_together(self.networks, loader, orientations, self.settings)
        records = prediction.list_records(
            0,
            evaluation.average_orientations(results, orientations),
            card.factors(len(self.networks), orientations),
            card,
            loader,
            self.settings,
        )
        return self._posterior(results, orientations, records, suite.selection)

    def _check_part(self, part: Part) -> None:
        """Check that maps are preprocessed as the training maps, and were not trained on."""
        self._check_preprocessing(part)
        suite, card = part.suite, self.card
        seen = set(part.simulations) & set(card.split.train)
        if part.name != "train" and suite.selection == self._trained_on and seen:
            raise ValueError(
                f"maps: Expected maps that were not trained on, got {len(seen)} simulations of "
                f"{suite.name} that were. Load the suite with the split of the network, "
                f"split_seed={card.split.seed}, n_valid={len(card.split.valid)}, "
                f"n_test={len(card.split.test)}, and use suite.test."
            )

    def _check_preprocessing(self, part: Part) -> None:
        suite, card = part.suite, self.card
        config = suite.parameters.preprocessing
        for what, found, expected in (
            ("fields", suite.fields, card.fields),
            ("map_size", suite.map_size, card.map_size),
            ("box", suite.box, card.box),
            ("floors", _floors(suite), {each.field: each.floor for each in card.channels}),
            ("mask", _name_of(encode_mask_of(config, suite.map_size)), _name_of(card.mask)),
            ("noise", config.noise, card.noise),
            ("beam", config.beam, card.beam),
            ("cut-outs", bool(config.cutout), not card.periodic),
            ("smoothing_width", config.smoothing_width, card.smoothing_width),
            ("remove_monopole", config.remove_monopole, card.remove_monopole),
        ):
            if found != expected:
                raise ValueError(
                    f"maps: Expected {what} {expected}, as in the training, got {found}. Load the "
                    "suite with this value."
                )

    def _open(self, maps: np.ndarray | PathLike | Mapping[str, Any]) -> dict[str, Maps]:
        """Return the checked raw maps of each field."""
        fields = self.card.fields
        if not isinstance(maps, Mapping) and not isinstance(maps, np.ndarray):
            return prediction.open_new_maps(str(maps), fields)
        if isinstance(maps, np.ndarray):
            if len(fields) > 1:
                raise ValueError(
                    f"maps: Expected a mapping with fields {', '.join(fields)}, got one array."
                )
            maps = {fields[0]: maps}
        if set(maps) != set(fields):
            raise ValueError(f"maps: Expected fields {', '.join(fields)}, got {', '.join(maps)}.")
        opened = {field: self._open_field(maps[field], field) for field in fields}
        if len({each.shape for each in opened.values()}) > 1:
            shapes = {field: each.shape for field, each in opened.items()}
            raise ValueError(f"maps: Expected maps of one shape for all fields, got {shapes}.")
        return opened

    def _open_field(self, source: Any, field: str) -> Maps:
        if not isinstance(source, np.ndarray):
            return prediction.open_new_maps(str(source), (field,))[field]
        maps = source[np.newaxis] if source.ndim == 2 else source
        if maps.dtype != np.float32:
            raise TypeError(
                f"maps of {field}: Expected float32, got {maps.dtype.name}. Convert them with "
                "maps.astype(np.float32)."
            )
        if maps.ndim != 3 or maps.shape[1] != maps.shape[2] or not maps.size:
            raise ValueError(f"maps of {field}: Expected shape (N, L, L), got {source.shape}.")
        return np.ascontiguousarray(maps)

    def _posterior(
        self,
        results: "evaluation.Results",
        orientations: int,
        records: Sequence[Mapping[str, Any]],
        tested_on: Selection | None,
    ) -> Posterior:
        factors = self.card.factors(len(self.networks), orientations)
        n_views = len(results) // len(records)  # orientations of all tiles of a map
        return Posterior(
            *(results, n_views, records, factors, self.card.share),
            *(self._trained_on, tested_on),
        )


def _raw_maps(part: Part) -> dict[str, Maps]:
    """Copy the raw maps or cut-outs of a part, with noise and beam of its suite."""
    size, config = part.suite.map_size, part.suite.parameters.preprocessing
    observed = {
        field: observe(
            raw[part.index],
            part.index.tolist(),
            field,
            noise=config.noise,
            beam=config.beam,
            periodic=config.cutout != raw.shape[-1],
        )
        for field, raw in part.suite.maps.items()
    }
    return {field: cut_corner(maps, size) for field, maps in observed.items()}


def _floors(suite: Suite) -> dict[str, float | None]:
    return {field: each.floor for field, each in suite.log_maps.items()}


def _name_of(mask: str | None) -> str:
    return "none" if mask is None else hashlib.sha256(mask.encode()).hexdigest()[:6]


def load_network(path: PathLike, *, n_networks: int = 1, **settings: Any) -> FittedNetwork:
    """Load a network stored by `FittedNetwork.save`, `train` or a pipeline.

    Parameters
    ----------
    path : path-like
        Folder with ``cards/`` and ``weights/``, or the file of one card if the folder has several.
    n_networks : int, optional
        Number of best networks of a study whose posteriors are averaged.
    **settings : object
        Settings of the inference: ``device``, ``batch_size``, ``n_threads``, ``loader_threads``.

    Returns
    -------
    network : FittedNetwork
        Network for inference.

    Raises
    ------
    FileNotFoundError
        If the card or weights are missing.
    ValueError
        If there are several cards, or the weights differ from those of the card.
    """
    placed = place_settings(settings, OF_LOADING)
    path = _find_card(Path(path))
    card = _read_card(path)
    environment = "mock" if camels.find_suite(card.suite).mock else "base"
    chosen = {"suite": card.suite, "field": card.field, "sim_set": card.sim_set}
    config = make_parameters(environment, placed | chosen, OF_LOADING).training
    place = path.parent.parent
    folder = ModelFolder(path=place, suite=card.suite, field=card.field, label=card.label)
    networks = prediction.load_networks(card, folder, n_networks)
    losses = folder.losses(card.networks[0].trial)
    found = training.read_losses(losses) if losses.is_file() else None
    return FittedNetwork(card, networks, config, found)


def _find_card(path: Path) -> Path:
    if path.is_file():
        return path
    found = sorted((path / "cards").glob("card_*.json"))
    if not found:
        raise FileNotFoundError(
            f"{path}: Expected the card of a network in cards/, got none. The pipeline `describe` makes "
            "cards, as for released networks."
        )
    if len(found) > 1:
        names = ", ".join(card.name for card in found)
        raise ValueError(
            f"{path / 'cards'}: Expected one card, got {names}. Use the path of one card."
        )
    return found[0]


def _read_card(path: Path) -> "prediction.ModelCard":
    """Read a card, and register the suite if it is one of a user."""
    text = path.read_bytes()
    adapter: TypeAdapter[Any] = TypeAdapter(dict[str, Any])
    content = adapter.validate_json(text)
    if content["sim_set"] == "own":
        names = tuple(channel["field"] for channel in content["channels"])
        inferred = tuple(parameter["name"] for parameter in content["parameters"])
        camels.add_suite(content["suite"], names, inferred)
    card: prediction.ModelCard = TypeAdapter(prediction.ModelCard).validate_json(text)
    return card
