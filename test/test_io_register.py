# SPDX-License-Identifier: Apache-2.0
"""Depth of another camera comes to lie where the colour camera sees it, or is refused by name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from f4x_ros.core.data import PinholeCamera
from f4x_ros.io.register import (
    DepthRegistration,
    DepthToColor,
    depth_lens,
    named_rectified,
    same_frame,
)

COLOR = PinholeCamera(96, 64, 80.0, 80.0, 48.0, 32.0)
DEPTH = PinholeCamera(80, 60, 60.0, 60.0, 40.0, 30.0)


def place(x: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = (
        cv2.Rodrigues(np.array([np.radians(pitch_deg), 0, 0]))[0]
        @ cv2.Rodrigues(np.array([0, 0, np.radians(roll_deg)]))[0]
    )
    T[0, 3] = x
    return T


def wall(camera: PinholeCamera, T_color_camera: np.ndarray, z_m: float = 2.0) -> np.ndarray:
    """Depth of the plane z = z_m of the colour frame, as a camera elsewhere sees it."""
    rays = camera.pixel_rays() @ T_color_camera[2, :3]
    return ((z_m - T_color_camera[2, 3]) / rays).astype(np.float32)


def inside(camera: PinholeCamera, T_color_depth: np.ndarray, border_px: float) -> np.ndarray:
    """Pixels of the colour camera whose wall the depth camera sees, away from its border."""
    points = COLOR.unproject(np.full(COLOR.shape, 2.0, np.float32)).reshape(-1, 3)
    T = np.linalg.inv(T_color_depth)
    u, v = camera.project(points @ T[:3, :3].T + T[:3, 3]).T
    ok = (u > border_px) & (u < camera.width - border_px)
    return (ok & (v > border_px) & (v < camera.height - border_px)).reshape(COLOR.shape)


@pytest.mark.parametrize(
    "camera",
    [
        DEPTH,
        PinholeCamera(20, 15, 15.0, 15.0, 10.0, 7.5),  # each reading covers 5x5 pixels
        PinholeCamera(320, 240, 240.0, 240.0, 160.0, 120.0),  # 9 readings on each pixel
    ],
)
@pytest.mark.parametrize("T", [place(), place(0.05, 6.0), place(-0.1, 0.0, 45.0)])
def test_a_wall_stays_a_wall_without_holes_at_any_resolution(
    camera: PinholeCamera, T: np.ndarray
) -> None:
    out = DepthRegistration(camera, COLOR, T).apply(wall(camera, T))
    assert out.shape == COLOR.shape
    assert out.dtype == np.float32
    seen = inside(camera, T, 1.0)
    assert seen.mean() > 0.3
    assert out[seen] == pytest.approx(2.0, abs=1e-4)
    assert not out[~inside(camera, T, -1.5)].any()


def test_the_same_camera_gives_the_same_depth() -> None:
    depth = np.random.default_rng(0).uniform(0.5, 3, COLOR.shape).astype(np.float32)
    depth[5:9, 7:20] = 0
    out = DepthRegistration(COLOR, COLOR, np.eye(4)).apply(depth)
    np.testing.assert_allclose(out, depth, rtol=1e-6)


def test_the_nearest_of_several_readings_counts() -> None:
    """A box before the wall hides another part of it from the colour camera than from the other."""
    T = place(0.2)
    depth = wall(COLOR, T)
    depth[20:40, 40:60] = 1.0
    out = DepthRegistration(COLOR, COLOR, T).apply(depth)
    # 0.2 m to the right at 1 m are 16 pixels; at 2 m 8, so 8 columns behind the box are unseen.
    assert (out[20:40, 56:76] == 1.0).all()
    assert not out[20:40, 48:56].any()
    assert out[20:40, 80:] == pytest.approx(2.0)


def test_what_is_no_reading_is_none_afterwards() -> None:
    depth = np.full(COLOR.shape, 1.5, np.float32)
    depth[10, 10:15] = [np.nan, np.inf, -np.inf, -1.0, 0.0]
    out = DepthRegistration(COLOR, COLOR, np.eye(4)).apply(depth)
    assert out[10, 9:16].tolist() == [1.5, 0, 0, 0, 0, 0, 1.5]


def test_what_lies_behind_the_colour_camera_is_not_seen() -> None:
    T = np.eye(4)
    T[2, 3] = -3.0
    assert not DepthRegistration(DEPTH, COLOR, T).apply(np.full(DEPTH.shape, 2, np.float32)).any()


def test_depth_of_another_size_than_its_calibration_is_refused() -> None:
    with pytest.raises(ValueError, match="depth is 96x64, expected 80x60"):
        DepthRegistration(DEPTH, COLOR, np.eye(4)).apply(np.ones(COLOR.shape, np.float32))


def decide(depth: PinholeCamera | None, shape: tuple[int, int], **other: Any) -> Any:
    topic = DepthToColor(other.pop("topic", "/cam/depth/image"))
    given = {"depth_frame": "depth", "color_frame": "color", "T_color_depth": None, **other}
    pixels = np.full(shape, 2.0, np.float32)
    out = topic.apply(pixels, depth_camera=depth, color_camera=COLOR, **given)
    assert out.shape == COLOR.shape
    return out is pixels, topic.remarks


@pytest.mark.parametrize(
    "depth, shape, other, registered",
    [
        (None, COLOR.shape, {"depth_frame": "/color"}, True),
        (None, COLOR.shape, {"depth_frame": ""}, True),
        (COLOR, COLOR.shape, {"depth_frame": "color"}, True),
        (COLOR, COLOR.shape, {"T_color_depth": np.eye(4)}, True),
        (None, COLOR.shape, {"T_color_depth": np.eye(4)}, True),
        (COLOR, COLOR.shape, {"topic": "/cam/aligned_depth_to_color/image_raw"}, True),
        (COLOR, COLOR.shape, {"T_color_depth": place(0.05)}, False),
        (DEPTH, DEPTH.shape, {"T_color_depth": place(0.05)}, False),
        (DEPTH, DEPTH.shape, {"depth_frame": "color"}, False),  # the calibration tells
    ],
)
def test_registered_depth_is_told_from_depth_of_another_camera(
    depth: PinholeCamera | None, shape: tuple[int, int], other: dict[str, Any], registered: bool
) -> None:
    unchanged, remarks = decide(depth, shape, **other)
    assert unchanged == registered
    assert len(remarks) == (not registered or "topic" in other)


@pytest.mark.parametrize(
    "depth, shape, other, message",
    [
        (COLOR, COLOR.shape, {}, "expected a transform between the two frames"),
        (None, COLOR.shape, {}, "no camera_info beside it"),
        (None, COLOR.shape, {"T_color_depth": place(0.05)}, "no camera_info beside it"),
        (None, DEPTH.shape, {"depth_frame": "color"}, "no camera_info beside it"),
        (DEPTH, DEPTH.shape, {"topic": "/cam/depth_registered/image"}, "expected a transform"),
    ],
)
def test_depth_that_cannot_be_registered_is_refused_with_both_frames(
    depth: PinholeCamera | None, shape: tuple[int, int], other: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        decide(depth, shape, **other)
    frame = other.get("depth_frame", "depth")
    for word in (f"frame '{frame}'", "'color'", other.get("topic", "/cam/depth/image")):
        assert word in str(error.value)


def test_a_decision_is_made_anew_when_the_camera_changes() -> None:
    topic = DepthToColor("/depth")
    given: dict[str, Any] = {"depth_frame": "depth", "color_frame": "color", "color_camera": COLOR}
    depth = np.full(COLOR.shape, 2.0, np.float32)
    near = topic.apply(depth, depth_camera=COLOR, T_color_depth=place(0.05), **given)
    far = topic.apply(depth, depth_camera=COLOR, T_color_depth=place(0.5), **given)
    assert (near > 0).sum() > (far > 0).sum() > 0


@pytest.mark.parametrize(
    "topic, distortion, lens",
    [
        ("/cam/depth/image_raw", (0.0,) * 5, "none"),
        ("/cam/depth/image_raw", (), "none"),
        ("/cam/depth/image_raw", (0.1, 0, 0, 0, 0), "own"),
        ("/cam/depth/image_rect", (0.1, 0, 0, 0, 0), "none"),  # image_raw's calibration beside it
        ("/cam/depth/image_rect", None, "none"),
        ("/cam/depth/image_raw", None, "color"),
    ],
)
def test_depth_is_undistorted_only_where_it_is_distorted(
    topic: str, distortion: tuple[float, ...] | None, lens: str
) -> None:
    info = None if distortion is None else SimpleNamespace(d=np.array(distortion))
    assert depth_lens(topic, info) == lens


def test_a_fisheye_lens_bends_without_coefficients_too() -> None:
    info = SimpleNamespace(d=np.zeros(4), distortion_model="equidistant")
    assert depth_lens("/cam/depth/image_raw", info) == "own"
    assert depth_lens("/cam/depth/image_rect", info) == "none"


def test_a_name_is_read_by_its_words() -> None:
    rectified = ["/c/image_rect", "/c/image_rect_color", "/c/rect/image", "/c/image_rectified"]
    others = ["/c/image_raw", "/direct/image", "/c/unrectified/image", "/corrected"]
    assert all(map(named_rectified, rectified))
    assert not any(map(named_rectified, others))
    assert same_frame("/camera", "camera")
    assert not same_frame("camera", "camera2")
