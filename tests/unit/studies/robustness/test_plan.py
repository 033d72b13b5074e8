import pytest

from multifield.config.studies import PLAIN
from multifield.studies.robustness import Task, list_tasks
from multifield.studies.robustness.plan import each_alone, leave_one_out, teacher_of
from tests.unit.studies.robustness.examples import method, robustness


def test_every_suite_alone_at_every_width_then_the_methods_at_the_first():
    config = robustness(smoothing_widths=(1.0, 2.0), methods=(method(),))
    found = [(task.method.name, task.width, task.trained_on) for task in list_tasks(config)]
    alone = [("one_suite", width, suite) for width in (1.0, 2.0) for suite in config.suites]
    assert found == [*alone, ("several_suites", 1.0, "MockTNG+MockSIMBA")]


def test_fields_that_are_not_studied_are_tested_at_one_smoothing_and_by_no_method():
    config = robustness(fields=("Mtot", "T"), smoothing_widths=(0.0, 2.0), methods=(method(),))
    found = [(task.field, task.width) for task in list_tasks(config) if task.field == "Mtot"]
    assert found == [("Mtot", 0.0)] * len(config.suites)


def test_each_suite_is_left_out_once():
    task = list_tasks(robustness(methods=(method(widen=True),)))[-1]
    assert [(other.suites, lacks) for other, lacks in leave_one_out(task)] == [
        (("MockSIMBA",), "MockTNG"),
        (("MockTNG",), "MockSIMBA"),
    ]


def test_a_mixture_averages_one_network_per_suite():
    mixed, plain = list_tasks(robustness(methods=(method("mixed", mixture=True), method())))[-2:]
    assert [one.suites for one in each_alone(mixed)] == [("MockTNG",), ("MockSIMBA",)]
    assert not each_alone(plain)
    assert not each_alone(each_alone(mixed)[0])


def test_a_suite_alone_is_aligned_with_none():
    task = Task(method(alignment=1.0, noise=0.1), "T", 0.0, ("MockTNG", "MockSIMBA"))
    assert task.effective.alignment == 1.0
    ((alone, _), _) = leave_one_out(task)
    assert (alone.effective.alignment, alone.effective.noise) == (0.0, 0.1)


def test_a_suite_alone_is_the_same_network_with_its_own_scale():
    task = Task(method(own_scale=True), "T", 0.0, ("MockTNG", "MockSIMBA"))
    assert task.effective.own_scale
    ((alone, _), _) = leave_one_out(task)
    assert not alone.effective.own_scale


def test_networks_use_maps_of_the_target_suite_if_the_method_says_so():
    ways = (method("aligned", alignment=1.0), method("shown", alignment=1.0, unlabelled=True))
    plain, shown = list_tasks(robustness(methods=ways))[-2:]
    assert (plain.target, shown.target) == (None, "MockAstrid")
    assert "MockAstrid" not in shown.suites
    assert [(other.suites, other.target) for other, _ in leave_one_out(shown)] == [
        (("MockSIMBA",), "MockTNG"),
        (("MockTNG",), "MockSIMBA"),
    ]
    assert all(other.effective.alignment == 1.0 for other, _ in leave_one_out(shown))


def test_test_maps_have_the_first_width_and_training_maps_no_width_twice():
    config = robustness(smoothing_widths=(2.0,), methods=(method(smoothing_widths=(0.0, 2.0)),))
    assert list_tasks(config)[-1].widths == (2.0, 0.0)


def test_a_teacher_is_of_the_suites_of_its_task_and_needs_none_itself():
    way = method("taught", own_scale=True, teacher="Mtot")
    task = list_tasks(robustness(fields=("Mtot", "T"), methods=(way,)))[-1]
    assert (task.field, task.target) == ("T", "MockAstrid")
    assert teacher_of(task) == Task(PLAIN, "Mtot", 0.0, ("MockTNG", "MockSIMBA"))
    ((other, lacks), _) = leave_one_out(task)
    assert (other.target, teacher_of(other).suites) == (lacks, other.suites)
    with pytest.raises(ValueError, match="Expected a method with a teacher, got one_suite"):
        teacher_of(teacher_of(task))
