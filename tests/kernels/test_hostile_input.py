"""What the extension must refuse, and that it says what and why. The reference checks nothing."""

import mapkernels
import numpy as np
import pytest

from tests.helpers.kernel_inputs import positive_maps
from tests.kernels.test_gather import draw

pytestmark = pytest.mark.usefixtures("compiled")  # with every set of instructions

MAPS = positive_maps(8, 3, 8)
WITH_OUT = {
    "gaussian_smooth": lambda maps, out, **n: mapkernels.gaussian_smooth(maps, out, 1.0, **n),
    "log10": mapkernels.log10,
    "log10p1": mapkernels.log10p1,
    "remove_monopole": mapkernels.remove_monopole,
    "preprocess": lambda maps, out, **n: mapkernels.preprocess(
        maps, out, np.empty((3, 3)), 1.0, False, False, **n
    ),
}
BAD_MAPS = [
    ([[1.0]], TypeError, "maps: Expected a NumPy array of float32, got list"),
    (MAPS.astype(np.float64), TypeError, "maps: Expected float32, got float64"),
    (MAPS.astype(">f4"), TypeError, "maps: Expected float32, got >f4"),
    (np.ones((3, 8, 8), np.int32), TypeError, "maps: Expected float32, got int32"),
    (np.asfortranarray(MAPS), ValueError, "maps: Expected a C-contiguous array"),
    (MAPS[:, ::2, ::2], ValueError, "maps: Expected a C-contiguous array"),
    (MAPS[:, :4].copy(), ValueError, r"maps: Expected shape \(N, L, L\).*got \(3, 4, 8\)"),
    (MAPS[0], ValueError, r"maps: Expected shape \(N, L, L\).*got \(8, 8\)"),
    (np.empty((3, 0, 0), np.float32), ValueError, r"L >= 1, got \(3, 0, 0\)"),
]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def unaligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)[1:]
    return np.frombuffer(memory, np.float32).reshape(array.shape)


BAD_OUT = [
    (np.empty((3, 8, 8)), TypeError, "out: Expected float32, got float64"),
    (np.empty((2, 8, 8), np.float32), ValueError, r"out: Expected shape.*\(3, 8, 8\), got \(2, 8"),
    (np.empty((8, 8, 3), np.float32).T, ValueError, "out: Expected a C-contiguous array"),
    (read_only(MAPS), ValueError, "out: Expected a writable array, got a read-only one"),
    (unaligned(MAPS), ValueError, "out: Expected an aligned array"),
]


@pytest.mark.parametrize("call", WITH_OUT.values(), ids=WITH_OUT)
class TestMapsAndOut:
    @pytest.mark.parametrize(("maps", "error", "message"), BAD_MAPS)
    def test_maps(self, call, maps, error, message):
        with pytest.raises(error, match=message):
            call(maps, np.empty_like(MAPS))

    @pytest.mark.parametrize(("out", "error", "message"), BAD_OUT)
    def test_out(self, call, out, error, message):
        with pytest.raises(error, match=message):
            call(MAPS, out)

    def test_partial_overlap(self, call):
        memory = np.ones((4, 8, 8), np.float32)
        with pytest.raises(ValueError, match="out: Expected memory apart from maps"):
            call(memory[:3], memory[1:])

    @pytest.mark.parametrize("n_threads", [0, -1])
    def test_threads(self, call, n_threads):
        with pytest.raises(ValueError, match=f"n_threads: Expected >= 1, got {n_threads}"):
            call(MAPS, np.empty_like(MAPS), n_threads=n_threads)


class TestValues:
    @pytest.mark.parametrize("width", [-1.5, np.nan, np.inf])
    def test_width(self, width):
        message = f"width: Expected a finite number >= 0 of pixels, got {width}"
        with pytest.raises(ValueError, match=message):
            mapkernels.gaussian_smooth(MAPS, np.empty_like(MAPS), width)
        with pytest.raises(ValueError, match=message):
            mapkernels.preprocess(MAPS, None, np.empty((3, 3)), width, False, False)

    def test_width_beyond_reason(self):
        with pytest.raises(ValueError, match=r"width: Expected <= 4194303\.0 pixels, got 1e"):
            mapkernels.gaussian_smooth(MAPS, np.empty_like(MAPS), 1e300)

    def test_preprocess_in_place(self):
        with pytest.raises(ValueError, match="out: Expected memory apart from maps"):
            mapkernels.preprocess(MAPS, MAPS, np.empty((3, 3)), 1.0, False, False)

    @pytest.mark.parametrize("flag", [None, 1, "no"])
    def test_flags_are_bool(self, flag):
        with pytest.raises(TypeError):
            mapkernels.find_invalid(MAPS, flag)

    def test_moments(self):
        with pytest.raises(
            ValueError, match=r"out: Expected shape \(N, 3\) = \(3, 3\), got \(2, 3"
        ):
            mapkernels.map_moments(MAPS, np.empty((2, 3)))
        with pytest.raises(TypeError, match="moments: Expected float64, got float32"):
            mapkernels.combine_moments(np.empty((2, 3), np.float32))
        with pytest.raises(ValueError, match=r"moments: Expected shape \(M, 3\), got \(3, 2\)"):
            mapkernels.combine_moments(np.empty((3, 2)))


def gather_arguments(**changes):
    fields, index, orientation, shift, mean, std = draw(5, 6, 3, 2)
    arguments = {
        "fields": fields,
        "index": index,
        "orientation": orientation,
        "shift": shift,
        "mean": mean,
        "std": std,
        "out": np.empty((3, 2, 6, 6), np.float32),
    }
    return arguments | changes


BAD_GATHER = [
    ({"index": np.array([0, 4, 1])}, ValueError, r"index\[1\]: Expected 0 <= value < 4, got 4"),
    ({"index": np.array([0, 1, -1])}, ValueError, r"index\[2\]: Expected 0 <= value < 4, got -1"),
    ({"index": np.array([0, 1])}, ValueError, r"index: Expected shape \(B,\) = \(3,\), got \(2,\)"),
    ({"index": np.zeros(3, np.int32)}, TypeError, "index: Expected int64, got int32"),
    ({"orientation": np.array([0, 8, 0])}, ValueError, r"orientation\[1\]: .* < 8, got 8"),
    ({"shift": np.zeros(3, np.int64)}, ValueError, r"shift: Expected shape \(B, 2\)"),
    ({"std": np.array([1.0, 0.0])}, ValueError, r"std\[1\]: .*> 0 whose.*float32, got 0\.0"),
    ({"std": np.array([np.nan, 1.0])}, ValueError, r"std\[0\]: .*> 0 whose.*float32, got nan"),
    ({"std": np.array([-1e-60, 1.0])}, ValueError, r"std\[0\]: .*> 0 whose.*float32, got -1e-60"),
    ({"std": np.array([1e-60, 1.0])}, ValueError, r"std\[0\]: .*inverse is finite.*, got 1e-60"),
    ({"std": np.array([1.0, 1e60])}, ValueError, r"std\[1\]: .*> 0 in float32, got 1e\+60"),
    ({"mean": np.array([1.0, np.inf])}, ValueError, r"mean\[1\]: .*finite in float32, got inf"),
    ({"mean": np.array([1e300, 1.0])}, ValueError, r"mean\[0\]: .*finite in float32, got 1e\+300"),
    ({"mean": np.zeros(3)}, ValueError, r"mean: Expected shape \(C,\)"),
    ({"fields": [np.zeros((4, 6, 6), np.float32)]}, ValueError, "fields: Expected one .* 2, got 1"),
    ({"fields": [np.zeros((4, 6, 6))] * 2}, TypeError, r"fields\[0\]: Expected float32"),
    ({"fields": [np.zeros((4, 5, 5), np.float32)] * 2}, ValueError, r"fields\[0\]: .*6 pixels"),
    ({"out": np.empty((3, 2, 6, 5), np.float32)}, ValueError, r"out: Expected shape \(B, C, L, L"),
    ({"n_threads": 0}, ValueError, "n_threads: Expected >= 1, got 0"),
    ({"field_dtype": "float64"}, ValueError, "field_dtype: Expected one of float32.*'float64'"),
    ({"out_dtype": "half"}, ValueError, "out_dtype: Expected one of float32.*got 'half'"),
    ({"field_dtype": "float16"}, TypeError, r"fields\[0\]: Expected float16, got float32"),
    ({"out_dtype": "bfloat16"}, TypeError, "out: Expected uint16, got float32"),
    ({"out": np.empty((3, 2, 6, 6), np.float16)}, TypeError, "out: Expected float32, got float16"),
]


class TestGather:
    @pytest.mark.parametrize(("changes", "error", "message"), BAD_GATHER)
    def test_refused(self, changes, error, message):
        with pytest.raises(error, match=message):
            mapkernels.gather(**gather_arguments(**changes))

    def test_overlap(self):
        out = np.zeros((3, 2, 6, 6), np.float32)
        fields = [out.reshape(6, 6, 6)] * 2
        with pytest.raises(ValueError, match=r"out: Expected memory apart from fields\[0\]"):
            mapkernels.gather(**gather_arguments(fields=fields, out=out))

    def test_read_only_fields_are_welcome(self):
        mapkernels.gather(
            **gather_arguments(
                fields=[read_only(MAPS[:, :6, :6].copy())] * 2, index=np.array([0, 1, 2])
            )
        )


class TestFileOfMaps:
    def test_a_file_that_ends_too_early(self, tmp_path):
        (tmp_path / "short").write_bytes(bytes(100))
        moments = np.empty((3, 3))
        with (tmp_path / "short").open("rb") as file:
            place = (file.fileno(), 4)
            with pytest.raises(
                mapkernels.FileError, match=r"160 more bytes at byte 100, got the end"
            ):
                mapkernels.preprocess(MAPS, None, moments, 0.0, True, False, 1, place)

    def test_a_file_that_cannot_be_read(self, tmp_path):
        moments = np.empty((3, 3))
        with (tmp_path / "written").open("wb") as file, pytest.raises(OSError, match="Bad file"):
            mapkernels.preprocess(MAPS, None, moments, 0.0, True, False, 1, (file.fileno(), 0))


def deposit(displacement, refine=1, mass_shape=(15, 4, 4), speed_shape=(15, 4, 4), n=2):
    mapkernels.deposit_slabs(
        displacement,
        np.zeros((n, n, n), np.float32),
        refine,
        np.empty(mass_shape, np.float32),
        np.empty(speed_shape, np.float32),
    )


class TestDepositSlabs:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1001])
    def test_displacement(self, bad):
        displacement = np.zeros((3, 2, 2, 2), np.float32)
        displacement[1, 0, 0, 1] = bad
        with pytest.raises(
            ValueError, match=r"displacement: Expected finite values.* at flat index 9"
        ):
            deposit(displacement)

    def test_shapes(self):
        good = np.zeros((3, 2, 2, 2), np.float32)
        with pytest.raises(ValueError, match=r"displacement: Expected shape \(3, n, n, n\)"):
            deposit(np.zeros((2, 2, 2, 2), np.float32))
        with pytest.raises(
            ValueError,
            match=r"mass: Expected shape \(3 S, L, L\) with S >= 1 slabs, got \(14, 4, 4\)",
        ):
            deposit(good, mass_shape=(14, 4, 4))
        with pytest.raises(ValueError, match="mean_speed: Expected shape of mass"):
            deposit(good, speed_shape=(15, 5, 5))
        with pytest.raises(ValueError, match="speed: Expected shape of the lattice"):
            deposit(good, n=3)

    @pytest.mark.parametrize("refine", [0, -2, 2**40])
    def test_refine(self, refine):
        with pytest.raises(ValueError, match=f"refine: Expected 1 <= refine.*got {refine}"):
            deposit(np.zeros((3, 2, 2, 2), np.float32), refine)


LATTICE = np.zeros((3, 2, 2, 2), np.float32)
CUBE = np.zeros((4, 4, 4), np.float32)


class TestParticleMesh:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -1001])
    def test_displacement(self, bad):
        displacement = LATTICE.copy()
        displacement[2, 1, 1, 1] = bad
        message = r"displacement: Expected finite values.* at flat index 23"
        with pytest.raises(ValueError, match=message):
            mapkernels.deposit_mesh(displacement, CUBE.copy())
        with pytest.raises(ValueError, match=message):
            mapkernels.accelerate(displacement, CUBE, LATTICE.copy())

    def test_shapes(self):
        with pytest.raises(ValueError, match=r"density: Expected shape \(m, m, m\)"):
            mapkernels.deposit_mesh(LATTICE, np.zeros((4, 4, 5), np.float32))
        with pytest.raises(ValueError, match=r"potential: Expected shape \(m, m, m\)"):
            mapkernels.accelerate(LATTICE, np.zeros((4, 5, 4), np.float32), LATTICE.copy())
        with pytest.raises(ValueError, match="acceleration: Expected shape of displacement"):
            mapkernels.accelerate(LATTICE, CUBE, np.zeros((3, 3, 3, 3), np.float32))

    def test_results_apart_from_arguments(self):
        with pytest.raises(ValueError, match="acceleration: Expected memory apart"):
            mapkernels.accelerate(LATTICE, CUBE, LATTICE)

    def test_read_only_results(self):
        density = CUBE.copy()
        density.flags.writeable = False
        with pytest.raises(ValueError, match="density: Expected a writable array"):
            mapkernels.deposit_mesh(LATTICE, density)
