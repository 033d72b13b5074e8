import subprocess
import sys


def test_the_stub_is_the_module():
    check = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "mapkernels"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr
