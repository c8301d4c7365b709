# SPDX-License-Identifier: Apache-2.0
"""Finds and loads the compiled rasteriser (`csrc/`) through ctypes.

Two builds exist on x86-64: one for every processor and one for those with AVX2 and FMA. They are
looked for beside this file and then at the same place under the other folders of
`f4x_ros.__path__`, so that a source checkout finds the libraries of the installed package.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from pathlib import Path

from f4x_ros.core.errors import BadInputError

ABI = 7  # F4X_RAST_ABI in csrc/abi.h

_REMEDY = (
    "reinstall the package with a C++ compiler present, or in a source checkout run"
    " `python -m f4x_ros.core.render.build`"
)


class NativeError(RuntimeError):
    """The compiled rasteriser is missing, does not load, or is of another version."""


class Gaussians(ctypes.Structure):
    """F4xGaussians of abi.h."""

    _fields_ = (
        ("count", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("means", ctypes.c_void_p),
        ("quats", ctypes.c_void_p),
        ("scales", ctypes.c_void_p),
        ("opacities", ctypes.c_void_p),
        ("colors", ctypes.c_void_p),
    )


class View(ctypes.Structure):
    """F4xView of abi.h."""

    _fields_ = (
        ("viewmat", ctypes.c_void_p),
        ("K", ctypes.c_void_p),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("near_m", ctypes.c_double),
        ("eps2d", ctypes.c_double),
        ("threads", ctypes.c_int32),
        ("keep", ctypes.c_int32),
    )


class Gradients(ctypes.Structure):
    """F4xGradients of abi.h."""

    _fields_ = (
        ("means", ctypes.c_void_p),
        ("quats", ctypes.c_void_p),
        ("scales", ctypes.c_void_p),
        ("opacities", ctypes.c_void_p),
        ("colors", ctypes.c_void_p),
        ("viewmat", ctypes.c_void_p),
    )


class Loss(ctypes.Structure):
    """F4xLoss of abi.h."""

    _fields_ = (
        ("pixels", ctypes.c_int64),
        ("color", ctypes.c_void_p),
        ("depth", ctypes.c_void_p),
        ("alpha", ctypes.c_void_p),
        ("rgb", ctypes.c_void_p),
        ("seen_depth", ctypes.c_void_p),
        ("exposure", ctypes.c_void_p),
        ("squared_weight", ctypes.c_float),
        ("depth_weight", ctypes.c_float),
        ("alpha_weight", ctypes.c_float),
        ("threads", ctypes.c_int32),
    )


class Refine(ctypes.Structure):
    """F4xRefine of abi.h."""

    _fields_ = (
        ("count", ctypes.c_int64),
        ("rows", ctypes.c_void_p),
        ("means", ctypes.c_void_p),
        ("quats", ctypes.c_void_p),
        ("log_scales", ctypes.c_void_p),
        ("logit_opacities", ctypes.c_void_p),
        ("colors", ctypes.c_void_p),
        ("steps", ctypes.c_void_p),
        ("m", ctypes.c_void_p),
        ("v", ctypes.c_void_p),
        ("moments", ctypes.c_int64),
        ("scales", ctypes.c_void_p),
        ("opacities", ctypes.c_void_p),
        ("g_means", ctypes.c_void_p),
        ("g_quats", ctypes.c_void_p),
        ("g_scales", ctypes.c_void_p),
        ("g_opacities", ctypes.c_void_p),
        ("g_colors", ctypes.c_void_p),
        ("rates", ctypes.c_float * 5),
        ("beta1", ctypes.c_float),
        ("beta2", ctypes.c_float),
        ("eps", ctypes.c_float),
        ("fall", ctypes.c_float),
        ("threads", ctypes.c_int32),
    )


class InView(ctypes.Structure):
    """F4xInView of abi.h."""

    _fields_ = (
        ("count", ctypes.c_int64),
        ("means", ctypes.c_void_p),
        ("log_scales", ctypes.c_void_p),
        ("birth_s", ctypes.c_void_p),
        ("death_s", ctypes.c_void_p),
        ("viewmat", ctypes.c_void_p),
        ("sides", ctypes.c_float * 4),
        ("stretch", ctypes.c_float * 2),
        ("near_m", ctypes.c_float),
        ("sigmas", ctypes.c_float),
        ("least", ctypes.c_float),
        ("time_s", ctypes.c_double),
        ("threads", ctypes.c_int32),
    )


class Gather(ctypes.Structure):
    """F4xGather of abi.h."""

    _fields_ = (
        ("count", ctypes.c_int64),
        ("rows", ctypes.c_void_p),
        ("from_means", ctypes.c_void_p),
        ("from_quats", ctypes.c_void_p),
        ("from_log_scales", ctypes.c_void_p),
        ("from_logit_opacities", ctypes.c_void_p),
        ("from_colors", ctypes.c_void_p),
        ("means", ctypes.c_void_p),
        ("quats", ctypes.c_void_p),
        ("scales", ctypes.c_void_p),
        ("opacities", ctypes.c_void_p),
        ("colors", ctypes.c_void_p),
        ("threads", ctypes.c_int32),
    )


class Edges(ctypes.Structure):
    """F4xEdges of abi.h."""

    _fields_ = (
        ("count", ctypes.c_int64),
        ("features", ctypes.c_int64),
        ("neighbours", ctypes.c_int64),
        ("means", ctypes.c_void_p),
        ("quats", ctypes.c_void_p),
        ("scales", ctypes.c_void_p),
        ("colors", ctypes.c_void_p),
        ("opacities", ctypes.c_void_p),
        ("known", ctypes.c_void_p),
        ("eye", ctypes.c_float * 3),
        ("slopes", ctypes.c_float * 8),
        ("bias", ctypes.c_float),
        ("threads", ctypes.c_int32),
    )


class Links(ctypes.Structure):
    """F4xLinks of abi.h."""

    _fields_ = (
        ("count", ctypes.c_int64),
        ("starts", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
    )


class Library:
    """One loaded build of the rasteriser; NativeError when it does not load or does not fit."""

    def __init__(self, path: Path) -> None:
        _share_openmp_with_torch()
        try:
            self.dll = ctypes.CDLL(str(path))
        except OSError as e:
            raise NativeError(f"{path} does not load: {e}; {_REMEDY}") from e
        self.path = path
        try:
            found: object = int(self.dll.f4x_rast_abi())
        except AttributeError:
            found = "none"
        if found != ABI:
            raise NativeError(
                f"{path} has interface version {found}, this Python code expects {ABI}: one of the"
                f" two is stale; {_REMEDY}"
            )
        self.dll.f4x_rast_build.restype = ctypes.c_char_p
        self.build = self.dll.f4x_rast_build().decode()
        self.dll.f4x_plan_free.argtypes = [ctypes.c_void_p]
        self.dll.f4x_plan_free.restype = None
        self.dll.f4x_pool_clear.restype = None

    def call(self, name: str, *args: object) -> None:
        """Call a function that returns a status of abi.h; raise when it is not 0."""
        status = getattr(self.dll, name)(*args)
        if status == 1:
            raise MemoryError(f"{name}: out of memory")
        if status == 3:
            raise BadInputError(
                "the Gaussians cover more tiles than 2^31 in sum: too many or too large"
            )
        if status != 0:
            raise RuntimeError(f"{name} failed with status {status} (see csrc/abi.h)")


class Plan:
    """What a forward pass left for its backward pass; frees it when it goes."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.handle = ctypes.c_void_p()

    def __del__(self) -> None:
        if self.handle:
            self.library.dll.f4x_plan_free(self.handle)


@functools.cache
def cpu_has_v3() -> bool:
    """Whether the processor runs -march=x86-64-v3 code (AVX2, FMA, BMI and their companions)."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    return {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"} <= set(flags)


def candidates() -> list[Path]:
    """Where a library may lie, the preferred place first."""
    import f4x_ros

    here = Path(__file__).resolve().parent
    folders = [here, *(Path(p) / "core" / "render" for p in f4x_ros.__path__)]
    names = ["libf4x_rast_v3.so"] if cpu_has_v3() else []
    return [folder / name for folder in folders for name in [*names, "libf4x_rast.so"]]


@functools.cache
def library() -> Library:
    """The build that fits this processor; NativeError says why there is none and what to do."""
    for path in candidates():
        if path.is_file():
            return Library(path)
    raise NativeError(f"the compiled CPU rasteriser (libf4x_rast) was not found; {_REMEDY}")


@functools.cache
def _share_openmp_with_torch() -> None:
    """Make torch's OpenMP runtime the one our library binds to.

    Two runtimes in one process mean two thread pools, each spinning after its work on the cores
    that the other needs. The wheels of torch carry a private copy of libgomp; with its symbols
    global, the dynamic linker prefers it to the system's.
    """
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in maps.splitlines():
        path = line.split(maxsplit=5)[-1]
        if Path(path).name.startswith(("libgomp", "libiomp5", "libomp")):
            ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
            return
