import pytest

from multifield.config.schema import check_parameters
from tests.helpers.projects import load_parameters

ENVIRONMENTS = ("base", "mock", "cmd", "cluster", "robust", "test")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_is_complete(environment):
    check_parameters(load_parameters(environment))


def test_base_is_the_published_recipe():
    parameters = check_parameters(load_parameters("base"))
    training, tuning = parameters.training, parameters.tuning
    assert (training.epochs, training.batch_size, training.maps_per_epoch) == (200, 128, 18000)
    assert (training.lr_min, training.steps_up, training.steps_down) == (1e-9, 500, 500)
    assert tuple(training.betas) == (0.5, 0.999)
    assert (tuning.n_trials, tuning.n_startup_trials) == (50, 20)
    assert tuning.study_name == "wd_dr_hidden_lr_o3"
    space = tuning.search_space
    assert (space.lr.low, space.lr.high) == (1e-5, 5e-3)
    assert (space.wd.low, space.wd.high) == (1e-8, 1e-1)
    assert (space.dr.low, space.dr.high) == (0, 0.9)
    assert (space.hidden.low, space.hidden.high) == (6, 12)
    assert training.flips  # the published code never flips
    assert not training.shifts
    assert training.eval_orientations == parameters.evaluation.orientations == 8
    assert parameters.normalization.over == "training"  # the published way is all
    assert (parameters.split.seed, parameters.split.n_valid, parameters.split.n_test) == (1, 50, 50)


def test_choices_reach_their_groups():
    runtime = {"field": "Mgas_HI", "suite": "MockTNG", "n_trials": 7, "epochs": 2}
    parameters = check_parameters(load_parameters("mock", **runtime, smoothing_width=2))
    assert parameters.selection.fields == ("Mgas", "HI")
    assert parameters.tuning.n_trials == 7
    assert parameters.training.epochs == 2
    assert parameters.preprocessing.smoothing_width == 2


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        (
            {"feild": "HI"},
            r"feild: Unknown parameter \(value 'HI'\). Did you mean 'field'",
        ),
        (
            {"source": {"mock": {"nsimulations": 3}}},
            r"source\.mock\.nsimulations: .* Did you mean 'n_simulations'",
        ),
        ({"maps": {}}, "maps: .*at least 1 item"),
        ({"mask": "none.npy"}, r"preprocessing\.mask: Expected a \.npy file, got 'none\.npy'"),
        (
            {"cutout": 32, "training": {"shifts": True}},
            r"training\.shifts: Expected none with cut-outs, .*cutout=32.* got True",
        ),
        (
            {"cutout": 32, "evaluation": {"shifts": 2}},
            r"evaluation\.shifts: Expected none with cut-outs, .*got 2",
        ),
        ({"training": {"epoch": 5}}, r"training\.epoch: Unknown parameter"),
        (
            {"training": {"batch_size": 0}},
            r"training\.batch_size: Expected a value greater than or equal to 2, got 0",
        ),
        ({"field": "XX"}, "got 'XX'"),
        ({"suite": "Illustris"}, r"  selection\.suite: Expected one of .* got 'Illustris'"),
        ({"sim_set": "LHC"}, "sim_set: .* suite IllustrisTNG .*LH, CV, .*got 'LHC'"),
        ({"sim_set": "SB28", "suite": "SIMBA"}, "sim_set: .* suite SIMBA .*got 'SB28'"),
        ({"parameters": "Omega_n"}, "parameters: .*got 'Omega_n'. Did you mean 'Omega_m'?"),
        (
            {"suite": "Nbody_SIMBA", "field": "Mtot", "parameters": ["Omega_m", "A_SN1"]},
            "parameters: Expected parameters that affect the maps .*got 'A_SN1'",
        ),
        ({"test_suite": "Simba"}, "test_selection.suite: .*got 'Simba'"),
        ({"test_field": "XX"}, "got 'XX'"),
        (
            {"suite": "MockTNG", "field": "T"},
            "\n  suite: MockTNG is not available from source 'folder'. Use --env mock",
        ),
        (
            {"test_suite": "MockTNG"},
            "\n  test_suite: MockTNG is not available from source 'folder'. Use --env mock",
        ),
        ({"evaluation": {"simulations": "some"}}, "evaluation.simulations: .*got 'some'"),
        ({"smoothing_width": -1}, "smoothing_width.*got -1"),
        (
            {"test_smoothing_width": "wide"},
            "\n  test_smoothing_width: .*got 'wide'.\n  test_smoothing_width: Expected 'same', got 'wide'",
        ),
        ({"parity": "false"}, r"parity: Expected a valid boolean, got 'false'"),
        ({"preprocessing": {"compact": "no"}}, r"preprocessing\.compact: .*boolean, got 'no'"),
        ({"smoothing_width": "2"}, r"smoothing_width: Expected a valid number, got '2'"),
        ({"smoothing_width": True}, r"smoothing_width: Expected a valid number, got True"),
        ({"evaluation": {"top_k": "4"}}, r"evaluation\.top_k: Expected a valid integer, got '4'"),
        ({"source": {"mock": {"n_simulations": True}}}, r"n_simulations: .*integer, got True"),
        ({"n_trials": "many"}, "n_trials: Expected a valid integer, .*got 'many'"),
        (
            {"epochs": 20, "tuning": {"pruner": {"name": "median"}}},
            r"tuning\.pruner\.n_warmup_epochs: Expected fewer than the 20 epochs .*, got 20",
        ),
        ({"storage": "journal"}, r"storage: Expected sqlite or the URL .* got 'journal'"),
        ({"storage": "postgresql://me:secret@db/x"}, "storage: The URL contains a password"),
        (
            {"storage": "postgresql://db/x?sslpassword=secret"},
            "storage: The URL contains a password",
        ),
        ({"workers": -1}, "workers: .*got -1"),
        ({"workers": 2, "scheduler": "s.json"}, "workers: Expected 1 with scheduler=s.json"),
    ],
)
def test_a_wrong_parameter_is_rejected(runtime, message):
    with pytest.raises(ValueError, match=message):
        check_parameters(load_parameters("cmd", **runtime))


@pytest.mark.parametrize(
    "storage", ["sqlite:////scratch/studies.db", "postgresql+psycopg:///studies"]
)
def test_the_url_of_a_database_is_a_storage(storage):
    assert check_parameters(load_parameters("cmd", storage=storage)).storage == storage


def test_the_test_set_is_the_training_set_by_default():
    parameters = check_parameters(
        load_parameters("cmd", suite="SIMBA", field="T", smoothing_width=2)
    )
    assert parameters.test_selection == parameters.selection
    assert parameters.evaluation.smoothing_width == 2


def test_another_test_set():
    runtime = {"test_suite": "SIMBA", "test_set": "CV", "test_field": "Mgas"}
    parameters = check_parameters(load_parameters("cmd", **runtime, test_smoothing_width=3))
    tested = parameters.test_selection
    assert (tested.suite, tested.sim_set, tested.fields) == ("SIMBA", "CV", ("Mgas",))
    assert parameters.selection.suite == "IllustrisTNG"
    assert (parameters.preprocessing.smoothing_width, parameters.evaluation.smoothing_width) == (
        0,
        3,
    )


def test_parity_restores_the_published_way():
    strict = check_parameters(load_parameters("cmd"))
    published = check_parameters(load_parameters("cmd", parity=True))
    assert (strict.normalization.over, published.normalization.over) == ("training", "all")
    assert (strict.training.flips, published.training.flips) == (True, False)
    assert (strict.training.precision, published.training.precision) == ("auto", "float32")
    assert (strict.evaluation.not_inferred, published.evaluation.not_inferred) == ("drop", "keep")


def test_the_mock_environment_changes_only_the_scale():
    """Size, epochs and search space change; loss, schedule, optimizer and data rules do not."""
    base, mock = flat(load_parameters("base")), flat(load_parameters("mock"))
    scale = {
        *("suite", "n_trials", "epochs", "source.kind"),
        *("selection.suite", "test_selection.suite"),
        *(f"source.mock.{name}" for name in ("n_simulations", "map_size", "lattice", "refine")),
        *("split.n_valid", "split.n_test", "tuning.n_trials", "tuning.n_startup_trials"),
        *(
            f"tuning.search_space.{name}"
            for name in ("lr.low", "dr.high", "hidden.low", "hidden.high")
        ),
        *("training.epochs", "training.batch_size", "training.eval_orientations"),
        *(f"hyperparameters.{name}" for name in ("lr", "dr", "hidden")),
        *(f"robustness.{name}" for name in ("suites", "held_back", "fields", "studied")),
        *(
            f"robustness.{name}"
            for name in ("epochs", "smoothing_widths", "orientations", "methods")
        ),
        "select_fields.finalists.networks",
        *(f"select_fields.scorer.hyperparameters.{name}" for name in ("lr", "hidden")),
        *(f"select_fields.scorer.{name}" for name in ("epochs", "maps_per_set", "orientations")),
        *(f"explain.{name}" for name in ("k_cuts", "smoothing_widths", "density_width")),
    }
    changed = {name for name in base if base[name] != mock[name]}
    assert {name for name in changed if not name.startswith("recipes.")} == scale


def flat(tree, prefix=""):
    """Return every leaf of nested dictionaries by dotted name."""
    leaves = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        leaves |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return leaves


def test_the_recommended_recipe_in_every_environment():
    for environment in ENVIRONMENTS:
        training = check_parameters(load_parameters(environment, recipe="multifield")).training
        assert (training.architecture, training.loss) == ("statistics_and_filters", "nll")
        assert training.judged_by == "nll"
        assert training.schedule == "one_cycle"
        assert training.weight_averaging > 0


def test_the_default_recipe_is_the_published_one():
    training = check_parameters(load_parameters("base")).training
    assert (training.architecture, training.loss, training.schedule) == (
        *("o3_err", "moments", "cyclic"),
    )
    assert training.judged_by == "moments"
    assert (training.max_gradient_norm, training.weight_averaging) == (0, 0)


def test_a_single_setting_of_a_recipe_can_be_replaced():
    runtime = {"recipe": "multifield", "training": {"judged_by": "moments", "head": "diagonal"}}
    runtime["tuning"] = {"search_space": {"lr": {"high": 0.003}}}
    parameters = check_parameters(load_parameters("mock", **runtime))
    assert parameters.training.judged_by == "moments"
    assert parameters.training.architecture == "statistics_and_filters"
    space = parameters.tuning.search_space
    assert (space.lr.low, space.lr.high) == (2e-3, 3e-3)


def test_the_search_space_follows_the_recipe():
    spaces = [
        check_parameters(load_parameters("base", recipe=recipe)).tuning.search_space
        for recipe in ("published", "multifield", "statistics")
    ]
    widths = [(space.hidden.low, space.hidden.high) for space in spaces]
    assert widths == [(6, 12), (4, 8), (4, 16)]


def test_a_wrong_setting_of_any_recipe_is_rejected():
    runtime = {"recipes": {"multifield": {"loss": "l2"}}}
    with pytest.raises(ValueError, match=r"recipes\.multifield\.loss: .*got 'l2'"):
        check_parameters(load_parameters("cmd", **runtime))


@pytest.mark.parametrize("name", ["loss", "judged_by"])
def test_the_moment_loss_is_for_the_diagonal_head_only(name):
    parameters = load_parameters("mock", recipe="multifield", training={name: "moments"})
    with pytest.raises(ValueError, match=rf"{name}: Expected nll with head=autoregressive"):
        check_parameters(parameters)
