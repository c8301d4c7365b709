# SPDX-License-Identifier: Apache-2.0
"""What is no recording is told apart in one line, with what is read and what would help."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from bag_messages import recording, with_tf, write

from f4x_ros.core.errors import BadInputError
from f4x_ros.sim import open_source

RECORDING = "recording"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; below it a recording."""
    monkeypatch.chdir(tmp_path)
    for name in ("images", "depth"):
        (tmp_path / RECORDING / name).mkdir(parents=True)
    cv2.imwrite(f"{RECORDING}/images/1.png", np.zeros((12, 16, 3), np.uint8))
    cv2.imwrite(f"{RECORDING}/depth/1.png", np.ones((12, 16), np.uint16))
    np.savetxt(f"{RECORDING}/K.txt", [[20, 0, 7.5], [0, 20, 5.5], [0, 0, 1]])
    np.savetxt(f"{RECORDING}/poses.txt", [np.eye(4).reshape(-1)])
    return tmp_path


def pictures(path: Path, count: int = 3) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        (path / f"IMG_{k}.JPG").write_bytes(b"x")


def made(name: str, data: bytes = b"x") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return make


def only(*names: str) -> Callable[[Path], None]:
    """The recording with nothing but these."""

    def make(folder: Path) -> None:
        for path in (folder / RECORDING).iterdir():
            if path.name not in names:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return make


@pytest.mark.parametrize(
    "spec, make, says",
    [
        ("nowhere", None, "no such file or folder; expected"),
        ("recordin", None, "no such file or folder (is 'recording' meant?)"),
        ("recording/image", None, "no such file or folder (is 'recording/images' meant?)"),
        ("recordings/2024/a", None, "no such file or folder; expected"),
        ("demos", None, "or a drawn world ('demo'"),
        ("empty", lambda path: (path / "empty").mkdir(), "it is an empty folder"),
        ("hidden", made("hidden/.DS_Store"), "it is an empty folder"),
        (".", None, "it holds recordings, of which one has to be named: recording"),
        ("p", lambda path: pictures(path / "p", 1), "it holds 1 pictures such as IMG_0.JPG: f4x"),
        ("recording/images", None, "it holds 1 pictures such as 1.png: f4x reads images/"),
        ("p", lambda path: pictures(path / "p/images", 1), "it has images but no K.txt"),
        ("recording", only("images", "depth", "poses.txt"), "it has depth and images but no K.txt"),
        ("recording", only("depth", "K.txt"), "it has K.txt but no images/"),
        ("tum", made("tum/rgb.txt"), "it has rgb.txt but no depth.txt"),
        ("tum", made("tum/depth.txt"), "it has depth.txt but no rgb.txt"),
        ("v/", made("v/v.MOV"), "it holds only v.MOV: it is a video, which is to be named"),
        ("walk.bag", made("walk.bag"), "a ROS 1 bag; make a ROS 2 bag of it with 'rosbags-convert"),
        ("walk", made("walk", b"#ROSBAG V2.0\n"), "it is a ROS 1 bag"),
        ("r", made("r/walk.bag"), "it holds only walk.bag: it is a ROS 1 bag"),
        ("x.zip", made("x.zip"), "it is an archive, unpack it first"),
        ("recording/K.txt", None, "it is a part of the recording 'recording', which is to be"),
        ("walk.bag.active", made("walk.bag.active"), "it is a ROS 1 bag"),
        ("x.db3.zstd", made("x.db3.zstd"), "it is an archive, unpack it first"),
        ("x.tar.gz", made("x.tar.gz"), "it is an archive, unpack it first"),
        ("1.png", made("1.png"), "it is one picture"),
        ("map.f4x", made("map.f4x"), "it looks like a map or a model"),
        ("notes", made("notes", b""), "it is an empty file"),
        ("notes.txt", made("notes.txt"), "it is a file of a kind that is not read"),
        ("e", made("e/mav0/cam0/data.csv"), "it looks like EuRoC (mav0/, without depth), which is"),
        ("n", made("n/transforms.json"), "it holds only transforms.json"),
        ("r", made("r/results/a.png"), "layout not recognised (it holds results)"),
        ("s", made("s/sparse/0/cameras.bin"), "it looks like COLMAP"),
        ("7", made("7/frame-000000.depth.png"), "it holds colour and depth in one folder, as 7-S"),
        ("other", made("other/a/b.txt"), "layout not recognised (it holds a)"),
    ],
)
def test_what_is_no_recording_is_told_in_one_line(
    folder: Path, spec: str, make: Callable[[Path], None] | None, says: str
) -> None:
    if make:
        make(folder)
    with pytest.raises(BadInputError) as raised:
        open_source(spec)
    text = str(raised.value)
    assert text.startswith(f"source '{spec}': ")
    assert says in text
    assert "expected an RGB-D folder (images/, K.txt)" in text
    assert "\n" not in text


def test_the_folder_that_is_there_is_said_of_a_path_that_is_not(folder: Path) -> None:
    with pytest.raises(BadInputError) as raised:
        open_source(folder / "recordings" / "2024" / "a")
    assert f"(of its folders there is {str(folder)!r})" in str(raised.value)


def test_a_bag_file_alone_in_its_folder_is_opened_and_several_are_named(folder: Path) -> None:
    path = write(folder / "bag", with_tf(recording()))
    (path / "metadata.yaml").unlink()
    with open_source(path) as source:
        assert len(source) == 3
        assert "bag has no metadata.yaml; its only bag file is read." in source.remarks
    (path / "bag_1.mcap").write_bytes((path / "bag.mcap").read_bytes())
    with pytest.raises(BadInputError, match=r"bag.mcap, bag_1.mcap but no metadata.yaml; name one"):
        open_source(path)


def test_what_may_not_be_read_is_named_and_not_taken_for_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(Root, who may read everything, runs this test, too.)"""
    bag = write(folder / "bag", with_tf(recording()))
    closed = {bag / "bag.mcap", folder / "recording"}
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).resolve() not in closed)
    with pytest.raises(BadInputError, match=r"'recording': its files cannot be listed .Permission"):
        open_source("recording")
    (bag / "bag.mcap").write_bytes(b"")  # rosbags cannot open it either
    with pytest.raises(PermissionError, match=r"Permission denied: .*bag\.mcap"):
        open_source("bag")
