"""The `report` pipeline."""

from multifield.pipelines.report.pipeline import create_pipeline

__all__ = ["create_pipeline"]
