"""All pipelines."""

from kedro.pipeline import Pipeline

from multifield.pipelines import (
    baselines,
    describe,
    evaluate,
    explain,
    ingest,
    predict,
    preprocess,
    report,
    robustness,
    select_fields,
    train,
    tune,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Create all pipelines.

    Returns
    -------
    pipelines : dict of str to Pipeline
        Pipelines by name. ``__default__`` is the first five.
    """
    main = {
        "ingest": ingest.create_pipeline(),
        "preprocess": preprocess.create_pipeline(),
        "tune": tune.create_pipeline(),
        "evaluate": evaluate.create_pipeline(),
        "report": report.create_pipeline(),
    }
    return main | {
        "predict": predict.create_pipeline(),
        "train": train.create_pipeline(),
        "describe": describe.create_pipeline(),
        "baselines": baselines.create_pipeline(),
        "robustness": robustness.create_pipeline(),
        "select_fields": select_fields.create_pipeline(),
        "explain": explain.create_pipeline(),
        "__default__": sum(main.values(), Pipeline([])),
    }
