"""The `describe` pipeline."""

from multifield.pipelines.describe.pipeline import create_pipeline

__all__ = ["create_pipeline"]
