import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from multifield.core.checksums import sha256
from multifield.models import O3Err, load_state, load_weights, save_weights


@pytest.fixture
def network() -> O3Err:
    torch.manual_seed(3)
    return O3Err(2, 0.3, 2, 32, n_parameters=3)


def test_roundtrip_gives_the_same_outputs(network: O3Err, tmp_path: Path) -> None:
    save_weights(tmp_path / "weights" / "a.pt", network.state_dict())
    loaded = load_weights(tmp_path / "weights" / "a.pt")
    x = torch.randn(3, 2, 32, 32)
    assert torch.equal(loaded(x), network.eval()(x))
    assert (loaded.hidden, loaded.channels, loaded.map_size, loaded.n_parameters) == (2, 2, 32, 3)
    assert not loaded.training


def test_file_loads_into_dataparallel_as_the_benchmark_does(network: O3Err, tmp_path: Path) -> None:
    save_weights(tmp_path / "a.pt", network.to(memory_format=torch.channels_last).state_dict())  # type: ignore[call-overload]
    plain = torch.load(tmp_path / "a.pt", weights_only=True)
    assert set(plain) == {f"module.{name}" for name in network.state_dict()}
    torch.nn.DataParallel(O3Err(2, 0.3, 2, 32, n_parameters=3)).load_state_dict(plain)


def test_names_without_prefix_load_too(network: O3Err, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "a.pt")
    assert load_state(tmp_path / "a.pt").keys() == network.state_dict().keys()
    load_weights(tmp_path / "a.pt")


def test_same_state_gives_the_same_bytes(network: O3Err, tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        save_weights(tmp_path / name, network.state_dict())
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_faulty_tensors_are_named_with_their_shapes(network: O3Err, tmp_path: Path) -> None:
    state = network.state_dict()
    del state["B11.bias"]
    state["C99.weight"] = torch.zeros(1)
    state["C12.weight"] = torch.zeros(8, 8, 5, 5)
    save_weights(tmp_path / "a.pt", state)
    with pytest.raises(ValueError, match="Not weights of o3_err") as caught:
        load_weights(tmp_path / "a.pt")
    message = str(caught.value)
    assert str(tmp_path / "a.pt") in message
    assert "Missing tensor B11.bias" in message
    assert "Unexpected tensor C99.weight" in message
    assert "C12.weight: Expected shape (8, 8, 3, 3), got (8, 8, 5, 5)" in message


def test_tensors_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(2, 2)}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"Missing tensor C01\.weight"):
        load_weights(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 no zip"])
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.pt: Expected a file saved by torch"):
        load_weights(tmp_path / "a.pt")


def test_a_whole_pickled_network_is_refused(network: O3Err, tmp_path: Path) -> None:
    torch.save(network, tmp_path / "a.pt")  # its code would be run
    with pytest.raises(ValueError, match=r"a\.pt: Expected a file saved .*is never run\.$"):
        load_weights(tmp_path / "a.pt")


def test_a_list_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "a.pt")
    with pytest.raises(ValueError, match="Expected a dict of named tensors, got list"):
        load_weights(tmp_path / "a.pt")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no_such\.pt"):
        load_weights(tmp_path / "no_such.pt")


def test_a_network_that_the_study_and_data_agree_with_loads(network: O3Err, tmp_path: Path) -> None:
    save_weights(tmp_path / "a.pt", network.state_dict())
    load_weights(tmp_path / "a.pt", hidden=2, channels=2, map_size=32)


def test_a_flipped_bit_is_found(network: O3Err, tmp_path: Path) -> None:
    save_weights(tmp_path / "a.pt", network.state_dict())
    content = bytearray((tmp_path / "a.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.pt: .*damaged: the checksum of .* differs"):
        load_weights(tmp_path / "a.pt")


def test_other_weights_than_those_trained_are_refused(network: O3Err, tmp_path: Path) -> None:
    save_weights(tmp_path / "a.pt", network.state_dict())
    digest = sha256(tmp_path / "a.pt")
    load_weights(tmp_path / "a.pt", sha256=digest)
    state = network.state_dict()
    save_weights(tmp_path / "a.pt", state | {"B11.bias": state["B11.bias"] + 1})
    with pytest.raises(ValueError, match=rf"a\.pt: .*changed or replaced .*{digest[:12]}"):
        load_weights(tmp_path / "a.pt", sha256=digest)


def test_a_compressed_archive_is_refused(network: O3Err, tmp_path: Path) -> None:
    save_weights(tmp_path / "a.pt", network.state_dict())
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as plain,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    with pytest.raises(ValueError, match=r"b\.pt: .*compressed"):
        load_weights(tmp_path / "b.pt")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"a\.pt: Expected a regular file"):
        load_weights(tmp_path / "a.pt")


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.module.", "module._orig_mod."])
def test_wrappers_are_taken_off(prefix: str, network: O3Err, tmp_path: Path) -> None:
    wrapped = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save(wrapped, tmp_path / "a.pt")
    assert load_state(tmp_path / "a.pt").keys() == network.state_dict().keys()


def test_two_tensors_of_one_name_are_refused(network: O3Err, tmp_path: Path) -> None:
    state = network.state_dict() | {"module.B11.bias": torch.zeros(8)}
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"B11\.bias occurs twice"):
        load_weights(tmp_path / "a.pt")


def test_a_checkpoint_of_lightning_is_explained(network: O3Err, tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": network.state_dict()}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"Save its entry 'state_dict' with"):
        load_weights(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(8, dtype=torch.complex64), "Expected float32, got complex64"),
        (torch.zeros(8, dtype=torch.bool), "Expected float32, got bool"),
        (torch.zeros(8, dtype=torch.int64), "Expected float32, got int64"),
        (torch.zeros(8, dtype=torch.float64), "Expected float32, got float64"),
        (torch.zeros(8).to_sparse(), "Expected a dense tensor, got a sparse_coo one"),
        (torch.full((8,), torch.nan), "Expected finite values"),
        (torch.zeros(1).expand(8), r"The shape \(8,\) needs more bytes"),
    ],
    ids=["complex", "bool", "int", "double", "sparse", "nan", "expanded"],
)
def test_tensors_that_are_no_weights_are_named(
    tensor: torch.Tensor, message: str, network: O3Err, tmp_path: Path
) -> None:
    torch.save(network.state_dict() | {"B11.bias": tensor}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=rf"a\.pt: .*B11\.bias: {message}"):
        load_weights(tmp_path / "a.pt")


def test_half_precision_is_widened(network: O3Err, tmp_path: Path) -> None:
    state = network.state_dict()
    torch.save(state | {"B11.bias": state["B11.bias"].half()}, tmp_path / "a.pt")
    assert load_weights(tmp_path / "a.pt").state_dict()["B11.bias"].dtype is torch.float32


def test_a_small_tensor_cannot_claim_a_large_network(tmp_path: Path) -> None:
    state = O3Err(2, 0.0, 1, 16, 2).state_dict()
    wide = torch.zeros(20_000, *state["C01.weight"].shape[1:])
    torch.save(state | {"C01.weight": wide}, tmp_path / "a.pt")  # would take 10 TB
    with pytest.raises(ValueError, match=r"C01\.weight: Expected shape"):
        load_weights(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"hidden": 3}, "hidden 3, got 2"),
        ({"channels": 1}, "channels 1, got 2"),
        ({"map_size": 64}, "map_size 64, got 32"),
        (
            {"architecture": "summary_statistics"},
            "weights of summary_statistics, got those of o3_err",
        ),
    ],
)
def test_another_network_than_the_study_and_data_say_is_refused(
    expected: dict[str, Any], message: str, network: O3Err, tmp_path: Path
) -> None:
    save_weights(tmp_path / "a.pt", network.state_dict())
    with pytest.raises(ValueError, match=rf"a\.pt: .*{message}"):
        load_weights(tmp_path / "a.pt", **expected)
