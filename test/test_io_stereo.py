# SPDX-License-Identifier: Apache-2.0
"""Depth from a stereo pair, against exact depth; pairs that are none are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bag_messages as bag
import cv2
import numpy as np
import pytest
from stereo_pair import LEFT, RIGHT, DrawnPair, infos, pair_info, pair_messages

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io import open_source
from f4x_ros.io.stereo import NO_PAIR, SWAPPED, StereoPair
from f4x_ros.sim.mounts import BASELINE_M


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnPair:
    return DrawnPair(tmp_path_factory.mktemp("worlds"))


def stereo(left: Any, right: Any, **options: Any) -> StereoPair:
    given = {"rectified": False, "where_left": "left info", "where_right": "right info"}
    return StereoPair(left, right, **{**given, **options})


def errors_m(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    known = (found > 0) & (true > 0)
    return np.abs(found - true)[known]


def test_depth_of_a_drawn_pair_is_that_of_the_truth(drawn: DrawnPair) -> None:
    pair = stereo(*infos(drawn.camera))
    assert pair.baseline_m == pytest.approx(BASELINE_M)
    found, true = pair.depth(*drawn.rgb(0)), drawn.true_depth(0)
    assert found.dtype == np.float32
    assert (found > 0).mean() > 0.7
    off = errors_m(found, true)
    assert np.median(off) < 0.05  # 3.4 cm at 2 m: a quarter of a pixel
    relative = off / true[(found > 0) & (true > 0)]
    assert np.median(relative) < 0.025
    assert np.percentile(relative, 90) < 0.10


def test_what_the_right_one_does_not_see_has_no_reading(drawn: DrawnPair) -> None:
    pair, camera = stereo(*infos(drawn.camera)), drawn.camera
    true = drawn.true_depth(0)
    columns = np.arange(camera.width) - camera.fx * BASELINE_M / np.where(true > 0, true, np.inf)
    outside = columns < -2  # left of the right picture
    found = pair.depth(*drawn.rgb(0))
    assert outside.sum() > 500
    assert (found[outside] > 0).mean() < 0.1


def test_a_plain_wall_has_no_reading(drawn: DrawnPair) -> None:
    pair = stereo(*infos(drawn.camera))
    grey = np.full((drawn.camera.height, drawn.camera.width, 3), 128, np.uint8)
    assert not pair.depth(grey, grey).any()


def test_raw_pictures_are_rectified_to_p(drawn: DrawnPair) -> None:
    """The right camera is turned by 2 degrees and its lens bends; `r`, `d` and `p` say so."""
    left, right = infos(drawn.camera)
    turn = cv2.Rodrigues(np.array([0.0, 0.0, np.deg2rad(2.0)]))[0]
    K, D = drawn.camera.to_opencv_K(), np.array([-0.05, 0.01, 0.0, 0.0, 0.0])
    size = (drawn.camera.width, drawn.camera.height)
    # the raw picture, whose rectification is the drawn one
    grid = np.indices(size[::-1])[::-1].reshape(2, -1).T.astype(np.float32)
    ideal = cv2.undistortPoints(grid[:, None], K, D, R=turn, P=K).reshape(*size[::-1], 2)
    a, b = drawn.rgb(1)
    raw = cv2.remap(b, ideal[..., 0], ideal[..., 1], cv2.INTER_LINEAR)
    right.r, right.d = turn.reshape(-1), D
    found = stereo(left, right).depth(a, raw)
    assert (found > 0).mean() > 0.5
    assert np.median(errors_m(found, drawn.true_depth(1))) < 0.05


def broken(change: Callable[[Any, Any], None]) -> Callable[[DrawnPair], tuple[Any, Any]]:
    def made(drawn: DrawnPair) -> tuple[Any, Any]:
        left, right = infos(drawn.camera)
        change(left, right)
        return left, right

    return made


def _set(info: Any, index: int, value: float) -> None:
    info.p = np.array(info.p)
    info.p[index] = value


@pytest.mark.parametrize(
    "make, said",
    [
        (broken(lambda _, r: _set(r, 3, 0.0)), r"right info: there is no baseline \(p\[3\] is 0\)"),
        (lambda drawn: infos(drawn.camera)[::-1], "left and right are swapped"),
        (broken(lambda _, r: _set(r, 3, 30.0)), r"p\[3\] is 30 .*swapped"),
        (broken(lambda _, r: _set(r, 3, -31000.0)), "the baseline is 118.* m"),
        (broken(lambda _, r: _set(r, 7, -300.0)), "one above the other"),
        (broken(lambda _, r: _set(r, 6, 90.0)), "common rows"),
        (broken(lambda a, _: setattr(a, "p", np.zeros(12))), "left info: p is .* the matrix"),
    ],
)  # fmt: skip
def test_calibrations_that_are_of_no_pair_are_named(
    drawn: DrawnPair, make: Callable[[DrawnPair], tuple[Any, Any]], said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        stereo(*make(drawn))


def test_pictures_that_are_swapped_or_of_different_times_are_named(drawn: DrawnPair) -> None:
    a, b = drawn.rgb(0)
    with pytest.raises(BadSampleError, match="left and right pictures are swapped") as swapped:
        stereo(*infos(drawn.camera)).depth(b, a)
    assert swapped.value.reason == SWAPPED
    later = np.roll(b, 9, axis=0)  # the camera has nodded meanwhile
    with pytest.raises(BadSampleError, match=r"do not fit: .*of one time") as late:
        stereo(*infos(drawn.camera)).depth(a, later)
    assert late.value.reason == NO_PAIR


# --- bags ---------------------------------------------------------------------------------------


def test_a_bag_with_a_pair_gives_frames_with_depth(drawn: DrawnPair, tmp_path: Path) -> None:
    path = bag.write(tmp_path / "pair", pair_messages(drawn))
    with open_source(path, stereo=True) as source:
        frames = list(source)
        assert source.counts == {}
    assert len(frames) == 4
    for index, frame in enumerate(frames):
        assert frame.frame_id == LEFT
        assert frame.depth is not None
        assert np.median(errors_m(frame.depth, drawn.true_depth(index))) < 0.05
        np.testing.assert_array_equal(frame.rgb, drawn.rgb(index)[0])


def test_pairs_that_are_never_of_one_time_are_an_error(drawn: DrawnPair, tmp_path: Path) -> None:
    path = bag.write(tmp_path / "late", pair_messages(drawn, late_ns=16_000_000)[:-8])
    with pytest.raises(BadInputError, match=r"has a right image on /stereo/right/image_raw within"):
        open_source(path, stereo=True, slop_s=0.002)


def test_swapped_pictures_of_a_bag_are_an_error(drawn: DrawnPair, tmp_path: Path) -> None:
    path = bag.write(tmp_path / "swapped", pair_messages(drawn, swapped=True))
    with pytest.raises(BadInputError, match="left and right pictures are swapped"):
        open_source(path, stereo=True)


def test_a_bag_without_a_pair_says_what_is_there(drawn: DrawnPair, tmp_path: Path) -> None:
    left = [one for one in pair_messages(drawn) if "right" not in one[0]]
    path = bag.write(tmp_path / "half", left)
    with pytest.raises(BadInputError, match=r"no stereo pair, .*there: /stereo/left/image_raw"):
        open_source(path, stereo=True)
    assert RIGHT not in str(left)
    assert pair_info(drawn.camera, 0.1).p[3] < 0
