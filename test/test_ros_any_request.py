# SPDX-License-Identifier: Apache-2.0
"""Any request is answered or refused: hypothesis asks all services.

`F4X_REQUESTS=10000` asks so many instead of a few hundred, and also holds the process to its memory
and prints the slowest answer (alone: `-k so_many`).
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from eval_scene import START_NS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="no ROS 2 here")

from asked import PLANT, Asked, check_refused, decoded, raw
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from f4x_ros.core.base.limits import MAX_CLICKS, MAX_PROMPT_LETTERS, MAX_PROMPTS
from f4x_ros.core.features.color_terms import TERMS
from f4x_ros.ros.conversions import stamp_msg
from f4x_ros.ros.images import byte_array
from f4x_ros.ros.requests import EXAMPLE_ENCODINGS
from f4x_ros.srv import FollowPoints, History, Query, Render, Segment, SetPrompts

REQUESTS = int(os.environ.get("F4X_REQUESTS", "0"))
MANY = [
    " ".join(words) for words in product(("a", "the", "dark", "light"), TERMS, ("thing", "one"))
]

TOO_MANY = [["red thing"] * count for count in (MAX_PROMPTS + 1, 3_000, 65_535)]


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked()


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

histories = st.builds(
    History.Request,
    object=mostly(st.sampled_from([0, 0, 1]), odd_numbers),
    prompt=mostly(st.just(""), words),
    since=stamps,
    until=stamps,
    step=mostly(st.sampled_from([0.0, 0.01, 3600.0]), st.floats(width=32)),
    max_states=numbers,
    want_states=st.booleans(),
    want_events=st.booleans(),
)
renders = st.builds(
    Render.Request,
    stamp=stamps,
    view=views(),
    orbit=mostly(st.sampled_from([0.0, 0.5, -6.0]), st.floats(width=32)),
    width=mostly(st.integers(0, 40), st.sampled_from([2**31, limit, 4096])),
    prompts=mostly(
        st.just([]) | st.lists(good_words, max_size=3, unique=True),
        st.lists(words, max_size=3) | st.just(["red thing"] * 65_535),
    ),
    want_image=st.booleans(),
    want_depth=st.booleans(),
    want_labels=st.booleans(),
    want_points=st.booleans(),
)
followed_points = st.builds(
    FollowPoints.Request,
    points=mostly(
        st.lists(st.builds(Point, x=st.floats(0, 60), y=st.floats(0, 40)), max_size=4),
        st.just([Point()] * 65_535)
        | st.lists(st.builds(Point, x=double, y=double, z=double), max_size=3),
    ),
    in_map=st.booleans(),
    stamp=stamps,
    view=views(),
    since=stamps,
    until=stamps,
    step=mostly(st.sampled_from([0.0, 0.01, 3600.0]), st.floats(width=32)),
    want_visible=st.booleans(),
)

slowest: dict[str, tuple[float, str]] = {}


def answered(asked: Asked, request: Any) -> Any:
    """What the node answers; timed."""
    kind = type(request).__name__.partition("_")[0]
    ask = {
        "Query": asked.questions.query,
        "Segment": asked.questions.segment,
        "SetPrompts": asked.questions.set_prompts,
        "History": asked.over_time.history,
        "Render": asked.over_time.render,
        "FollowPoints": asked.over_time.follow_points,
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
@given(request=histories)
def test_any_history_is_told_or_refused(asked: Asked, request: History.Request) -> None:
    answer = answered(asked, request)
    if not answer.success:
        check_refused(answer)
        assert (len(answer.things), len(answer.events)) == (0, 0)
        return
    most = request.max_states or 200
    assert all(len(one.states) == len(one.stamps) <= most for one in answer.things)
    assert not answer.things or request.want_states
    assert not answer.events or request.want_events


@_slow
@given(request=renders)
def test_any_picture_is_drawn_or_refused(asked: Asked, request: Render.Request) -> None:
    answer = answered(asked, request)
    images = (answer.image, answer.depth, answer.labels)
    if not answer.success:
        check_refused(answer)
        assert not any(len(image.data) for image in images)
        return
    wanted = [request.want_image, request.want_depth, request.want_labels]
    assert [bool(len(image.data)) for image in images] == wanted
    assert bool(len(answer.points.data)) == request.want_points


@_slow
@given(request=followed_points)
def test_any_points_are_followed_or_refused(asked: Asked, request: FollowPoints.Request) -> None:
    answer = answered(asked, request)
    count = len(answer.stamps) * len(answer.bodies)
    if not answer.success:
        check_refused(answer)
        assert not count
        return
    assert len(answer.bodies) == len(request.points)
    assert len(answer.positions) == count
    assert len(answer.visible) == (count if request.want_visible else 0)


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
    @given(
        request=queries | pictures | segments | histories | renders | followed_points | prompt_sets
    )
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
