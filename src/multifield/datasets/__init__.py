"""Kedro datasets that kedro-datasets does not have: maps, parameter tables, studies, networks, results.

Tables, metrics, pages and figures come from kedro-datasets. `FigureDataset` is in
`multifield.datasets.figures`, as matplotlib is slow to import.
"""

from multifield.datasets.cards import ModelCardDataset
from multifield.datasets.folders import NetworkFolderDataset, SuiteFoldersDataset
from multifield.datasets.maps import LogMapsDataset, RawMapsDataset
from multifield.datasets.models import (
    LossesDataset,
    ModelFolderDataset,
    StudyDataset,
    WeightsDataset,
)
from multifield.datasets.reports import (
    EnsembleResultsDataset,
    FoundResultsDataset,
    ResultsDataset,
    TrialResultsDataset,
)
from multifield.datasets.tables import ThetaDataset, TypedJSONDataset

__all__ = [
    "EnsembleResultsDataset",
    "FoundResultsDataset",
    "LogMapsDataset",
    "LossesDataset",
    "ModelCardDataset",
    "ModelFolderDataset",
    "NetworkFolderDataset",
    "RawMapsDataset",
    "ResultsDataset",
    "StudyDataset",
    "SuiteFoldersDataset",
    "ThetaDataset",
    "TrialResultsDataset",
    "TypedJSONDataset",
    "WeightsDataset",
]
