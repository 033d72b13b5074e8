import pytest
import torch

from multifield.training.device import choose_compile
from multifield.training.precision import choose_precision, conv_dtype, set_numerics

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Simulate the properties of a GPU."""
    has = {"bfloat16": True, "tfloat32": True}
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: has["bfloat16"]
    )
    monkeypatch.setattr(
        torch.cuda, "get_device_capability", lambda _: (8, 0) if has["tfloat32"] else (7, 5)
    )
    return has


def test_automatic_precision_is_bfloat16_on_cuda_that_has_it(cuda: dict[str, bool]) -> None:
    assert choose_precision("auto", CUDA) == "bfloat16"
    cuda["bfloat16"] = False
    assert choose_precision("auto", CUDA) == "float32"


@pytest.mark.parametrize("device", [CPU, MPS])
def test_automatic_precision_is_float32_elsewhere(device: torch.device) -> None:
    assert choose_precision("auto", device) == "float32"


@pytest.mark.parametrize(
    ("name", "device"), [("tfloat32", CPU), ("tfloat32", MPS), ("bfloat16", MPS)]
)
def test_precision_that_a_device_has_not_is_refused(name, device) -> None:
    with pytest.raises(ValueError, match=f"precision: .* {device} supports, got '{name}'"):
        choose_precision(name, device)


@pytest.mark.parametrize("name", ["bfloat16", "tfloat32"])
def test_precision_that_a_gpu_has_not_is_refused(name, cuda: dict[str, bool]) -> None:
    assert choose_precision(name, CUDA) == name
    cuda[name] = False
    with pytest.raises(ValueError, match=f"cuda supports, got '{name}'"):
        choose_precision(name, CUDA)


def test_convolutions_have_16_bits_in_bfloat16_alone() -> None:
    names = ("float32", "tfloat32", "bfloat16")
    assert [conv_dtype(name) for name in names] == [torch.float32, torch.float32, torch.bfloat16]


@pytest.mark.parametrize(
    ("precision", "inside"), [("float32", "ieee"), ("bfloat16", "ieee"), ("tfloat32", "tf32")]
)
def test_settings_of_the_process_come_back(precision, inside: str) -> None:
    def settings() -> tuple[object, ...]:
        backends = torch.backends
        return (
            backends.cudnn.conv.fp32_precision,
            backends.cuda.matmul.fp32_precision,
            backends.cudnn.benchmark,
        )

    before = settings()
    with set_numerics(precision, benchmark=True):
        assert settings() == (inside, inside, True)
    assert settings() == before


def test_nothing_is_compiled_for_a_cpu_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multifield.training.device.find_spec", lambda _: "found")
    monkeypatch.setenv("CC", "cc")
    found = {
        (name, device.type): choose_compile(name, device)
        for name in ("auto", "never", "always")
        for device in (CPU, CUDA)
    }
    assert [asked for asked, compiles in found.items() if compiles] == [
        ("auto", "cuda"),
        ("always", "cpu"),
        ("always", "cuda"),
    ]


@pytest.mark.parametrize(("triton", "compiler"), [(None, "/usr/bin/gcc"), ("found", None)])
def test_nothing_is_compiled_without_triton_or_a_c_compiler_unless_told(
    triton: str | None, compiler: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multifield.training.device.find_spec", lambda _: triton)
    monkeypatch.setattr("multifield.training.device.which", lambda _: compiler)
    monkeypatch.delenv("CC", raising=False)
    assert not choose_compile("auto", CUDA)
    assert choose_compile("always", CUDA)
