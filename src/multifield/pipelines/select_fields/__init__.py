"""The `select_fields` pipeline."""

from multifield.pipelines.select_fields.pipeline import create_pipeline

__all__ = ["create_pipeline"]
