"""The `tune` pipeline."""

from multifield.pipelines.tune.pipeline import create_pipeline

__all__ = ["create_pipeline"]
