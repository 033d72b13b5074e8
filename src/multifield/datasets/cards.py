"""Cards of networks, beside the networks."""

from pathlib import Path
from typing import Any

from multifield.datasets.tables import TypedJSONDataset
from multifield.models.model_folder import ModelFolder


class ModelCardDataset(TypedJSONDataset):
    """The card of the networks of a study, or of the one that was trained outside it.

    Parameters
    ----------
    path, suite, field, label : str
        As in `ModelFolderDataset`.
    network : {"study", "single"}
        Whose card it is.
    metadata : dict, optional
        For plugins.
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
