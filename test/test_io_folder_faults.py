# SPDX-License-Identifier: Apache-2.0
"""Folders spoilt at random: no traceback, and every image is used or counted."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io import Source, open_source

COUNT = 6
SIZE = (6, 8)  # height, width
GARBAGE = [
    "nan", "inf", "-1", "0", "1e400", "x", "", "\0\0", "½", "1700000000", "1700000000300", "9" * 30,
    "1e99999",
    "rgb/9.png", "rgb", "../rgb/1.png", "#",
]  # fmt: skip
LISTS = ("rgb.txt", "depth.txt", "groundtruth.txt", "poses.txt", "K.txt", "calibration.txt")

places = st.integers(0, 99)
change_of_text = st.one_of(
    st.tuples(st.just("drop"), places, places),
    st.tuples(st.just("double"), places, places),
    st.tuples(st.just("swap"), places, places),
    st.tuples(st.just("cut"), places, places),
    st.tuples(st.sampled_from(GARBAGE), places, places),
)
change_of_list = st.tuples(st.sampled_from(LISTS), change_of_text)
change_of_file = st.tuples(
    st.sampled_from(["rgb", "depth", "images"]),
    st.tuples(st.sampled_from(["drop", "cut", "size", "kind", "rename"]), places, places),
)
changes = st.lists(st.one_of(change_of_list, change_of_file), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TUM sequence and an RGB-D folder of the same frames, without a fault."""
    out = tmp_path_factory.mktemp("whole")
    stamps = [f"1700000000.{k}" for k in range(COUNT)]
    for k in range(COUNT):
        for path in (f"tum/rgb/{k}.png", f"rgbd/images/{k}.png"):
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(out / path), np.full((*SIZE, 3), 20 * k, np.uint8))
        for path in (f"tum/depth/{k}.png", f"rgbd/depth/{k}.png"):
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(out / path), np.full(SIZE, 1000 + k, np.uint16))
    for name in ("rgb", "depth"):
        write_rows(out / f"tum/{name}.txt", [f"{s} {name}/{k}.png" for k, s in enumerate(stamps)])
    write_rows(out / "tum/groundtruth.txt", [f"{s} {k} 0 0 0 0 0 1" for k, s in enumerate(stamps)])
    (out / "tum/calibration.txt").write_text("10 10 3.5 2.5 0.1 0 0 0\n")
    write_rows(out / "rgbd/poses.txt", [f"1 0 0 {k} 0 1 0 0 0 0 1 0 0 0 0 1" for k in range(COUNT)])
    (out / "rgbd/K.txt").write_text("10 0 3.5\n0 10 2.5\n0 0 1\n")
    return out


def write_rows(path: Path, rows: list[str]) -> None:
    path.write_text("\n".join(rows) + "\n")


def spoil_text(path: Path, kind: str, first: int, second: int) -> None:
    text = path.read_text()
    rows = text.splitlines()
    if not rows:
        return
    i, j = first % len(rows), second % len(rows)
    if kind == "drop":
        del rows[i]
    elif kind == "double":
        rows.insert(j, rows[i])
    elif kind == "swap":
        rows[i], rows[j] = rows[j], rows[i]
    elif kind == "cut":
        rows = text[: len(text) * first // 100].splitlines()
    else:
        words = rows[i].split(" ")
        words[second % len(words)] = kind
        rows[i] = " ".join(words)
    write_rows(path, rows)


def spoil_file(folder: Path, kind: str, which: int) -> None:
    files = sorted(folder.iterdir())
    if not files:
        return
    path = files[which % len(files)]
    if kind == "drop":
        path.unlink()
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[: which * 2])
    elif kind == "rename":
        path.rename(path.with_name(f"{which}.png"))
    else:
        cv2.imwrite(str(path), np.zeros((3, 3) if kind == "size" else SIZE, np.uint8))


def opened_after(folder: Path, spoil: list[tuple[str, tuple[str, int, int]]]) -> Source | None:
    for name, (kind, first, second) in spoil:
        path = folder / name
        if path.is_file():
            spoil_text(path, kind, first, second)
        elif path.is_dir():
            spoil_file(path, kind, first)
    try:
        return open_source(folder)
    except BadInputError as error:
        refused = str(error)
    assert str(folder) in refused
    assert "\n" not in refused
    return None


def used_and_left_out(source: Source) -> int:
    """Loads every frame; how many images there were by what the source says."""
    for index in range(len(source)):
        with suppress(BadSampleError):
            source[index]
    images = sum(n for reason, n, _ in source.left_out if reason.startswith("images_"))
    return len(source) + images


@settings(max_examples=150, deadline=None, derandomize=True)
@given(spoil=changes)
def test_of_a_spoilt_tum_sequence_every_row_of_images_is_used_or_counted(
    whole: Path, spoil: Any
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "tum"
        shutil.copytree(whole / "tum", folder)
        source = opened_after(folder, spoil)
        if source is not None:
            rows = [r.split("#")[0].strip() for r in (folder / "rgb.txt").read_text().splitlines()]
            assert used_and_left_out(source) == len([row for row in rows if row])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(spoil=changes)
def test_of_a_spoilt_folder_every_image_is_used_or_counted(whole: Path, spoil: Any) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "rgbd"
        shutil.copytree(whole / "rgbd", folder)
        source = opened_after(folder, spoil)
        if source is not None:
            assert used_and_left_out(source) == len(list((folder / "images").iterdir()))
            for frame_pose in source._poses:  # type: ignore[attr-defined]
                assert frame_pose is None or np.isfinite(frame_pose).all()
