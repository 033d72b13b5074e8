"""Kedro datasets: maps, parameter tables, studies, networks and reports, each saved whole or not at all."""

from multifield.datasets.cards import ModelCardDataset
from multifield.datasets.maps import LogMapsDataset, RawMapsDataset
from multifield.datasets.models import (
    LossesDataset,
    ModelFolderDataset,
    StudyDataset,
    WeightsDataset,
)
from multifield.datasets.reports import (
    EnsembleResultsDataset,
    FigureDataset,
    FoundResultsDataset,
    MetricsDataset,
    PageDataset,
    ResultsDataset,
    TrialResultsDataset,
)
from multifield.datasets.suites import NetworkFolderDataset, SuiteFoldersDataset
from multifield.datasets.tables import (
    ParquetDataset,
    RecordsDataset,
    ThetaDataset,
    TypedJSONDataset,
)

__all__ = [
    "EnsembleResultsDataset",
    "FigureDataset",
    "FoundResultsDataset",
    "LogMapsDataset",
    "LossesDataset",
    "MetricsDataset",
    "ModelCardDataset",
    "ModelFolderDataset",
    "NetworkFolderDataset",
    "PageDataset",
    "ParquetDataset",
    "RawMapsDataset",
    "RecordsDataset",
    "ResultsDataset",
    "StudyDataset",
    "SuiteFoldersDataset",
    "ThetaDataset",
    "TrialResultsDataset",
    "TypedJSONDataset",
    "WeightsDataset",
]
