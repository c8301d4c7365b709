# SPDX-License-Identifier: Apache-2.0
"""One contestant on one source, in a process of its own, so that a crash costs only its row."""

from __future__ import annotations

import multiprocessing
import re
import resource
import signal
import time
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

import numpy as np
import torch
from peer_camera import KissIcp, Open3DOdometry, Open3DSlam
from peer_ours import Ours
from peer_subjects import Contestant
from peer_tracks import LiftedTracks, PerFrameMasks
from peer_tsdf import Open3DTsdf

from f4x_ros.cli.settings import read_settings
from f4x_ros.core.config import Config
from f4x_ros.eval.metrics.camera import camera_scores
from f4x_ros.eval.protocol.evaluate import evaluate
from f4x_ros.io.source import Source
from f4x_ros.sim import World, open_source

Result = dict[str, Any]
"""status ("ok", "missing", "failed"), and reason or numbers, cost, settings, versions."""

_LAST_WORDS_S = 10.0  # a process that has said all ends within
_CAMERA_KEYS = (
    "ate_rmse_m",
    "ate_aligned_rmse_m",
    "rpe_translation_rmse_m",
    "rpe_rotation_rmse_rad",
)


class Entry(NamedTuple):
    """A contestant.

    Attributes:
        make: builds it for a configuration and a source.
        modules: what must be installed.
        install: how.
        world_only: it is scored only against the exact truth of a drawn world.
    """

    make: Callable[[Config, Source], Contestant]
    modules: tuple[str, ...] = ()
    install: str = ""
    world_only: bool = True


_OPEN3D = (
    "pip install open3d-cpu==0.20.0 "
    "(Debian, Ubuntu: apt install libusb-1.0-0 libegl1 libgl1 libx11-6 libidn2-0)"
)
_TRACKERS = "pip install supervision rich pydeprecate && pip install --no-deps trackers==2.6.1"

ENTRIES: dict[str, Entry] = {
    "ours": Entry(lambda config, source: Ours(config)),
    "open3d-slam": Entry(lambda config, source: Open3DSlam(), ("open3d",), _OPEN3D, False),
    "open3d-odometry": Entry(lambda config, source: Open3DOdometry(), ("open3d",), _OPEN3D, False),
    "kiss-icp": Entry(
        lambda config, source: KissIcp(), ("kiss_icp",), "pip install kiss-icp==1.3.0", False
    ),
    "bytetrack": Entry(
        lambda config, source: LiftedTracks(config, source, "ByteTrackTracker"),
        ("trackers", "supervision"),
        _TRACKERS,
    ),
    "sort": Entry(
        lambda config, source: LiftedTracks(config, source, "SORTTracker"),
        ("trackers", "supervision"),
        _TRACKERS,
    ),
    "re-encoding": Entry(PerFrameMasks),
    "open3d-tsdf": Entry(lambda config, source: Open3DTsdf(), ("open3d",), _OPEN3D),
}
"""In the order in which they run."""


def measure(name: str, spec: str, assignments: Sequence[str], timeout_s: float) -> Result:
    """Run one contestant on one source in a fresh process.

    Args:
        name: of `ENTRIES`.
        spec: opens the source, drawn already.
        assignments: "key=value" options of our pipeline.
        timeout_s: it is ended after so long, and has failed.
    """
    entry = ENTRIES[name]
    if absent := [module for module in entry.modules if find_spec(module) is None]:
        return {"status": "missing", "reason": f"{absent[0]} not installed: {entry.install}"}
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(there, name, spec, tuple(assignments)))
    process.start()
    there.close()
    return collected(process, here, timeout_s)


def collected(process: BaseProcess, pipe: Connection, timeout_s: float) -> Result:
    """What a child says, or how it ended; it is gone afterwards."""
    try:
        result: Result = (
            pipe.recv() if pipe.poll(timeout_s) else _failed(f"no result after {timeout_s:g} s")
        )
    except EOFError:  # it is gone
        process.join(_LAST_WORDS_S)
        result = _failed(death(process.exitcode))
    process.join(_LAST_WORDS_S if result["status"] == "ok" else 0)
    if process.is_alive():
        process.kill()
        process.join()
    return result


def death(exit_code: int | None) -> str:
    """Why a process ended without a result."""
    if exit_code is not None and exit_code < 0:
        return f"crashed: {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code} and no result"


def plain(message: str) -> str:
    """An error's words on one line: without colours and Open3D's signatures."""
    words = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", message).split())
    return re.sub(r"^.*\.(?:cpp|h|cu):\d+: ", "", words)


def _failed(reason: str) -> Result:
    return {"status": "failed", "reason": reason}


def _child(pipe: Connection, name: str, spec: str, assignments: Sequence[str]) -> None:
    try:
        result = _measured(name, spec, assignments)
    except ImportError as error:  # a system library is missing, say
        result = _failed(f"cannot be imported ({error}): {ENTRIES[name].install}")
    except Exception as error:  # whatever a peer raises is its result
        result = _failed(f"{type(error).__name__}: {plain(str(error))}")
    pipe.send(result)
    pipe.close()


def _measured(name: str, spec: str, assignments: Sequence[str]) -> Result:
    entry, started = ENTRIES[name], time.monotonic()
    config, _ = read_settings(None, assignments)
    with open_source(spec) as source:
        contestant = entry.make(config, source)
        for module in entry.modules:
            import_module(module)
        if entry.world_only:
            numbers = evaluate(source, contestant).numbers
            for each in ("iou", "iou_paraphrase"):
                numbers["query"].pop(each, None)
        else:
            numbers = {"camera": _camera(source, contestant)}
    return {
        "status": "ok",
        "numbers": {k: numbers[k] for k in numbers if k not in ("cost", "run")},
        "cost": contestant.cost() | {"size": contestant.counts()},
        "settings": contestant.settings | {"torch_threads": torch.get_num_threads()},
        "versions": _versions(entry.modules),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "seconds": round(time.monotonic() - started, 1),
    }


def _camera(source: Source, contestant: Contestant) -> dict[str, float | None]:
    """The path against the true one, or of a recording the poses that came with it."""
    true, found = [], []
    for index, frame in enumerate(source):
        pose = source.camera_pose(index) if isinstance(source, World) else frame.T_map_camera
        if pose is None:
            raise ValueError(f"{source.name} has frames without a pose, expected one for each")
        true.append(pose)
        found.append(contestant.process(frame).T_map_camera)
    scores = camera_scores(source.stamps_ns, np.stack(true), np.stack(found))
    return {key: getattr(scores, key) for key in _CAMERA_KEYS}


def _versions(modules: Sequence[str]) -> dict[str, str]:
    """Versions of the distributions that bring some modules."""
    owners = metadata.packages_distributions() if modules else {}
    names = {name for module in modules for name in owners.get(module, ())}
    return {name: metadata.version(name) for name in sorted(names)}
