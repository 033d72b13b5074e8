"""The `ingest` pipeline."""

from multifield.pipelines.ingest.pipeline import create_pipeline

__all__ = ["create_pipeline"]
