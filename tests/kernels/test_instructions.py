import os
import subprocess
import sys

import mapkernels
import pytest

from tests.helpers.kernel_inputs import fresh, positive_maps


def instructions_of_a_new_process(name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import mapkernels; print(mapkernels.instructions())"],
        env=os.environ | {"MAPKERNELS_INSTRUCTIONS": name},
        capture_output=True,
        text=True,
        check=False,
    )


class TestInstructions:
    def test_portable_is_everywhere(self):
        assert mapkernels.available_instructions()[0] == "portable"

    def test_what_is_set_is_in_use(self, compiled, request):
        assert compiled.instructions() == request.node.callspec.params["compiled"]

    def test_unknown(self):
        with pytest.raises(ValueError, match=r"instructions: Expected one of portable.*got 'mmx'"):
            mapkernels.set_instructions("mmx")

    @pytest.mark.parametrize("name", mapkernels.available_instructions())
    def test_environment(self, name):
        assert instructions_of_a_new_process(name).stdout.strip() == name

    def test_unknown_in_the_environment(self):
        process = instructions_of_a_new_process("mmx")
        assert process.returncode == 1
        assert "MAPKERNELS_INSTRUCTIONS: Expected one of portable" in process.stderr


@pytest.mark.skipif(
    len(mapkernels.available_instructions()) == 1, reason="one set of instructions alone"
)
def test_sets_are_not_the_same_code():
    """Else every test of a set would test another: fused multiply-adds round otherwise."""
    maps = positive_maps(11, 1, 64)
    results = set()
    best = mapkernels.instructions()
    for name in ("portable", "avx2"):
        mapkernels.set_instructions(name)
        results.add(fresh(mapkernels.gaussian_smooth, maps, 2.0).tobytes())
    mapkernels.set_instructions(best)
    assert len(results) == 2
