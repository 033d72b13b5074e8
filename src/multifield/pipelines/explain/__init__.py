"""The `explain` pipeline."""

from multifield.pipelines.explain.pipeline import create_pipeline

__all__ = ["create_pipeline"]
