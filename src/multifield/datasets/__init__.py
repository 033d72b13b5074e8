"""Kedro datasets of maps, parameter tables, studies, networks and results.

Tables, metrics, pages and figures use kedro-datasets. `FigureDataset` is only in
`multifield.datasets.figures`, because matplotlib is slow to import.
"""

from multifield.datasets.folders import NetworkFolderDataset, SuiteFoldersDataset
from multifield.datasets.maps import LogMapsDataset, RawMapsDataset
from multifield.datasets.models import (
    LossesDataset,
    ModelCardDataset,
    ModelFolderDataset,
    StudyDataset,
    WeightsDataset,
)
from multifield.datasets.reports import (
    DrawsFilesDataset,
    EnsembleResultsDataset,
    FoundResultsDataset,
    ResultsDataset,
    TrialResultsDataset,
)
from multifield.datasets.tables import ThetaDataset, TypedJSONDataset

__all__ = [
    "DrawsFilesDataset",
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
