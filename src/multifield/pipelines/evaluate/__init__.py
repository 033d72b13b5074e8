"""The `evaluate` pipeline."""

from multifield.pipelines.evaluate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
