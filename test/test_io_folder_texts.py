# SPDX-License-Identifier: Apache-2.0
"""K.txt and poses.txt, from any editor; a row that is none costs its frame."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folder_files import write_rgbd

from f4x_ros.core.errors import BadInputError
from f4x_ros.sim import open_source


@pytest.fixture
def rgbd(tmp_path: Path) -> Path:
    return write_rgbd(tmp_path)


# --- K.txt and poses.txt --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(" ", "\t").encode(),
        lambda text: text.replace(" ", ", ").encode(),
        lambda text: ("# a title\n\n" + text + "\n\n").encode(),
    ],
)
def test_text_may_come_from_any_editor(rgbd: Path, write: Callable[[str], bytes]) -> None:
    for name in ("K.txt", "poses.txt"):
        (rgbd / name).write_bytes(write((rgbd / name).read_text()))
    source = open_source(rgbd)
    assert [frame.T_map_camera[0, 3] for frame in source] == [0, 1, 2]  # type: ignore[index]
    assert source[0].camera.fx == 20


@pytest.mark.parametrize(
    "K, message",
    [
        ([[np.nan, 0, 7.5], [0, 21, 5.5], [0, 0, 1]], "the matrix is .nan, .*expected finite"),
        (np.zeros((3, 3)), "focal lengths are fx=0.0"),
        ([[20, 0, 640], [0, 21, 360], [0, 0, 1]], r"principal point at \(640, 360\)"),
        ([[20, 0, 0], [0, 21, 0], [7.5, 5.5, 1]], r"last row \[7.5, 5.5, 1\], expected 0 0 1"),
        ([[1.2, 0, 0.5], [0, 1.1, 0.5], [0, 0, 1]], None),
        ([[0.5, 0, 0.5], [0, 0.4, 0.5], [0, 0, 1]], "focal lengths 0.5 and 0.4, expected 0.8"),
    ],
)
def test_a_k_that_cannot_be_of_these_pictures_is_an_error(
    rgbd: Path, K: Any, message: str | None
) -> None:
    np.savetxt(rgbd / "K.txt", K)
    if message is None:
        assert "(0.5, 0.5), not near the middle of 16x12" in open_source(rgbd).remarks[0]
        return
    with pytest.raises(BadInputError, match=f"K.txt: .*{message}"):
        open_source(rgbd)


def spoil_pose(rgbd: Path, row: int, matrix: Any) -> None:
    poses = np.loadtxt(rgbd / "poses.txt")
    poses[row] = np.reshape(matrix, -1)
    np.savetxt(rgbd / "poses.txt", poses)


@pytest.mark.parametrize(
    "matrix, message",
    [
        (np.diag([2, 2, 2, 1.0]), "its rotation is scaled by 2, expected"),
        (np.diag([1, 1, -1, 1.0]), r"it is mirrored \(determinant -1\)"),
        (np.diag([1, 2, 1, 1.0]), "its rotation is off by 3"),
        (np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 2, 3, 1.0]]), "has last row"),
    ],
)
def test_what_is_no_pose_is_named_and_costs_its_frame(
    rgbd: Path, matrix: np.ndarray, message: str
) -> None:
    spoil_pose(rgbd, 1, matrix)
    source = open_source(rgbd)
    assert len(source) == 2
    assert source.counts == {"images_without_pose": 1}
    assert re.search(rf"1 of 3 rows are no pose, .*poses.txt line 2 .*{message}", source.remarks[0])
    # More than half of them like that are no bad rows.
    spoil_pose(rgbd, 2, matrix)
    with pytest.raises(BadInputError, match=rf"poses.txt line 2 .*{message}"):
        open_source(rgbd)


def test_a_row_that_is_not_as_long_as_the_others_costs_its_frame(rgbd: Path) -> None:
    lines = (rgbd / "poses.txt").read_text().splitlines()
    (rgbd / "poses.txt").write_text("\n".join([lines[0], "lost", lines[2]]))
    source = open_source(rgbd)
    assert [frame.T_map_camera[0, 3] for frame in source] == [0, 2]  # type: ignore[index]
    assert "poses.txt line 2: 'lost', expected 16 numbers" in source.remarks[0]


def test_poses_may_lack_their_last_row(rgbd: Path) -> None:
    poses = np.loadtxt(rgbd / "poses.txt")
    np.savetxt(rgbd / "poses.txt", poses[:, :12])
    pose = open_source(rgbd)[2].T_map_camera
    assert pose is not None
    assert np.array_equal(pose.reshape(-1), poses[2])


def test_poses_of_which_none_is_known_are_an_error(rgbd: Path) -> None:
    np.savetxt(rgbd / "poses.txt", np.full((3, 16), np.nan))
    with pytest.raises(BadInputError, match=r"poses.txt: none of 3 rows is finite"):
        open_source(rgbd)
