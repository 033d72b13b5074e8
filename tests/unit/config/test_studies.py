import re

import pytest
from pydantic import ValidationError

from multifield.config.studies import ExplainConfig
from tests.unit.studies.robustness.examples import method, robustness


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"held_back": "Astrid"}, "held_back: Expected one of MockTNG, .*, got 'Astrid'"),
        ({"suites": ("MockTNG",)}, "suites"),
        (
            {"suites": ("MockTNG", "MockTNG", "MockAstrid")},
            "Expected each value once, got MockTNG, MockTNG",
        ),
        ({"suites": ("MockTNG", "Mock", "MockAstrid")}, "suite: Expected one of .* got 'Mock'"),
        ({"suites": ("MockTNG", "MockSB@LH", "MockAstrid")}, "MockSB.*SB14.*got 'LH'"),
        ({"fields": ("B",)}, "suite MockSIMBA .*got 'B'"),
        ({"studied": ("HI",)}, "studied: Expected some of T, got 'HI'"),
        ({"smoothing_widths": (0.0, -1.0)}, "Expected finite widths >= 0"),
        (
            {"methods": (method("a"), method("a"))},
            "Expected different names, got one_suite, a, a",
        ),
        ({"methods": (method("one_suite"),)}, "Expected different names"),
        (
            {"suites": ("MockTNG", "MockAstrid"), "methods": (method(widen=True),)},
            "methods.widen: Expected two suites besides the held-out one",
        ),
        (
            {"methods": (method("taught", teacher="T"),)},
            r"methods.taught.teacher: .* not in studied \(there is none\), got 'T'",
        ),
        (
            {"fields": ("Mtot", "T"), "methods": (method("taught", teacher="HI"),)},
            "methods.taught.teacher: .*Mtot.*, got 'HI'",
        ),
    ],
)
def test_a_wrong_configuration_names_the_parameter(changes, message):
    with pytest.raises(ValidationError, match=message):
        robustness(**changes)


def test_methods_do_not_train_on_the_held_out_suite():
    assert robustness().training_suites == ("MockTNG", "MockSIMBA")


def test_fields_and_widths_are_listed_once():
    config = robustness(
        fields=("T", "Mtot_T"),
        smoothing_widths=(2.0, 0.0),
        methods=(method(smoothing_widths=(2.0, 3.0)),),
    )
    assert config.single_fields == ("T", "Mtot")
    assert config.all_widths == (0.0, 2.0, 3.0)


def test_unlabelled_maps_need_an_alignment():
    with pytest.raises(ValidationError, match=r"methods.shown.alignment: Expected > 0"):
        method("shown", unlabelled=True)


def test_maps_are_unlabelled_or_have_a_teacher():
    with pytest.raises(ValidationError, match=r"methods.both.unlabelled: Expected false"):
        method("both", unlabelled=True, alignment=1.0, teacher="Mtot")


@pytest.mark.parametrize("changes", [{"alignment": 1.0}, {"widen": True}, {"teacher": "Mtot"}])
def test_a_mixture_has_networks_of_one_suite(changes):
    with pytest.raises(ValidationError, match=r"methods.mixed.mixture: Expected no"):
        method("mixed", mixture=True, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k_cuts": (2.0, 1.0)}, "k_cuts.*Expected rising numbers > 0"),
        ({"k_cuts": ()}, "k_cuts"),
        ({"smoothing_widths": (0.0, 1.0)}, "smoothing_widths.*Expected rising numbers > 0"),
        ({"void_share": 0.9, "knot_share": 0.1}, "void_share: Expected less than 1 together"),
        ({"orientations": 9}, "orientations"),
    ],
)
def test_a_wrong_explanation_names_the_parameter(changes, message):
    right = {
        **{"k_cuts": (1.0,), "smoothing_widths": (), "density_width": 1.0, "void_share": 0.5},
        **{"knot_share": 0.1, "degree": 2, "orientations": 1},
    }
    with pytest.raises(ValidationError, match=re.compile(message, re.DOTALL)):
        ExplainConfig(**right | changes)
