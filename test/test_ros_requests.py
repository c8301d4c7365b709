# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request is refused by its name; what is asked for is in the answer."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest
from eval_scene import CAMERA

pytest.importorskip("rclpy", reason="no ROS 2 here")

from asked import PLANT, Asked, decoded, raw
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped
from geometry_msgs.msg import Pose as PoseMsg
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from f4x_ros.core.base.limits import MAX_EXAMPLE_PX, MAX_PROMPTS
from f4x_ros.core.features.color_terms import TERMS
from f4x_ros.ros.conversions import header, stamp_msg
from f4x_ros.ros.images import byte_array, image_msg
from f4x_ros.ros.requests import EXAMPLE_ENCODINGS, check_view, read_example, read_query
from f4x_ros.srv import Query, Segment, SetPrompts


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


# --- by name --------------------------------------------------------------------------------------


def spoilt(**changes: Any) -> PoseStamped:
    view = PoseStamped(header=Header(frame_id="map"), pose=PoseMsg())
    view.pose.orientation.w = 1.0
    for path, value in changes.items():
        *parents, name = path.split("__")
        owner: Any = view
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, name, value)
    return view


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pose__position__x": float("nan")}, "view.pose.position.x is nan, expected within 1e+06"),
        ({"pose__position__z": float("inf")}, "view.pose.position.z is inf"),
        ({"pose__position__y": -2e6}, "view.pose.position.y is -2e+06"),
        ({"pose__orientation__w": 0.0}, "view.pose.orientation is 0, 0, 0, 0, expected"),
        ({"pose__orientation__x": float("nan")}, "view.pose.orientation is nan, 0, 0, 1"),
        ({"pose__orientation__z": 1e300}, "view.pose.orientation is 0, 0, 1e+300, 1"),
        ({"pose__orientation__w": 1e-200}, "view.pose.orientation is 0, 0, 0, 1e-200"),
        ({"header__frame_id": "f" * 256}, "view.header.frame_id 'fff"),
        ({"header__frame_id": "map\n"}, "view.header.frame_id is 'map\\n', expected letters"),
        ({"header__stamp": Time(sec=-1)}, "view.header.stamp is -1 s"),
        ({"header__stamp": Time(nanosec=2 * 10**9)}, "view.header.stamp is 0 s and 2000000000 ns"),
    ],
)
def test_a_view_that_is_none_is_refused_by_the_name_of_its_field(
    changes: dict[str, Any], said: str
) -> None:
    check_view(spoilt())
    with pytest.raises(ValueError, match="expected") as error:
        check_view(spoilt(**changes))
    assert said in str(error.value)


def test_fields_of_a_view_that_is_not_there_do_not_matter() -> None:
    check_view(spoilt(header__frame_id="", pose__position__x=float("nan")))


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Query.Request(prompt="a" * 1_000_000), "1000000 characters, expected at most 200"),
        (Query.Request(prompt="red", threshold=float("nan")), "threshold is nan"),
        (Query.Request(prompt="red", stamp=Time(sec=-5)), "stamp is -5 s"),
        (Query.Request(prompt="red", stamp=Time(nanosec=10**9)), "stamp is 0 s and 1000000000 ns"),
    ],
)
def test_a_number_or_a_length_that_cannot_be_is_refused_by_its_name(
    request_: Query.Request, said: str
) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        read_query(request_)
    assert said in str(error.value)
    assert len(str(error.value)) < 200


# --- examples -------------------------------------------------------------------------------------


def picture(encoding: str, side: tuple[int, int] = (10, 12), pad: int = 0) -> Image:
    channels = EXAMPLE_ENCODINGS[encoding]
    step = side[1] * channels + pad
    pixels = np.random.default_rng(0).integers(0, 255, (side[0], step), np.uint8)
    message = Image(encoding=encoding, height=side[0], width=side[1], step=step)
    message.data = byte_array(pixels)
    return message


@pytest.mark.parametrize("pad", [0, 5])
@pytest.mark.parametrize("encoding", EXAMPLE_ENCODINGS)
def test_an_example_is_read_in_every_encoding_as_camera_images_are(encoding: str, pad: int) -> None:
    from f4x_ros.io.ros_images import color_from_image

    message = picture(encoding, pad=pad)
    np.testing.assert_array_equal(read_example(message), color_from_image(message, "example"))


@pytest.mark.parametrize("encoding", EXAMPLE_ENCODINGS)
def test_a_large_example_is_reduced_in_its_own_order_of_colours(encoding: str) -> None:
    message = picture(encoding, (1000, 1280), pad=3)
    small = read_example(message)
    assert small.shape == (500, 640, 3)
    from f4x_ros.io.ros_images import color_from_image

    whole = cv2.resize(color_from_image(message, "x"), (640, 500), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - whole).max() <= 1


def test_the_largest_example_is_reduced_without_a_copy() -> None:
    message = picture("rgb8", (MAX_EXAMPLE_PX, MAX_EXAMPLE_PX))
    tracemalloc.start()
    small = read_example(message)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert small.shape == (640, 640, 3)
    assert most < len(message.data) / 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoding": "yuv422"}, "example.encoding is 'yuv422', expected one of rgb8"),
        ({"encoding": "x" * 9999}, "example.encoding is 'xxx"),
        ({"width": 2**32 - 1}, f"4294967295x10 pixels, expected at most {MAX_EXAMPLE_PX}"),
        ({"height": 0}, "12x0 pixels, expected at least 8x8"),
        ({"height": 11}, "example has 360 bytes in rows of 36, expected 11 rows"),
        ({"height": 9}, "example has 360 bytes in rows of 36, expected 9 rows"),
        ({"step": 35}, "in rows of 35, expected 10 rows of at least 36"),
        ({"step": 2**32 - 1}, "in rows of 4294967295"),
    ],
)
def test_an_example_that_is_no_picture_is_refused_by_name(
    changes: dict[str, Any], said: str
) -> None:
    message = picture("rgb8")
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(ValueError, match="expected") as error:
        read_example(message)
    assert said in str(error.value)
    assert len(str(error.value)) < 250


# --- prompts --------------------------------------------------------------------------------------


def set_prompts(asked: Asked, prompts: Sequence[str]) -> SetPrompts.Response:
    answer: SetPrompts.Response = asked.questions.set_prompts(SetPrompts.Request(prompts=prompts))
    return answer


def test_too_many_prompts_are_refused_before_one_of_them_is_looked_at(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: Any) -> None:
        raise AssertionError(f"looked at {str(arguments)[:80]}")

    before = list(asked.perception.prompts)
    with monkeypatch.context() as patch:
        patch.setattr(type(asked.perception._heads.words), "check_understood", never)
        patch.setattr(type(asked.perception._heads.words), "text", never)
        for prompts, said in (
            ([f"thing {k}" for k in range(65_535)], "65535 prompts, expected at most 1000"),
            (["x" * 1_000_000], "1000000 characters, expected at most 200"),
        ):
            answer = set_prompts(asked, prompts)
            assert not answer.success
            assert said in answer.message
            assert len(answer.message) < 200
    assert list(asked.perception.prompts) == before


def test_a_prompt_that_is_not_understood_does_not_stop_the_others(asked: Asked) -> None:
    answer = set_prompts(asked, ["red thing", PLANT, "blue thing"])
    assert answer.success
    assert answer.labels.prompts == ["red thing", PLANT, "blue thing"]
    assert "3 prompts from the next frame on" in answer.message
    assert f"prompt '{PLANT}' is not understood" in answer.message
    alone = set_prompts(asked, [PLANT])
    assert not alone.success
    assert f"prompt '{PLANT}' is not understood" in alone.message
    assert alone.labels.prompts == ["red thing", PLANT, "blue thing"]
    assert "not understood" not in set_prompts(asked, ["red thing"]).message


def test_as_many_prompts_as_there_may_be_are_drawn_and_told(asked: Asked) -> None:
    fillers = ["a", "an", "the", "this", "that", "these", "those", "any", "some", "all"]
    many = [
        " ".join(parts)
        for parts in product(fillers, TERMS, ("thing", "object", "item", "one"), ("there", "of"))
    ]
    many = [text.replace(" there", "") for text in many if not text.endswith("of")][:MAX_PROMPTS]
    answer = set_prompts(asked, many)
    assert answer.success, answer.message
    asked.see()
    assert set_prompts(asked, ["red thing"]).success


# --- masks ----------------------------------------------------------------------------------------


def test_a_mask_is_there_unless_it_is_not_wanted(asked: Asked) -> None:
    set_prompts(asked, ["red thing"])
    whole = asked.questions.query(Query.Request(prompt="red thing"))
    assert raw(whole).shape == (CAMERA.height, CAMERA.width)
    assert not len(whole.mask_png.data)
    small = asked.questions.query(
        Query.Request(prompt="red thing", want_mask=False, want_mask_png=True)
    )
    assert not len(small.mask.data)
    assert small.mask_png.format == "mono8; png"
    assert small.mask_png.header == whole.mask.header
    assert np.abs(decoded(small) - raw(whole)).max() <= 1 / 510 + 1e-6
    none = asked.questions.query(Query.Request(prompt="red thing", want_mask=False))
    assert (none.success, none.present, none.score) == (True, True, whole.score)
    assert len(str(none)) < 20_000
    clicked = Segment.Request(points=[Point(x=32.0, y=24.0)], want_mask=False, want_mask_png=True)
    answer = asked.questions.segment(clicked)
    assert answer.success
    assert not len(answer.mask.data)
    assert decoded(answer)[24, 32] > 0.5


def test_an_example_of_the_whole_answer_is_found_whatever_its_size(asked: Asked) -> None:
    red = image_msg(np.full((2000, 3000, 3), (210, 20, 20), np.uint8), "rgb8", header(0, ""))
    answer = asked.questions.query(Query.Request(example=red, stamp=stamp_msg(0)))
    assert answer.success, answer.message
    assert answer.present
