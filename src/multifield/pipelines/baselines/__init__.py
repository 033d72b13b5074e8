"""The `baselines` pipeline."""

from multifield.pipelines.baselines.pipeline import create_pipeline

__all__ = ["create_pipeline"]
