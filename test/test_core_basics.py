# SPDX-License-Identifier: Apache-2.0
"""Camera, poses, frames and options: the conventions hold and bad input is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytransform3d import transformations as pt

from f4x_ros.core.config import Config
from f4x_ros.core.data import poses
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame

CAMERA = PinholeCamera(8, 6, 10.0, 11.0, 4.0, 3.0)
small = st.floats(-3, 3)
quaternion = st.tuples(small, small, small, small).filter(lambda q: np.linalg.norm(q) > 0.1)
position = st.tuples(small, small, small)


def frame(**changes: Any) -> Frame:
    values: dict[str, Any] = {
        "stamp_ns": 1,
        "rgb": np.zeros((6, 8, 3), np.uint8),
        "camera": CAMERA,
        "depth": np.ones((6, 8), np.float32),
        "T_map_camera": np.eye(4),
    }
    return Frame(**(values | changes))


def test_projecting_what_was_unprojected_gives_the_pixel_centres() -> None:
    depth = np.random.default_rng(0).uniform(0.5, 5, (6, 8)).astype(np.float32)
    pixels = CAMERA.project(CAMERA.unproject(depth).reshape(-1, 3)).reshape(6, 8, 2)
    assert np.allclose(pixels[2, 5], (5.5, 2.5), atol=1e-5)
    assert np.allclose(pixels[0, 0], (0.5, 0.5), atol=1e-5)


def test_opencv_centres_are_half_a_pixel_away() -> None:
    k = np.array([[500.0, 0, 319.5], [0, 500, 239.5], [0, 0, 1]])
    camera = PinholeCamera.from_opencv(k, 640, 480)
    assert (camera.cx, camera.cy) == (320, 240)
    assert np.array_equal(camera.to_opencv_K(), k)


def test_scaled_camera_sees_the_same_rays() -> None:
    camera = PinholeCamera(640, 480, 500, 510, 320, 240)
    half = camera.scaled(0.5)
    point = np.array([[0.3, -0.2, 2.0]])
    assert np.allclose(half.project(point) * 2, camera.project(point))


@pytest.mark.parametrize(
    "values, words",
    [
        ((0, 6, 1, 1, 1, 1), "0x6"),
        ((8, 6, 0, 1, 1, 1), "fx=0"),
        ((8, 6, 1, 1, np.nan, 1), "finite"),
    ],
)
def test_bad_intrinsics_are_named(values: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PinholeCamera(*values)


@given(position, quaternion)
def test_pose_from_quaternion_agrees_with_pytransform3d(p: Any, q: Any) -> None:
    pose = poses.from_quaternion(p, q)
    xyzw = np.array(q) / np.linalg.norm(q)
    assert np.allclose(pose, pt.transform_from_pq([*p, xyzw[3], *xyzw[:3]]), atol=1e-9)
    back = poses.to_quaternion(pose)
    assert np.allclose(poses.from_quaternion(p, back), pose, atol=1e-9)
    assert back[3] >= 0


@given(position, quaternion, st.floats(0, 1))
def test_interpolation_ends_at_both_poses_and_inverts(p: Any, q: Any, share: float) -> None:
    a, b = np.eye(4), poses.from_quaternion(p, q)
    assert np.allclose(poses.interpolate(a, b, 0), a, atol=1e-6)
    assert np.allclose(poses.interpolate(a, b, 1), b, atol=1e-6)
    mixed = poses.interpolate(a, b, share)
    assert np.allclose(poses.inverse(mixed) @ mixed, np.eye(4), atol=1e-9)
    turned = poses.rotation_angle_rad(a, mixed)
    assert turned == pytest.approx(share * poses.rotation_angle_rad(a, b), abs=1e-4)


def test_quaternion_orders_convert_both_ways() -> None:
    wxyz = torch.tensor([[1.0, 2, 3, 4]])
    assert poses.quats_xyzw_from_wxyz(wxyz).tolist() == [[2, 3, 4, 1]]
    assert torch.equal(poses.quats_wxyz_from_xyzw(poses.quats_xyzw_from_wxyz(wxyz)), wxyz)


def test_depth_without_reading_becomes_zero() -> None:
    depth = np.ones((6, 8), np.float32)
    depth[0, :3] = np.nan, np.inf, -np.inf
    cleaned = frame(depth=depth).depth
    assert cleaned is not None
    assert (cleaned[0, :3] == 0).all()
    assert (cleaned[1:] == 1).all()


skewed = np.eye(4)
skewed[0, 0] = 2
holed = np.eye(4)
holed[0, 3] = np.nan


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"rgb": np.zeros((6, 8), np.uint8)}, r"rgb has shape \(6, 8\)"),
        ({"rgb": np.zeros((5, 8, 3), np.uint8)}, "rgb is 8x5 but the camera is 8x6"),
        ({"rgb": np.zeros((6, 8, 3), np.float32)}, "float32, expected"),
        ({"depth": np.ones((3, 4), np.float32)}, r"depth has shape \(3, 4\)"),
        ({"depth": np.full((6, 8), 1500.0, np.float32)}, "median of 1500 m.*millimetres"),
        ({"depth": np.full((6, 8), -1.0, np.float32)}, "negative"),
        ({"depth": np.ones((6, 8), np.uint16)}, "uint16, expected float32 metres"),
        ({"T_map_camera": holed}, "T_map_camera has values that are not finite"),
        ({"T_map_camera": skewed}, "T_map_camera is not a rigid transform"),
        ({"T_map_camera": np.eye(3)}, r"T_map_camera has shape \(3, 3\)"),
        ({"stamp_ns": -1}, "stamp_ns is -1"),
    ],
)
def test_a_bad_frame_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        frame(**changes)


def test_options_survive_the_round_trip_and_text() -> None:
    given_values = {"mapping.iterations": "3", "mapping.exposure": "false", "field.max_bytes": 1e6}
    config = Config.from_dotted(given_values)
    assert (config.mapping.iterations, config.mapping.exposure) == (3, False)
    assert config.field.max_bytes == 1_000_000
    assert Config.from_dotted(config.to_dotted()) == config


def test_every_option_says_what_it_is_and_its_default_is_in_range() -> None:
    for parameter in Config.parameters():
        assert parameter.doc
        Config.from_dotted({parameter.name: parameter.default})


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("mapping.steps", 1, "'mapping.steps' is unknown"),
        ("mapping.iterations", 1.5, "'mapping.iterations' is '1.5'"),
        ("mapping.iterations", -1, "'mapping.iterations' is -1, expected 0 to 1000"),
        ("mapping.min_alpha", "nan", "'mapping.min_alpha' is 'nan'"),
        ("mapping.exposure", "maybe", "'mapping.exposure' is 'maybe'"),
        ("render.backend", "metal", "expected one of auto, cuda"),
    ],
)
def test_a_bad_option_is_refused_by_name(name: str, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Config.from_dotted({name: value})
