"""Everything that can be run."""

from kedro.pipeline import Pipeline

from multifield.pipelines import baselines, evaluate, ingest, preprocess, train, tune


def register_pipelines() -> dict[str, Pipeline]:
    """Name the pipelines, in the order in which they are usually run."""
    main = {
        "ingest": ingest.create_pipeline(),
        "preprocess": preprocess.create_pipeline(),
        "tune": tune.create_pipeline(),
        "evaluate": evaluate.create_pipeline(),
    }
    return main | {
        "train": train.create_pipeline(),
        "baselines": baselines.create_pipeline(),
        "__default__": sum(main.values(), Pipeline([])),
    }
