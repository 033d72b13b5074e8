"""The `robustness` pipeline."""

from multifield.pipelines.robustness.pipeline import create_pipeline

__all__ = ["create_pipeline"]
