"""The `predict` pipeline."""

from multifield.pipelines.predict.pipeline import create_pipeline

__all__ = ["create_pipeline"]
