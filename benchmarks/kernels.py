"""Time the kernels against SciPy, OpenCV, numba, NumPy, PyTorch and memcpy.

Run ``python -m benchmarks.kernels`` in the repository. ``--quick`` takes seconds and only checks
the results.
"""

import dataclasses
import importlib.util
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import mapkernels
import numpy as np
import torch
from scipy import ndimage
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import Comparison, Section, compare, options, say, write_report
from multifield.core.threads import available_threads
from multifield.maps import reference as plain
from multifield.maps.memory import aligned_empty
from multifield.mock.growth import Growth
from multifield.mock.particle_mesh import begin
from multifield.mock.universe import linear_field

SIDE = 256  # [pixels], as in CMD
SMOOTH_RTOL = 2e-6  # kernel against float64; see tests/helpers/tolerances.py
OTHERS_RTOL = 2e-5  # references that sum float32 taps one by one
LOG_MAP_ATOL = 3e-6  # [dex]
MESH_RTOL = 1e-4  # float32 positions, accurate to 1e-7 of the box, for 160 nodes
MOMENTS_RTOL = 3e-6  # NumPy sums in float32; smoothed by 5 pixels, log maps have a std of 0.04
BATCH = 128  # batch size of the published training
SMOOTHING_TARGETS = {"avx512": 12.0, "avx2": 8.0}
PASS_TARGETS = {  # of one thread, by width; in the portable and in the best build
    0.0: (1.2, 4.0),
    2.0: (5.0, 14.0),
    5.0: (None, 14.0),
}


def lognormal_maps(n: int) -> np.ndarray:
    """Make maps with the mean and contrast of CMD's Mcdm."""
    rng = np.random.default_rng(20261124)
    return np.exp(rng.normal(25.3, 1.2, (n, SIDE, SIDE))).astype(np.float32)


def is_installed(module: str, package: str) -> bool:
    """Check whether an optional reference is installed; print a notice if not."""
    if importlib.util.find_spec(module):
        return True
    say(f"{package} is not installed: its comparison is SKIPPED. Run pip install {package}.")
    return False


# ---- smoothing ----


def weights(width: float) -> np.ndarray:
    """Compute SciPy's kernel: truncated at 4 sigma, with sum 1."""
    radius = int(4 * width + 0.5)
    w = np.exp(-0.5 * (np.arange(-radius, radius + 1) / width) ** 2)
    return (w / w.sum()).astype(np.float32)


def opencv_smoother(map_: np.ndarray, width: float) -> Callable[[], np.ndarray]:
    """Smooth with OpenCV's separable filter; maps are padded, as it has no periodic border."""
    import cv2

    cv2.setNumThreads(1)
    taps = weights(width)
    r = len(taps) // 2
    padded, out = np.empty((2, SIDE + 2 * r, SIDE + 2 * r), np.float32)

    def smooth() -> np.ndarray:
        cv2.copyMakeBorder(map_, r, r, r, r, cv2.BORDER_WRAP, dst=padded)
        cv2.sepFilter2D(padded, cv2.CV_32F, taps, taps, dst=out)
        return out[r : r + SIDE, r : r + SIDE]

    return smooth


def numba_smoother(map_: np.ndarray, width: float) -> Callable[[], np.ndarray]:
    """Smooth in numba with two passes of shifted, padded rows, in one thread."""
    import numba

    @numba.njit
    def smooth_all(source, taps, turned, padded, out):  # type: ignore[no-untyped-def]
        side, r = source.shape[0], len(taps) // 2
        for y in range(side):
            turned[:] = 0
            for k in range(2 * r + 1):
                row = (y + k - r) % side
                for x in range(side):
                    turned[x] += taps[k] * source[row, x]
            padded[:r], padded[r + side :] = turned[side - r :], turned[:r]
            padded[r : r + side] = turned
            out[y] = 0
            for k in range(2 * r + 1):
                for x in range(side):
                    out[y, x] += taps[k] * padded[x + k]

    taps, out = weights(width), np.empty_like(map_)
    scratch = np.empty(SIDE, np.float32), np.empty(SIDE + len(taps) - 1, np.float32)

    def smooth() -> np.ndarray:
        smooth_all(map_, taps, *scratch, out)
        return out

    return smooth


def torch_smoother(map_: np.ndarray, width: float) -> Callable[[], np.ndarray]:
    """Smooth with PyTorch's convolution along each axis, in one thread."""
    taps = torch.from_numpy(weights(width))
    r = len(taps) // 2
    source = torch.from_numpy(map_)[None, None]

    def smooth() -> np.ndarray:
        padded = torch.nn.functional.pad(source, (r, r, r, r), mode="circular")
        along_rows = torch.nn.functional.conv2d(padded, taps[None, None, None])
        return torch.nn.functional.conv2d(along_rows, taps[None, None, :, None])[0, 0].numpy()

    return smooth


def scipy_smoother(map_: np.ndarray, width: float) -> Callable[[], np.ndarray]:
    """Smooth as the published scripts do, into a reused map."""
    out = np.empty_like(map_)
    return lambda: ndimage.gaussian_filter(map_, width, mode="wrap", output=out)


def smoothing(widths: tuple[float, ...]) -> Iterator[Comparison]:
    """Compare smoothing of one map in cache, one thread per side."""
    smoothers = {"scipy gaussian_filter": scipy_smoother, "torch conv2d": torch_smoother}
    torch.set_num_threads(1)
    if is_installed("cv2", "opencv-python-headless"):
        smoothers["OpenCV sepFilter2D"] = opencv_smoother
    if is_installed("numba", "numba"):
        smoothers["numba"] = numba_smoother
    map_ = lognormal_maps(1)
    out = np.empty_like(map_)
    for width in widths:
        answer = ndimage.gaussian_filter(map_[0].astype(np.float64), width, mode="wrap")
        for name, make in smoothers.items():
            reference = make(map_[0], width)
            np.testing.assert_allclose(reference(), answer, rtol=OTHERS_RTOL)
            for instructions in mapkernels.available_instructions():
                mapkernels.set_instructions(instructions)
                mapkernels.gaussian_smooth(map_, out, width)
                np.testing.assert_allclose(out[0], answer, rtol=SMOOTH_RTOL)
                yield Comparison(
                    name=f"smooth, {width:g} pixels",
                    ours=lambda w=width: mapkernels.gaussian_smooth(map_, out, w),
                    reference_name=name,
                    reference=reference,
                    instructions=instructions,
                    target=smoothing_target(name, width, instructions),
                )


def smoothing_target(reference: str, width: float, instructions: str) -> float | None:
    """Return the required speed-up, None if there is none."""
    if reference.startswith("scipy") and width in (2, 5):
        return SMOOTHING_TARGETS.get(instructions)
    return 2.5 if reference.startswith("OpenCV") and width == 2 else None


# ---- logarithm, and the fused pass ----


def logarithm(n_maps: int) -> Iterator[Comparison]:
    """Compare with NumPy's and PyTorch's vectorized log10, in one thread and reused memory."""
    torch.set_num_threads(1)
    for n in (1, n_maps):
        maps = lognormal_maps(n)
        ours, theirs, sums = np.empty((3, *maps.shape), np.float32)
        tensor, out = torch.from_numpy(maps), torch.from_numpy(theirs)
        references: dict[str, tuple[tuple[str, Callable[[], object]], ...]] = {
            "log10": (
                ("numpy", lambda m=maps, o=theirs: np.log10(m, out=o)),
                ("torch", lambda t=tensor, o=out: torch.log10(t, out=o)),
            ),
            "log10p1": (
                ("numpy", lambda m=maps, s=sums, o=theirs: np.log10(np.add(m, 1, out=s), out=o)),
            ),
        }
        for kernel, each in references.items():
            for (name, reference), instructions in itertools.product(each, best_last()):
                mapkernels.set_instructions(instructions)
                run = getattr(mapkernels, kernel)
                run(maps, ours)
                reference()
                np.testing.assert_allclose(ours, theirs, atol=LOG_MAP_ATOL)
                is_best = instructions == best_last()[-1]
                yield Comparison(
                    name=f"{kernel}, {n} maps",
                    ours=lambda run=run, m=maps, o=ours: run(m, o),
                    reference_name=name,
                    reference=reference,
                    n_maps=n,
                    instructions=instructions,
                    target=1.3 if is_best and name == "numpy" else None,
                )


def best_last() -> list[str]:
    """Return the instruction sets of this machine, the widest last."""
    return mapkernels.available_instructions()


def benchmark_order(maps: np.ndarray, width: float, out: np.ndarray) -> tuple[float, float]:
    """Smooth each map and compute log10, mean and std with the calls of the published scripts.

    The log maps are written to `out`, so that no time is spent on new memory.
    """
    source = maps
    if width:
        for map_, smoothed in zip(maps, out, strict=True):
            ndimage.gaussian_filter(map_, width, mode="wrap", output=smoothed)
        source = out
    np.log10(source, out=out)
    return float(np.mean(out)), float(np.std(out))


def fused(n_maps: int, n_reference: int) -> Iterator[Comparison]:
    """Compare the fused pass (check, smooth, log10, moments) over maps that are not in cache."""
    maps = lognormal_maps(n_maps)
    out, moments = np.empty_like(maps), np.empty((n_maps, 3))
    log_maps, copies = np.empty_like(maps[:n_reference]), np.empty_like(maps)
    for width, n_threads, instructions, stored in itertools.product(
        PASS_TARGETS, sorted({1, available_threads(0)}), best_last(), (out, None)
    ):
        mean, std = benchmark_order(maps[:n_reference], width, log_maps)
        mapkernels.set_instructions(instructions)
        mapkernels.preprocess(maps, out, moments, width, False, False, n_threads)
        np.testing.assert_allclose(out[:n_reference], log_maps, atol=LOG_MAP_ATOL)
        count, our_mean, m2 = mapkernels.combine_moments(moments[:n_reference])
        np.testing.assert_allclose([our_mean, np.sqrt(m2 / count)], [mean, std], rtol=MOMENTS_RTOL)
        places = {"portable": 0, best_last()[-1]: 1}
        ours = Comparison(
            name=f"{'statistics' if stored is None else 'log maps'}, {width:g} pixels, "
            f"{n_threads} threads",
            ours=lambda s=stored, w=width, n=n_threads: mapkernels.preprocess(
                maps, s, moments, w, False, False, n
            ),
            reference_name="scipy, numpy calls",
            reference=lambda w=width: benchmark_order(maps[:n_reference], w, log_maps),
            n_maps=n_maps,
            reference_n_maps=n_reference,
            instructions=instructions,
            target=PASS_TARGETS[width][places[instructions]]
            if n_threads == 1 and stored is None and instructions in places
            else None,
        )
        yield ours
        if width == 0 and n_threads == 1:
            yield dataclasses.replace(
                ours,
                reference_name="memcpy",
                reference=lambda: np.copyto(copies, maps),
                reference_n_maps=n_maps,
                target=None,
            )


def threads(n_maps: int) -> Iterator[Comparison]:
    """Compare all threads with one, for few maps."""
    maps = lognormal_maps(n_maps)
    moments = np.empty((n_maps, 3))
    for width in PASS_TARGETS:
        yield Comparison(
            name=f"statistics, {width:g} pixels, {n_maps} maps, {available_threads(0)} threads",
            ours=lambda w=width: mapkernels.preprocess(
                maps, None, moments, w, False, False, available_threads(0)
            ),
            reference_name="1 thread",
            reference=lambda w=width: mapkernels.preprocess(
                maps, None, moments, w, False, False, 1
            ),
            n_maps=n_maps,
            target=1.0,
        )


# ---- batches ----


class RotatedMaps(Dataset[torch.Tensor]):
    """Normalized maps in memory, each in a random orientation, as in the published scripts."""

    def __init__(self, maps: np.ndarray) -> None:
        self.maps = torch.from_numpy(maps)

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, i: int) -> torch.Tensor:
        rotation, flip = np.random.randint(0, 4), np.random.randint(0, 2)  # noqa: NPY002
        return orient(self.maps[i][None], rotation, flip)


def orient(pixels: torch.Tensor, rotation: int, flip: int) -> torch.Tensor:
    """Rotate and then flip a map (1, L, L)."""
    rotated = torch.rot90(pixels, k=rotation, dims=(1, 2))
    return torch.flip(rotated, dims=(1,)) if flip else rotated


def copy_maps(maps: np.ndarray, out: np.ndarray, index: np.ndarray, n_threads: int) -> None:
    """Copy the same maps by memcpy in threads, the limit set by memory."""

    def copy(first: int) -> None:
        for b in range(first, len(index), n_threads):
            np.copyto(out[b, 0], maps[index[b]])

    threads = [threading.Thread(target=copy, args=(first,)) for first in range(1, n_threads)]
    for thread in threads:
        thread.start()
    copy(0)
    for thread in threads:
        thread.join()


class Batches:
    """Random batches of standardized maps from the gather kernel, in one reused buffer."""

    def __init__(self, maps: np.ndarray, field_dtype: str, out_dtype: str, n_threads: int) -> None:
        numpy_types: dict[str, Any] = {"bfloat16": np.uint16}
        self.maps = maps
        self.out = aligned_empty((BATCH, 1, SIDE, SIDE), numpy_types.get(out_dtype, out_dtype))
        self.types = field_dtype, out_dtype
        self.n_threads = n_threads
        self.rng = np.random.default_rng(1)

    def __call__(self) -> np.ndarray:
        """Fill the buffer with random maps."""
        index = self.rng.permutation(len(self.maps))[:BATCH]
        self.gather(index, self.rng.integers(0, 8, BATCH), 0.0, 1.0)
        return self.out

    def gather(self, index: np.ndarray, orientation: np.ndarray, mean: float, std: float) -> None:
        """Fill the buffer."""
        arrays = (
            index,
            orientation,
            np.zeros((BATCH, 2), np.int64),
            np.array([mean]),
            np.array([std]),
        )
        mapkernels.gather([self.maps], *arrays, self.out, self.n_threads, *self.types)


def check_gather(maps: np.ndarray) -> None:
    """Compare a batch with PyTorch's orientation of each map."""
    batches = Batches(maps, "float32", "float32", 1)
    index, orientation = np.arange(BATCH) % len(maps), np.arange(BATCH) % 8
    batches.gather(index, orientation, 0.0, 1.0)
    for ours, i, o in zip(batches.out, index, orientation, strict=True):
        theirs = orient(torch.from_numpy(maps[i][None]), *divmod(int(o), 2))
        np.testing.assert_array_equal(ours, theirs.numpy())


def gather_against_memcpy(maps: np.ndarray) -> Iterator[Comparison]:
    """Compare batches in random orientation with memcpy of as many float32 maps."""
    check_gather(maps)
    target = aligned_empty((BATCH, 1, SIDE, SIDE), np.float32)
    halves = maps.astype(np.float16)
    rng = np.random.default_rng(1)
    for n_threads in sorted({1, available_threads(0)}):
        for source, *types in (
            (maps, "float32", "float32"),
            (halves, "float16", "float32"),
            (halves, "float16", "bfloat16"),
        ):
            for instructions in mapkernels.available_instructions():
                yield Comparison(
                    name=f"batch {types[0]} to {types[1]}, {n_threads} threads",
                    ours=Batches(source, *types, n_threads),
                    reference_name="memcpy of float32",
                    reference=lambda n=n_threads: copy_maps(
                        maps, target, rng.permutation(len(maps))[:BATCH], n
                    ),
                    n_maps=BATCH,
                    instructions=instructions,
                    target=0.75 if types == ["float32", "float32"] and n_threads > 1 else None,
                )


def gather_against_loader(maps: np.ndarray) -> Iterator[Comparison]:
    """Compare the batches of an epoch with PyTorch's DataLoader, for each number of workers.

    The compact cache, whose maps have half the bytes, is compared too.
    """
    n_threads = available_threads(0)
    kept = {"float32": maps, "float16": maps.astype(np.float16)}
    n_batches = len(maps) // BATCH
    torch.set_num_threads(n_threads)
    for n_workers in range(n_threads + 1):
        loader = DataLoader(
            RotatedMaps(maps),
            BATCH,
            shuffle=True,
            drop_last=True,
            num_workers=n_workers,
            persistent_workers=n_workers > 0,
        )
        for kept_as, ours in kept.items():
            batches = Batches(ours, kept_as, "float32", n_threads)
            yield Comparison(
                name=f"epoch of {n_batches} batches of {kept_as} maps, {n_threads} threads",
                ours=lambda batches=batches: [batches() for _ in range(n_batches)],
                reference_name=f"DataLoader, {n_workers} workers",
                reference=lambda loader=loader: [None for _ in loader],
                n_maps=n_batches * BATCH,
                target=9.0,
            )


# ---- particle mesh ----


def particle_mesh(n: int) -> Iterator[Comparison]:
    """Compare deposit and forces of n^3 particles with NumPy and SciPy, in one thread."""
    rng = np.random.default_rng(20261129)
    displacement, _ = begin(linear_field(n, 0.3, 6.0, rng), Growth(0.3))  # by then as today
    density, potential = np.empty((n, n, n), np.float32), rng.normal(size=(n, n, n)).astype("f4")
    acceleration = np.empty_like(displacement)
    for kernel, arguments, out in (
        ("deposit_mesh", (displacement,), density),
        ("accelerate", (displacement, potential), acceleration),
    ):
        answer = np.empty_like(out)
        getattr(plain, kernel)(*arguments, answer)
        getattr(mapkernels, kernel)(*arguments, out)
        np.testing.assert_allclose(out, answer, atol=MESH_RTOL * np.abs(answer).max())
        yield Comparison(
            name=f"{kernel}, {n}^3 particles",
            ours=lambda k=kernel, a=arguments, o=out: getattr(mapkernels, k)(*a, o),
            reference_name="numpy, scipy calls",
            reference=lambda k=kernel, a=arguments, o=answer: getattr(plain, k)(*a, o),
        )


def main() -> None:
    """Run all comparisons and report them."""
    arguments = options(__doc__).parse_args()
    quick = arguments.quick
    n_samples, n_maps, n_gathered = (3, 4, BATCH) if quick else (21, 64, 10 * BATCH)
    section = Section("benchmarks/kernels.py")
    section.add(
        "",
        "Median, half the interquartile range, and fastest sample, per map of 256 x 256 pixels.",
    )
    widths = (0.5, 2.0) if quick else (0.5, 1.0, 2.0, 5.0)
    section.add_table("Smoothing: one map, one thread", compare(smoothing(widths), n_samples))
    section.add_table(
        f"Logarithm: {n_maps} maps, one thread", compare(logarithm(n_maps), n_samples)
    )
    fused_results = compare(fused(n_maps, min(n_maps, 8)), n_samples)
    section.add_table(f"Fused pass: {n_maps} maps", fused_results)
    section.add_table("Threads", compare(threads(8), n_samples))
    maps = np.log10(lognormal_maps(n_gathered))
    section.add_table(
        f"Batches of {BATCH} of {n_gathered} maps", compare(gather_against_memcpy(maps), n_samples)
    )
    section.add_table(
        "Batches against PyTorch", compare(gather_against_loader(maps), 3 if quick else 7)
    )
    sizes = (16,) if quick else (64, 160)
    section.add_table(
        "Particle mesh: one thread, times per call instead of per map",
        compare((each for n in sizes for each in particle_mesh(n)), 3 if quick else 5),
    )
    if arguments.report:
        say(f"Report: {write_report(section)}")


if __name__ == "__main__":
    main()
