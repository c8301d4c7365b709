# SPDX-License-Identifier: Apache-2.0
"""What somebody gave that is no recording: a name for it, and how to make one of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from f4x_ros.io.images import is_picture
from f4x_ros.io.video import SUFFIXES

_PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".zstd", ".lz4")
_MAP = (".f4x", ".ply", ".npz", ".pt", ".pth", ".safetensors")
_BAG = (".mcap", ".db3")
#: Data sets that people bring, by what is in their folder, and what each lies in.
_DATA_SETS = (
    (("color", "depth", "pose", "intrinsic"), "ScanNet", "color/, depth/, pose/, intrinsic/"),
    (("results", "traj.txt"), "Replica", "results/, traj.txt"),
    (("mav0",), "EuRoC", "mav0/, without depth"),
    (("images", "transforms.json"), "NeRF", "images/, transforms.json, without depth"),
    (("sparse",), "COLMAP", "sparse/, without depth"),
    (("color", "depth"), "Open3D or RealSense", "color/, depth/"),
    (("rgb", "depth"), "TUM", "rgb/, depth/, without rgb.txt and depth.txt"),
    (("image_2",), "KITTI", "image_2/, without depth"),
)
_LAYOUT = "f4x reads images/, depth/ (16-bit PNG, millimetres), K.txt and poses.txt"


def describe(path: Path, is_recording: Callable[[Path], bool]) -> str:
    """Part of a sentence: what is at a path that no source opens, and what would help."""
    try:
        if not path.exists():
            return _missing(path)
        if path.is_dir():
            return _folder(path, is_recording)
        if is_recording(path.parent):
            return f"it is a part of the recording {str(path.parent)!r}, which is to be named"
        return _file(path)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def _missing(path: Path) -> str:
    folder = path.parent
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    hint = f" (is {str(folder / close[0])!r} meant?)" if close else ""
    if not names and not folder.is_dir():
        there = next(p for p in folder.parents if p.is_dir())
        said = path.is_absolute() and there != there.parent
        hint = f" (of its folders there is {str(there)!r})" if said else ""
    return f"no such file or folder{hint}"


def _file(path: Path) -> str:
    suffix = path.suffix.lower()
    head = path.open("rb").read(16)
    if path.name.endswith((".bag", ".bag.active")) or head.startswith(b"#ROSBAG"):
        return (
            f"it is a ROS 1 bag; make a ROS 2 bag of it with 'rosbags-convert --src {path.name} "
            f"--dst {path.stem}'"
        )
    if suffix in SUFFIXES:
        return "it is a video, which is to be named itself"
    if is_picture(path):
        return "it is one picture"
    if suffix in _PACKED:
        return "it is an archive, unpack it first"
    if suffix in _MAP:
        return "it looks like a map or a model, which is a result and no recording"
    if not head:
        return "it is an empty file"
    return "it is a file of a kind that is not read"


def _folder(path: Path, is_recording: Callable[[Path], bool]) -> str:
    inside = sorted(p for p in path.iterdir() if not p.name.startswith("."))
    if not inside:
        return "it is an empty folder"
    bags = [p.name for p in inside if p.suffix.lower() in _BAG]
    if bags:
        return (
            f"it has {_some(bags)} but no metadata.yaml; name one of the files, or write it with "
            f"'ros2 bag reindex {path.name}'"
        )
    names = {p.name for p in inside}
    if known := _data_set(names):
        return known
    for has, lacks in (
        ({"images", "depth"}, "K.txt"),
        ({"images", "poses.txt"}, "K.txt"),
        ({"K.txt"}, "images/"),
        ({"rgb.txt"}, "depth.txt"),
        ({"depth.txt"}, "rgb.txt"),
        ({"images"}, "K.txt"),
    ):
        if has <= names and lacks.rstrip("/") not in names:
            return f"it has {' and '.join(sorted(has))} but no {lacks}"
    pictures = [p for p in inside if is_picture(p)]
    if any(".depth." in p.name or p.name.startswith("depth") for p in pictures):
        return f"it holds colour and depth in one folder, as 7-Scenes: {_LAYOUT}"
    if len(pictures) * 2 > len(inside):
        return (
            f"it holds {len(pictures)} pictures such as {pictures[0].name}: {_LAYOUT}, or two or "
            "more pictures and nothing else"
        )
    recordings = [p.name for p in inside if is_recording(p)]
    if recordings:
        return f"it holds recordings, of which one has to be named: {_some(recordings)}"
    others = [p for p in inside if p.is_file()]
    if len(others) == len(inside) == 1:
        return f"it holds only {others[0].name}: {_file(others[0])}"
    return f"layout not recognised (it holds {_some([p.name for p in inside])})"


def _data_set(names: set[str]) -> str:
    """A name for the layout of a folder with these entries; "" if it is none that is known."""
    for parts, name, lies_in in _DATA_SETS:
        if names >= set(parts) and "K.txt" not in names:
            return f"it looks like {name} ({lies_in}), which is not read: {_LAYOUT}"
    return ""


def _some(names: list[str]) -> str:
    return f"{', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"
