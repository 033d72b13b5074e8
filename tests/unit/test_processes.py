import pytest

from multifield.processes import count_processes, end_unless_first, is_first


def set_environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_one_process_is_the_first_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch)
    assert count_processes() == 1
    assert is_first()
    end_unless_first()


@pytest.mark.parametrize(("rank", "first"), [("0", True), ("1", False)])
def test_of_several_the_first_has_results(
    rank: str, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(
        monkeypatch, WORLD_SIZE="2", RANK=rank, MASTER_ADDR="localhost", MASTER_PORT="1"
    )
    assert is_first() is first
    if first:
        end_unless_first()
    else:
        with pytest.raises(SystemExit, match="0"):
            end_unless_first()


def test_half_an_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, WORLD_SIZE="2", RANK="0")
    with pytest.raises(ValueError, match="MASTER_ADDR, MASTER_PORT"):
        count_processes()
