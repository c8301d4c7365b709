# SPDX-License-Identifier: Apache-2.0
"""Say what works here and what is missing; of a recording or of live topics, what is in there.

Without an argument: each line is ok, or missing with what to do about it; exit code 0 if the core
can work, else 1. With RECORDING: what is in it, what is wrong with it, and the command that maps
it; exit code 0 if it can be mapped, else 1. With --topics: the same of the topics of a running ROS
system; exit code 0 if the node has all it needs, else 1.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from f4x_ros.cli.sources import add_topic_arguments, flags_of, topic_options
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError


class Line(NamedTuple):
    """One finding. `required`: without it the core cannot work."""

    name: str
    ok: bool
    text: str
    required: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "recording", nargs="?", help="look into this: an RGB-D or TUM folder, or a ROS 2 bag"
    )
    parser.add_argument(
        "--topics", action="store_true", help="look at the topics of the running ROS system"
    )
    parser.add_argument(
        "--seconds", type=float, default=2.0, metavar="S",
        help="with --topics, listen so long (default: 2)",
    )  # fmt: skip
    add_topic_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print what was asked for; 0 if all is well, else 1."""
    chosen = topic_options(options)
    if options.recording is not None and options.topics:
        raise BadInputError(f"--topics and '{options.recording}', expected one of them")
    if options.topics:
        from f4x_ros.cli.doctor_topics import examine_topics

        return examine_topics(options.seconds)
    if options.recording is not None:
        from f4x_ros.cli.doctor_recording import examine

        return examine(options.recording, chosen)
    if chosen:
        raise BadInputError(f"{flags_of(chosen)[0]} is given, expected a recording with it")
    return _examine_installation()


def _examine_installation() -> int:
    lines: list[Line] = []
    for check in (_system, _torch, _backends, _extractors, _libraries, _ros):
        try:
            lines.extend(check())
        except Exception as error:  # a broken library may raise anything on import
            name = check.__name__.strip("_")
            text = f"{type(error).__name__}: {error}"
            lines.append(Line(name, False, text, check in (_torch, _backends)))
    print(table([(line.name, "ok" if line.ok else "missing", line.text) for line in lines]))
    broken = [line.name for line in lines if line.required and not line.ok]
    if broken:
        print(f"\nf4x cannot work here: {', '.join(broken)}")
        return 1
    missing = [line.name for line in lines if not line.ok]
    also = f" Not available, and not needed for it: {', '.join(missing)}." if missing else ""
    print(f"\nThe core works here.{also}")
    return 0


def _system() -> Iterator[Line]:
    import psutil

    supported = sys.version_info >= (3, 10)
    yield Line("Python", supported, f"{platform.python_version()} in {sys.prefix}", True)
    cores = len(os.sched_getaffinity(0))
    yield Line("cores", cores >= 2, f"{cores} usable" + ("" if cores > 1 else ", expected 2"))
    memory = psutil.virtual_memory()
    enough = memory.available > 2e9
    advice = "" if enough else ": a run needs about 2 GB"
    text = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free{advice}"
    yield Line("memory", enough, text)
    free = shutil.disk_usage(Path.cwd()).free
    advice = "" if free > 1e9 else ": a run leaves up to 300 MB"
    yield Line("disk", free > 1e9, f"{free / 1e9:.1f} GB free in {Path.cwd()}{advice}")


def _torch() -> Iterator[Line]:
    import torch

    threads = f"{torch.get_num_threads()} threads"
    wait = os.environ.get("OMP_WAIT_POLICY", "not set")
    yield Line("torch", True, f"{torch.__version__}, {threads}, OMP_WAIT_POLICY {wait}", True)
    if torch.cuda.is_available():
        yield Line("CUDA", True, f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")
    elif torch.version.cuda is None:
        yield Line("CUDA", False, "this torch is built for CPUs; the CPU backend is used")
    else:
        yield Line("CUDA", False, "torch sees no device (nvidia-smi says whether there is one)")


def _backends() -> Iterator[Line]:
    from f4x_ros.core.render import available_backends

    found = available_backends()
    for name, status in found.items():
        yield Line(f"render: {name}", status == "ok", "available" if status == "ok" else status)
    if "ok" not in found.values():
        yield Line("render", False, "no backend can draw", True)


def _extractors() -> Iterator[Line]:
    from f4x_ros.core.features.registry import describe

    for status in describe():
        yield Line(f"features: {status.name}", status.available, status.message)


def _libraries() -> Iterator[Line]:
    yield _library("embreex", "embreex", "pip install embreex: worlds are drawn with it")
    yield _library("rosbags", "rosbags", "pip install rosbags: bags are read and written with it")
    yield _library("OpenCV", "cv2", "pip install opencv-python-headless", required=True)
    yield _evaluation()


def _evaluation() -> Line:
    from f4x_ros.eval.metrics.libraries import check_libraries

    try:
        check_libraries()
    except ImportError as error:
        return Line("evaluation", False, f"needed by `f4x eval` alone: {error}")
    return Line("evaluation", True, "evo, torchmetrics, trackeval")


def _ros() -> Iterator[Line]:
    install = "make setup, or source a ROS 2 workspace"
    yield _library("rclpy", "rclpy", f"{install}: needed by `f4x demo` and the node")
    yield _library("messages", "f4x_ros.msg", f"{install}: the package's interfaces are not built")
    own = "not needed, our own code is used"
    for name in ("tf2_ros", "message_filters", "cv_bridge"):
        yield _library(name, name, own)
    yield from _middleware()


def _middleware() -> Iterator[Line]:
    if importlib.util.find_spec("rclpy") is None:
        return
    from rclpy.utilities import get_rmw_implementation_identifier

    from f4x_ros.ros.middleware import use_large_shared_memory

    name = get_rmw_implementation_identifier()
    yield Line("middleware", True, name)
    if "fastrtps" not in name:
        return
    use_large_shared_memory()
    profile = next(
        (
            os.environ[variable]
            for variable in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
            if variable in os.environ
        ),
        None,
    )
    if profile is None:
        transports = os.environ.get("FASTDDS_BUILTIN_TRANSPORTS")
        text = f"FASTDDS_BUILTIN_TRANSPORTS={transports}" if transports else "no profile installed"
        yield Line("shared memory", bool(transports), text)
        return
    room = shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else 0
    advice = "" if room > 256e6 else " (in a container: --shm-size=512m)"
    text = f"{room / 1e6:.0f} MB free{advice}, profile {profile}"
    yield Line("shared memory", room > 256e6 and Path(profile).is_file(), text)


def _library(name: str, module: str, advice: str, *, required: bool = False) -> Line:
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # a broken library may raise anything on import
        absent = isinstance(error, ModuleNotFoundError) and error.name == module
        reason = "not installed" if absent else f"does not load ({error})"
        return Line(name, False, f"{reason}: {advice}", required)
    version = getattr(imported, "__version__", "")
    return Line(name, True, str(version) or "available", required)
