"""The `train` pipeline."""

from multifield.pipelines.train.pipeline import create_pipeline

__all__ = ["create_pipeline"]
