from pathlib import Path

import pytest

from multifield.camels import recipe_label, word_of_label
from multifield.models import ModelFolder


def test_names_are_the_benchmarks() -> None:
    folder = ModelFolder(Path("m"), "IllustrisTNG", "Mgas_HI", recipe_label(500, 500, 0.0))
    assert folder.database == Path("m/databases/IllustrisTNG_o3_Mgas_HI_all_steps_500_500_o3.db")
    assert folder.weights(7) == Path(
        "m/weights/weights_IllustrisTNG_Mgas_HI_7_all_steps_500_500_o3.pt"
    )
    assert folder.losses("single") == Path(
        "m/losses/losses_IllustrisTNG_Mgas_HI_single_all_steps_500_500_o3.txt"
    )


def test_checkpoints_have_a_folder_of_their_own() -> None:
    folder = ModelFolder(Path("m"), "SIMBA", "T", "all_steps_500_500_o3")
    assert folder.checkpoint(3) == Path(
        "m/checkpoints/checkpoint_SIMBA_T_3_all_steps_500_500_o3.pt"
    )


def test_nbody_is_short_and_smoothing_has_a_suffix() -> None:
    folder = ModelFolder(Path(), "Nbody_IllustrisTNG", "Mtot", recipe_label(500, 500, 3.0))
    assert folder.database.name == "Nbody_o3_Mtot_all_steps_500_500_o3_smoothing_3.db"
    assert folder.weights(0).name == "weights_Nbody_Mtot_0_all_steps_500_500_o3_smoothing_3.pt"


def test_trials_with_weights_are_this_field_and_recipe_alone(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path, "SIMBA", "T", "all_steps_500_500_o3")
    others = (
        ModelFolder(tmp_path, "SIMBA", "T_HI", "all_steps_500_500_o3"),
        ModelFolder(tmp_path, "SIMBA", "T", "all_steps_500_500_o3_smoothing_2"),
    )
    assert folder.trials_with_weights() == ()
    folder.weights(0).parent.mkdir()
    for path in (folder.weights(10), folder.weights(2), folder.weights("single")):
        path.touch()
    for number, other in enumerate(others):
        other.weights(number).touch()
    assert folder.trials_with_weights() == (2, 10)


def test_unknown_suite_is_refused() -> None:
    with pytest.raises(ValueError, match="suite: Expected one of"):
        _ = ModelFolder(Path(), "Illustris", "T", "l").database


def test_another_architecture_has_names_of_its_own() -> None:
    label = recipe_label(500, 500, 0, architecture="summary_statistics")
    folder = ModelFolder(Path("m"), "SIMBA", "T", label)
    assert (
        folder.database.name == "SIMBA_summary_statistics_T_all_steps_500_500_summary_statistics.db"
    )
    assert folder.weights(3).name == "weights_SIMBA_T_3_all_steps_500_500_summary_statistics.pt"


@pytest.mark.parametrize(
    "suffix", ["_cutout_128", "_mask_0a1b2c", "_cutout_16_mask_0a1b2c_floor", "_noise_0.1_beam_1"]
)
def test_the_architecture_is_found_in_labels_of_other_pixels(suffix):
    label = recipe_label(500, 500, 2, True, "summary_statistics", head="flow") + suffix
    assert word_of_label(label) == "summary_statistics"
