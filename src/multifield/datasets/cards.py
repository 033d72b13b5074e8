"""Model cards of networks."""

from pathlib import Path
from typing import Any

from multifield.datasets.tables import TypedJSONDataset
from multifield.models.model_folder import ModelFolder


class ModelCardDataset(TypedJSONDataset):
    """Model card of the networks of a study, or of a single network.

    Parameters
    ----------
    path, suite, field, label : str
        Arguments of `ModelFolderDataset`.
    network : {"study", "single"}
        Whether the card describes the networks of the study or the single network.
    metadata : dict, optional
        Metadata for Kedro plugins.
    """

    def __init__(
        self,
        *,
        path: str,
        suite: str,
        field: str,
        label: str,
        network: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        folder = ModelFolder(path=Path(path), suite=suite, field=field, label=label)
        super().__init__(
            filepath=str(folder.card(None if network == "study" else network)),
            model="multifield.prediction.card.ModelCard",
            metadata=metadata,
        )
