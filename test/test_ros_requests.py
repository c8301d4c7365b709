# SPDX-License-Identifier: Apache-2.0
"""Requests as people and programs send them: each is answered, or refused by a name, at once.

`F4X_REQUESTS=10000` asks so many instead of a few hundred, and also holds the process to its memory
and prints the slowest answer (alone: `-k so_many`).
"""

from __future__ import annotations

import gc
import os
import time
import tracemalloc
from collections.abc import Callable, Sequence
from itertools import product
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from eval_scene import CAMERA, QUICK, START_NS, make_frame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="no ROS 2 here")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped
from geometry_msgs.msg import Pose as PoseMsg
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from f4x_ros.core.base.limits import MAX_CLICKS, MAX_EXAMPLE_PX, MAX_PROMPT_LETTERS, MAX_PROMPTS
from f4x_ros.core.data import Frame
from f4x_ros.core.features.color_terms import TERMS
from f4x_ros.core.perception import Perception
from f4x_ros.ros.camera_poses import CameraPoses
from f4x_ros.ros.conversions import header, label_map_msg, stamp_msg
from f4x_ros.ros.diagnostics import Health
from f4x_ros.ros.images import byte_array, image_msg
from f4x_ros.ros.markers import TrackMarkers
from f4x_ros.ros.questions import Questions
from f4x_ros.ros.requests import EXAMPLE_ENCODINGS, check_view, read_example, read_query
from f4x_ros.ros.transform_buffer import TransformUnavailableError
from f4x_ros.srv import Query, Segment, SetPrompts
from f4x_ros.viz.overlay import overlay_percept

REQUESTS = int(os.environ.get("F4X_REQUESTS", "0"))
PLANT = "\U0001fab4"
MANY = [
    " ".join(words) for words in product(("a", "the", "dark", "light"), TERMS, ("thing", "one"))
]

TOO_MANY = [["red thing"] * count for count in (MAX_PROMPTS + 1, 3_000, 65_535)]


class NoTransforms:
    def lookup(self, parent: str, child: str, ns: int, *, waited_s: float = 0.0) -> None:
        raise TransformUnavailableError(f"no transform from '{child}' to '{parent}'")


class Asked:
    """A small map and all that answers from it, without a middleware between."""

    def __init__(self) -> None:
        self.perception = Perception(QUICK, ["red thing"])
        self.stamp = 0
        self.markers = TrackMarkers()
        poses: Any = SimpleNamespace(_map_frame="map", _transforms=NoTransforms())
        poses.view = lambda view: CameraPoses.view(poses, view)
        labels: Any = SimpleNamespace(
            message=self.labels, restart=lambda: None, publish=self.labels
        )
        complaints: Any = SimpleNamespace(bad_input=lambda kind, counter, text: None)
        self.questions = Questions(self.perception, poses, labels, Health(), complaints)
        for _ in range(3):
            self.see()

    def labels(self) -> Any:
        p = self.perception
        return label_map_msg(p.prompts, p.thresholds, p.encoder, 0)

    def see(self) -> None:
        """A frame, and all that is published of it."""
        made = make_frame(self.stamp % 20)
        frame = Frame(
            START_NS + self.stamp * 1_000_000, made.rgb, CAMERA, made.depth, made.T_map_camera
        )
        self.stamp += 1
        percept = self.perception.process(frame)
        assert percept.labels is not None
        overlay_percept(frame.rgb, percept)
        serialize_message(self.markers.update(percept.tracks, percept.prompts, Header()))
        serialize_message(self.labels())


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


def check_refused(answer: Any) -> None:
    """A refusal is one line of bounded length, and nothing else is in the answer."""
    assert answer.message.strip()
    assert "\n" not in answer.message
    assert len(answer.message) < 1500
    assert answer.message.isprintable()


# --- anything at all ------------------------------------------------------------------------------


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Requests of which everything is odd are all refused for the same thing."""
    return st.integers(0, 7).flatmap(lambda number: usual if number else odd)


odd_words = st.one_of(
    st.sampled_from(
        ["-red", "red -", "mug", PLANT, f"red {PLANT}", "", " \t", "red\x07", "red\nthing",
         "a" * MAX_PROMPT_LETTERS, "a" * 100_000, "\ufffd"]
    ),
    st.text(max_size=MAX_PROMPT_LETTERS + 2),
)  # fmt: skip
good_words = st.sampled_from(["red thing", "dark red", "blue", "red -blue", "grey or white thing"])
words = mostly(good_words, odd_words)
single = mostly(st.sampled_from([0.0, 0.5, 1.0]), st.floats(width=32))
double = mostly(st.sampled_from([1.0, 0.0, 24.0, 31.5, 0.3, -1.0]), st.floats())
limit = 2**32 - 1
odd_numbers = st.one_of(st.sampled_from([0, 7, 8, 48, 64, 2**31, limit]), st.integers(0, limit))
numbers = mostly(st.integers(0, 40), odd_numbers)
stamps = mostly(
    st.sampled_from([Time(), stamp_msg(START_NS), stamp_msg(START_NS + 1_000_000)]),
    st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=st.integers(0, limit)),
)


@st.composite
def views(draw: Callable[..., Any]) -> PoseStamped:
    """Mostly none, or one that can be; now and then anything."""
    if draw(st.integers(0, 2)):
        return PoseStamped()
    names = mostly(st.just("map"), st.sampled_from(["nowhere", "/map", "x" * 300]) | st.text())
    view = PoseStamped(header=Header(frame_id=draw(names), stamp=draw(stamps)))
    at, turn = view.pose.position, view.pose.orientation
    at.x, at.y, at.z = draw(double), draw(double), draw(double)
    turn.x, turn.y, turn.z, turn.w = draw(double), draw(double), draw(double), draw(double)
    return view


@st.composite
def examples(draw: Callable[..., Any]) -> Image:
    """A picture that fits its numbers, or numbers and bytes of any kind."""
    side = mostly(st.integers(8, 40), st.integers(0, 40))
    names = st.sampled_from([*EXAMPLE_ENCODINGS]), st.sampled_from(["yuv422", "32FC1"]) | st.text()
    encoding = draw(mostly(*names))
    width, height = draw(side), draw(side)
    step = width * EXAMPLE_ENCODINGS.get(encoding, 1) + draw(st.sampled_from([0, 0, 0, 3, -1]))
    size = max(0, step * height + draw(st.sampled_from([0, 0, 0, 5, -5])))
    message = Image(encoding=encoding, width=width, height=height, step=max(0, step))
    message.data = byte_array(np.arange(size, dtype=np.uint8))
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(["width", "height", "step"]))
        setattr(message, name, draw(odd_numbers))
    return message


queries = st.builds(
    Query.Request,
    prompt=words,
    like_object=mostly(st.just(0), odd_numbers),
    threshold=single,
    stamp=stamps,
    view=views(),
    want_mask=st.booleans(),
    want_mask_png=st.booleans(),
    want_cloud=st.booleans(),
    max_results=numbers,
)
pictures = st.builds(Query.Request, prompt=mostly(st.just(""), words), example=examples())
points = st.builds(Point, x=double, y=double, z=double)
segments = st.builds(
    Segment.Request,
    points=mostly(
        st.lists(points, max_size=4), st.just([Point(x=32.0, y=24.0)] * (MAX_CLICKS + 1))
    ),
    labels=mostly(st.just([]), st.lists(st.integers(-128, 127), max_size=4)),
    box=st.builds(
        RegionOfInterest, x_offset=numbers, y_offset=numbers, height=numbers, width=numbers
    ),
    stamp=stamps,
    view=views(),
    want_mask=st.booleans(),
    want_mask_png=st.booleans(),
    want_cloud=st.booleans(),
)
prompt_sets = st.builds(
    SetPrompts.Request,
    prompts=st.one_of(
        st.lists(words, max_size=4, unique=True),
        st.lists(st.sampled_from(MANY), max_size=len(MANY), unique=True),
        st.sampled_from(TOO_MANY),
    ),
    thresholds=mostly(st.just([]), st.lists(single, max_size=4)),
)

slowest: dict[str, tuple[float, str]] = {}


def answered(asked: Asked, request: Any) -> Any:
    """What the node answers; timed."""
    kind = type(request).__name__.partition("_")[0]
    ask = {
        "Query": asked.questions.query,
        "Segment": asked.questions.segment,
        "SetPrompts": asked.questions.set_prompts,
    }[kind]
    begin = time.monotonic()
    answer = ask(request)
    took = time.monotonic() - begin
    if took > slowest.get(kind, (0.0, ""))[0]:
        slowest[kind] = took, answer.message[:80]
    serialize_message(answer)  # what no message can hold is found here
    return answer


_slow = settings(
    max_examples=REQUESTS // 3 or 100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    database=None,
)


@_slow
@given(request=queries | pictures)
def test_any_query_is_answered_or_refused(asked: Asked, request: Query.Request) -> None:
    answer = answered(asked, request)
    if not answer.success:
        check_refused(answer)
        unknown = "not understood" in answer.message
        expected = Query.Response.NOT_UNDERSTOOD if unknown else Query.Response.NOT_PRESENT
        assert answer.presence == expected
        assert not answer.present
        assert not len(answer.mask.data)
        assert not len(answer.mask_png.data)
        assert not answer.tracks
        return
    check_masks(request, answer)
    assert answer.presence != Query.Response.NOT_UNDERSTOOD
    assert 0 <= answer.score <= 1
    assert bool(answer.cloud.width) <= request.want_cloud


@_slow
@given(request=segments)
def test_any_clicks_are_answered_or_refused(asked: Asked, request: Segment.Request) -> None:
    answer = answered(asked, request)
    if answer.success:
        check_masks(request, answer)
        return
    check_refused(answer)
    assert not len(answer.mask.data)
    assert not len(answer.mask_png.data)


@_slow
@given(request=prompt_sets)
def test_any_prompts_are_taken_or_refused_as_a_whole(
    asked: Asked, request: SetPrompts.Request
) -> None:
    before = list(asked.perception.prompts)
    answer = answered(asked, request)
    if answer.success:
        assert list(answer.labels.prompts) == [text.strip() for text in request.prompts]
        assert answer.message.isprintable()
        asked.see()
    else:
        check_refused(answer)
        assert list(answer.labels.prompts) == before
    assert len(answer.message) < 5000


def check_masks(request: Any, answer: Any) -> None:
    """The mask comes in the forms that were asked for, and they agree."""
    assert bool(len(answer.mask.data)) == request.want_mask
    assert bool(len(answer.mask_png.data)) == request.want_mask_png
    if request.want_mask and request.want_mask_png:
        assert np.abs(decoded(answer) - raw(answer)).max() <= 1 / 510 + 1e-6


def raw(answer: Any) -> np.ndarray:
    shape = (answer.mask.height, answer.mask.width)
    return np.frombuffer(answer.mask.data, "<f4").reshape(shape)


def decoded(answer: Any) -> np.ndarray:
    data = np.frombuffer(answer.mask_png.data, np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED)) / 255


@pytest.mark.skipif(not REQUESTS, reason="set F4X_REQUESTS=10000")
def test_so_many_requests_leave_no_more_in_memory(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked twice: hypothesis and what is used for the first time take memory of their own."""
    import psutil

    requests: list[Any] = []

    def ask(request: Any) -> None:
        if answered(asked, request).success and isinstance(request, SetPrompts.Request):
            asked.see()

    @settings(_slow, max_examples=REQUESTS)
    @given(request=queries | pictures | segments | prompt_sets)
    def first(request: Any) -> None:
        requests.append(request)
        ask(request)

    first()
    process = psutil.Process()
    slowest.clear()
    gc.collect()
    before = process.memory_info().rss
    for request in requests:
        ask(request)
    gc.collect()
    grown = (process.memory_info().rss - before) / 1e6
    with capsys.disabled():
        print(f"\n{len(requests)} requests: {grown:.1f} MB more, slowest {slowest}")
    assert grown < 50


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
