# SPDX-License-Identifier: Apache-2.0
"""Calibrations are checked field by field, and what the lens did not see is marked."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from bag_messages import make
from hypothesis import given, settings
from hypothesis import strategies as st

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io.calibration import lens_calibration
from f4x_ros.io.rectify import Rectifier

WIDTH, HEIGHT = 160, 120
K = np.array([[140.0, 0, 80], [0, 141, 58], [0, 0, 1]])
P = np.array([[120.0, 0, 78], [0, 121, 59], [0, 0, 1]])
FREIBURG1 = [0.262383, -0.953104, -0.005358, 0.002628, 1.163314]
TURN = cv2.Rodrigues(np.array([0.0, 0.03, 0.01]))[0]


def info(**changes: Any) -> Any:
    roi = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0} | changes.pop("roi", {})
    fields: dict[str, Any] = {
        "header": None,
        "height": HEIGHT,
        "width": WIDTH,
        "distortion_model": "plumb_bob",
        "d": np.zeros(5),
        "k": K,
        "r": np.eye(3),
        "p": np.hstack([K, np.zeros((3, 1))]),
        "binning_x": 0,
        "binning_y": 0,
        **changes,
    }
    for name in ("k", "r", "p", "d"):
        fields[name] = np.asarray(fields[name], np.float64).reshape(-1)
    region = make("sensor_msgs/msg/RegionOfInterest", do_rectify=False, **roi)
    return make("sensor_msgs/msg/CameraInfo", roi=region, **fields)


def projection(matrix: np.ndarray) -> np.ndarray:
    return np.hstack([matrix, np.zeros((3, 1))])


def rectifier(*, rectified: bool = False, **changes: Any) -> Rectifier:
    return Rectifier(info(**changes), rectified=rectified, where="topic /eye/camera_info")


def noise(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(1).integers(1, 255, (height, width, 3), np.uint8)


def changed(matrix: np.ndarray, **at: float) -> np.ndarray:
    out = matrix.copy()
    for name, value in at.items():
        out[int(name[1]), int(name[2])] = value
    return out


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"d": [np.nan] * 5}, r"d is \[nan, nan, nan, nan, nan\], expected finite numbers"),
        ({"d": [0.1, 0, np.inf, 0, 0]}, r"d is \[0.1, 0, inf, 0, 0\], expected finite"),
        ({"d": [0.1, 0.1]}, "d has 2 numbers, expected 0, 4, 5, 8, 12 or 14 for 'plumb_bob'"),
        ({"d": [0.1] * 6}, "d has 6 numbers"),
        ({"d": [0.0] * 7}, "d has 7 numbers"),
        ({"d": [0.1] * 4, "distortion_model": "cat_eye"}, "distortion_model 'cat_eye' with d"),
        ({"d": [0.0] * 4, "distortion_model": "cat_eye"}, "distortion_model 'cat_eye' with d"),
        ({"d": [0.1] * 4, "distortion_model": ""}, "distortion_model '' with d"),
        ({"d": [0.1] * 5, "distortion_model": "equidistant"}, "expected 4 for 'equidistant'"),
        ({"d": [0.1] * 3, "distortion_model": "equidistant"}, "expected 4 for 'equidistant'"),
        ({"d": [90.0, 0, 0, 0]}, r"d is \[90.0, .*only \d+% of the image would show something"),
        ({"d": [-1e30, 0, 0, 0]}, "of the image would show something"),
        ({"k": np.full(9, np.nan)}, r"k is \[nan, .*expected finite numbers"),
        ({"k": changed(K, k02=np.inf)}, r"k is \[140, 0, inf.*expected finite numbers"),
        ({"k": np.zeros(9), "p": np.zeros(12)}, "camera focal lengths are fx=0.0, fy=0.0.*in k"),
        ({"k": np.zeros(9), "d": [0.1] * 5}, "camera focal lengths are fx=0.0, fy=0.0.*in k"),
        ({"k": changed(K, k00=-140)}, "focal lengths are fx=-140"),
        ({"k": changed(K, k00=1.1, k11=1.1)}, "k has focal lengths 1.1 and 1.1, expected 8 to 1"),
        ({"k": changed(K, k00=1e7, k11=1e7)}, r"k has focal lengths 1e\+07 and 1e\+07, expected"),
        ({"k": changed(K, k11=20)}, "focal lengths 140 and 20, expected two of about one size"),
        ({"k": changed(K, k02=640, k12=360)}, r"principal point at \(640, 360\).*another size"),
        ({"k": changed(K, k02=-300)}, r"principal point at \(-300, 58\)"),
        ({"k": changed(K, k01=9)}, "k has a skew of 9, expected 0"),
        ({"k": K.T}, r"k has the last row \[80, 58, 1\], expected 0 0 1"),
        ({"r": np.full(9, np.nan)}, r"r is \[nan, .*expected a rotation"),
        ({"r": np.eye(3) * 2}, r"r is \[2, 0, .*expected a rotation"),
        ({"r": np.diag([1, 1, -1])}, "expected a rotation"),
        ({"width": 0}, "camera size is 0x120"),
        ({"binning_x": 200}, "binning is 200x0, expected at most the 160x120 pixels"),
        ({"roi": {"width": 100, "height": 120, "x_offset": 80}}, r"roi is 100x120 at \(80, 0\)"),
    ],
)
def test_a_field_that_does_not_fit_is_named_with_its_topic(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInputError, match=f"topic /eye/camera_info: .*{message}"):
        rectifier(**changes)


def test_where_k_is_zero_and_nothing_is_distorted_p_is_taken_and_said() -> None:
    made = rectifier(k=np.zeros(9), p=np.hstack([P, np.zeros((3, 1))]).reshape(-1))
    assert made.camera.to_opencv_K() == pytest.approx(P)
    assert "k is zero and there is no distortion: p is taken for it" in made.remarks[0]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"p": np.full(12, np.nan)}, r"p is \[nan, .*expected finite numbers"),
        ({"p": np.zeros(12), "d": [0.1] * 5}, r"p is zero and d is \[0.1,"),
        ({"p": projection(changed(P, k00=0))}, "focal lengths are fx=0.*in p"),
        ({"p": np.zeros(12), "k": np.zeros(9)}, "focal lengths are fx=0.*in k"),
    ],
)
def test_a_projection_that_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=f"topic /eye/camera_info: .*{message}"):
        rectifier(rectified=True, **changes)


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial", "cat_eye", ""])
def test_without_coefficients_there_is_no_distortion(model: str) -> None:
    plain = rectifier(d=[], distortion_model=model)
    assert plain.observed is None
    assert np.array_equal(plain.color(noise()), noise())


@pytest.mark.parametrize("count", [4, 5, 8, 12, 14])
def test_every_count_that_opencv_has_is_undone_as_opencv_does(count: int) -> None:
    D = np.array([0.2, -0.1, 0.002, -0.001, 0.05, 0.01, 0.02, -0.01, *[0.001] * 4, 0.01, 0.01])
    expected = cv2.undistort(noise(), K, D[:count]).astype(int)
    got = rectifier(d=D[:count], distortion_model="rational_polynomial").color(noise())
    assert np.abs(got - expected).mean() < 1  # fixed-point maps
    assert np.abs(noise() - expected).mean() > 10


def test_pixels_mixed_from_outside_of_the_image_are_not_observed() -> None:
    bent = rectifier(d=FREIBURG1)
    assert bent.observed is not None
    # What is mixed from white alone is white; what has a part of the black around is not.
    white = bent.color(np.full((HEIGHT, WIDTH, 3), 255, np.uint8))[..., 0]
    assert 0.02 < 1 - bent.observed.mean() < 0.1
    assert (white[bent.observed] == 255).all()
    assert (white[~bent.observed] == 0).mean() > 0.4


def test_a_polynomial_that_turns_back_does_not_show_things_twice() -> None:
    # r (1 - 0.9 r^2) grows up to r = 0.61; the corner is at 0.71.
    bent = rectifier(d=[-0.9, 0, 0, 0])
    assert bent.observed is not None
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    radius = np.hypot((u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1])
    assert not bent.observed[radius > 0.63].any()
    assert bent.observed[radius < 0.59].all()


def test_a_fisheye_without_coefficients_of_its_own_still_is_one() -> None:
    bent = rectifier(d=[0.0] * 4, distortion_model="equidistant")
    # A ray at 0.4 rad is 0.4 f from the middle of the fisheye's image, tan(0.4) f from the other's.
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[56:61, round(80 + 0.4 * 140) - 2 : round(80 + 0.4 * 140) + 3] = 255
    row, column = np.argwhere(bent.color(rgb)[..., 0] > 128).mean(0)
    assert (row, column) == pytest.approx((58, 80 + np.tan(0.4) * 140), abs=1)
    longer = rectifier(d=[0.1, 0, 0, 0, 0.0], distortion_model="equidistant")
    four = rectifier(d=[0.1, 0, 0, 0], distortion_model="equidistant")
    assert np.array_equal(longer.color(noise()), four.color(noise()))


def test_a_rectified_image_is_one_of_p_whatever_k_d_and_r_say() -> None:
    straight = rectifier(rectified=True, p=projection(P), d=[np.nan] * 5, r=TURN, k=np.zeros(9))
    assert (straight.camera.fx, straight.camera.cx) == (120, 78.5)
    assert np.array_equal(straight.color(noise()), noise())
    without_p = rectifier(rectified=True, p=np.zeros(12))
    assert (without_p.camera.fx, without_p.camera.cx) == (140, 80.5)


def test_a_raw_image_of_a_stereo_camera_becomes_what_image_proc_makes_of_it() -> None:
    turned = rectifier(p=projection(P), d=FREIBURG1, r=TURN)
    assert (turned.camera.fx, turned.camera.cy) == (120, 59.5)
    maps = cv2.initUndistortRectifyMap(
        K, np.array(FREIBURG1), TURN, P, (WIDTH, HEIGHT), cv2.CV_32FC1
    )
    assert np.array_equal(turned.color(noise()), cv2.remap(noise(), *maps, cv2.INTER_LINEAR))
    # Without distortion it is turned all the same.
    assert not np.array_equal(rectifier(p=projection(P), r=TURN).color(noise()), noise())


def test_an_r_of_zeros_is_none() -> None:
    assert np.array_equal(rectifier(r=np.zeros(9)).color(noise()), noise())


def test_a_model_without_coefficients_is_said_to_be_taken_for_none() -> None:
    for model in ("cat_eye", "equidistant"):
        assert rectifier(d=[], distortion_model=model).remarks == (
            f"topic /eye/camera_info: distortion_model '{model}' without d is taken for no "
            "distortion.",
        )
    for model in ("plumb_bob", "rational_polynomial", "", "none"):
        assert rectifier(d=[], distortion_model=model).remarks == ()


def test_binning_and_region_of_interest_are_applied() -> None:
    roi = {"x_offset": 20, "y_offset": 10, "width": 120, "height": 100}
    part = rectifier(roi=roi, binning_x=2, binning_y=2)
    assert part.camera.shape == (50, 60)
    assert (part.camera.fx, part.camera.fy) == (70, 70.5)
    # Centres of pixels at +0.5 scale with the pixels.
    assert (part.camera.cx, part.camera.cy) == ((80.5 - 20) / 2, (58.5 - 10) / 2)
    # A lens is undone in the part as it is in the whole.
    whole = rectifier(d=FREIBURG1).color(noise())
    window = (slice(10, 110), slice(20, 140))
    cut = rectifier(roi=roi, d=FREIBURG1)
    inner = cut.color(noise()[window])
    assert cut.observed is not None
    same = np.abs(inner.astype(int) - whole[window])[cut.observed]
    assert np.percentile(same, 99) <= 3


def test_an_image_of_another_size_costs_itself() -> None:
    for straight in (rectifier(), rectifier(d=FREIBURG1)):
        with pytest.raises(BadSampleError, match="160x120 pixels, the colour image has 80x60") as e:
            straight.color(noise(60, 80))
        assert e.value.reason == "images_of_other_size"
        with pytest.raises(BadSampleError, match="the depth image has 80x60") as e:
            straight.depth(np.zeros((60, 80), np.float32))
        assert e.value.reason == "depth_of_other_size"


def test_a_lens_read_from_a_file_is_checked_alike() -> None:
    with pytest.raises(BadInputError, match=r"calibration.txt: d is \[nan"):
        lens_calibration("calibration.txt", K, [np.nan] * 4, WIDTH, HEIGHT)
    made = Rectifier.of(lens_calibration("x", K, FREIBURG1, WIDTH, HEIGHT), where="x")
    assert np.array_equal(made.color(noise()), rectifier(d=FREIBURG1).color(noise()))


ODD = st.sampled_from(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1e-3, 0.5, 1.0, 60.0, 140.0, 1e6, 1e300, -1e300]
)
MODELS = ["plumb_bob", "rational_polynomial", "equidistant", "fisheye", "", "none", "cat_eye"]


def spoilt(matrix: np.ndarray, at: dict[int, float]) -> np.ndarray:
    flat = np.array(matrix, np.float64).reshape(-1)
    for place, value in at.items():
        flat[place % flat.size] = value
    return flat


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    k=st.dictionaries(st.integers(0, 8), ODD, max_size=3),
    p=st.dictionaries(st.integers(0, 11), ODD, max_size=2),
    r=st.dictionaries(st.integers(0, 8), ODD, max_size=1),
    d=st.lists(st.one_of(ODD, st.floats(-0.3, 0.3)), max_size=15),
    model=st.sampled_from(MODELS),
    size=st.sampled_from([(WIDTH, HEIGHT), (WIDTH, HEIGHT), (0, 0), (1, 1), (40, 2000)]),
    binning=st.sampled_from([0, 1, 2, 200]),
    rectified=st.booleans(),
)
def test_any_calibration_is_refused_by_name_or_shows_an_image(
    k: Any, p: Any, r: Any, d: list[float], model: str, size: Any, binning: int, rectified: bool
) -> None:
    fields = {"k": spoilt(K, k), "p": spoilt(projection(P), p), "r": spoilt(TURN, r), "d": d}
    fields |= {"distortion_model": model, "width": size[0], "height": size[1]}
    try:
        made = rectifier(rectified=rectified, binning_x=binning, **fields)
    except BadInputError as error:
        refused = str(error)
    else:
        height, width = made.camera.shape
        assert np.isfinite(made.camera.K).all()
        shown = made.color(np.full((height, width, 3), 200, np.uint8))[..., 0]
        observed = np.ones(shown.shape, bool) if made.observed is None else made.observed
        assert observed.mean() >= 0.25
        assert (shown[observed] == 200).all()
        return
    assert refused.startswith("topic /eye/camera_info: ")
    assert "expected" in refused or "another size" in refused
