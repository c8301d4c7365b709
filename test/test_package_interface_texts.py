# SPDX-License-Identifier: Apache-2.0
"""What the texts of messages and services say of limits and defaults is what the code does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from eval_scene import CAMERA, QUICK, make_frame
from fabricated import OnlyWords

pytest.importorskip("rclpy", reason="no ROS 2 here")

from f4x_ros.core.ask import clicks, likeness
from f4x_ros.core.ask.prompts import PromptSet, make_prompts
from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.base import limits
from f4x_ros.core.config import Config
from f4x_ros.core.data import UNLABELLED, Presence
from f4x_ros.core.perception import Perception
from f4x_ros.ros.conversions import label_map_msg
from f4x_ros.ros.pointcloud import POINT
from f4x_ros.ros.requests import EXAMPLE_ENCODINGS
from f4x_ros.srv import Query, Segment

ROOT = Path(__file__).resolve().parents[1]
TEXTS = {p.name: p.read_text(encoding="utf-8") for p in [*ROOT.glob("[ms]*[gv]/*.[ms]*")]}
TYPES = {"float32": "<f4", "uint32": "<u4", "uint16": "<u2"}


def comment(file: str, field: str) -> str:
    """What a file says of a field: behind it, in the lines that go on below, or else above."""
    lines = TEXTS[file].splitlines()
    at = next(i for i, line in enumerate(lines) if re.match(rf"\S+ +{field}(=\d+)?\b", line))
    words = [lines[at].partition("#")[2]]
    for line in lines[at + 1 :]:
        if not re.match(r" +#", line):
            break
        words.append(line.partition("#")[2])
    if not words[0]:
        above = lines[:at]
        while above and above[-1].startswith("#"):
            words.insert(0, above.pop()[1:])
    return " ".join(" ".join(words).split())


def limit(file: str, field: str) -> int:
    """The number behind "at most"."""
    found = re.search(r"at most (\d+)", comment(file, field))
    assert found, comment(file, field)
    return int(found[1])


def prompts(texts: Sequence[str], thresholds: Sequence[float] = ()) -> PromptSet:
    return make_prompts(TextVectors(OnlyWords()), texts, thresholds, 0.3)


@pytest.fixture(scope="module")
def perception() -> Perception:
    made = Perception(QUICK, ["red thing"])
    for index in range(4):
        made.process(make_frame(index))
    return made


def test_every_option_that_is_named_is_one() -> None:
    names = {parameter.name for parameter in Config.parameters()}
    groups = {name.partition(".")[0] for name in names}
    said = {
        word
        for text in TEXTS.values()
        for word in re.findall(r"\b[a-z]+\.[a-z_]+\b", text)
        if word.partition(".")[0] in groups
    }
    assert said >= {"query.threshold", "tracks.max_objects", "tracks.lost_after_s"}
    assert said <= names


def test_as_many_prompts_are_taken_as_the_texts_say() -> None:
    most = limit("SetPrompts.srv", "prompts")
    assert most == limit("LabelMap.msg", "ids") == limits.MAX_PROMPTS
    many = [f"thing {number}" for number in range(most + 1)]
    assert len(prompts(many[:most])) == most
    with pytest.raises(ValueError, match=f"{most + 1} prompts, expected at most {most}"):
        prompts(many)
    assert f"{UNLABELLED} (unlabelled" in TEXTS["LabelMap.msg"]
    assert most < UNLABELLED


def test_texts_and_pictures_are_limited_as_the_texts_say(perception: Perception) -> None:
    letters = f"at most {limits.MAX_PROMPT_LETTERS} characters"
    assert letters in comment("Query.srv", "prompt")
    said = comment("SetPrompts.srv", "prompts")
    assert letters in said
    assert f"{limits.MAX_LETTERS} characters together" in said
    assert f"{limits.MAX_PHRASES} different words and phrases together" in said
    longest = "a" * limits.MAX_PROMPT_LETTERS
    assert len(prompts([longest])) == 1
    with pytest.raises(ValueError, match=f"expected at most {limits.MAX_PROMPT_LETTERS}"):
        prompts([longest + "a"])
    said = comment("Query.srv", "example")
    side = limits.MAX_EXAMPLE_PX
    assert f"at most {side}x{side} (of more than {limits.EXAMPLE_SIDE_PX} on a side" in said
    with pytest.raises(ValueError, match=f"expected at most {side}x{side}"):
        perception.query(example=np.zeros((8, side + 1, 3), np.uint8))
    said = comment("Query.srv", "view")
    assert f"at most {limits.MAX_FRAME_NAME_LETTERS} characters" in said
    assert f"within {limits.MAX_COORDINATE_M:.0f} m of 0" in said


def test_a_request_that_says_nothing_of_masks_has_the_raw_one() -> None:
    for kind in (Query, Segment):
        asked = kind.Request()
        assert (asked.want_mask, asked.want_mask_png, asked.want_cloud) == (True, False, False)


def test_prompts_are_refused_and_thresholds_chosen_as_the_texts_say() -> None:
    said = comment("SetPrompts.srv", "prompts")
    for words, texts in (("none blank", ["mug", " "]), ("none twice", ["mug", " mug"])):
        assert words in said
        with pytest.raises(ValueError, match=r"blank|twice"):
            prompts(texts)
    assert "an empty list = no standing prompt" in said
    assert len(prompts([])) == 0
    said = comment("SetPrompts.srv", "thresholds")
    assert "one per prompt, 0..1, 0 = query.threshold" in said
    assert "an empty list = 0 for all" in said
    assert prompts(["a", "b"], [0, 1]).thresholds == (0.3, 1)
    assert prompts(["a", "b"]).thresholds == (0.3, 0.3)
    for wrong in ([0.5], [0.5, 1.01], [0.5, -0.01], [0.5, float("nan")]):
        with pytest.raises(ValueError, match="threshold"):
            prompts(["a", "b"], wrong)


def test_labels_are_numbered_as_the_text_says() -> None:
    assert comment("LabelMap.msg", "ids").startswith("1, 2, ... in the order the prompts were set")
    made = label_map_msg(["mug", "sofa"], [0.3, 0.3], "color", 7)
    assert (list(made.ids), made.header.frame_id) == ([1, 2], "")
    assert prompts([" mug "]).texts == ("mug",)  # "without blanks around them"


def test_a_threshold_of_zero_means_what_the_text_says(perception: Perception) -> None:
    said = comment("Query.srv", "threshold")
    assert "0..1; 0 = query.threshold, and where that is 0, too, the encoder's own" in said
    assert perception.query("red thing").threshold == perception._heads.words.threshold
    options = QUICK.to_dotted() | {"query.threshold": 0.7}
    assert Perception(Config.from_dotted(options), ["red thing"]).thresholds == (0.7,)
    assert f"for an example or an object 0 = {likeness.THRESHOLD:g}" in said
    example = np.full((16, 16, 3), (210, 20, 20), np.uint8)
    assert perception.query(example=example).threshold == likeness.THRESHOLD
    for wrong in (-0.01, 1.01):
        with pytest.raises(ValueError, match="threshold"):
            perception.query("red thing", threshold=wrong)


def test_examples_are_taken_from_the_size_and_in_the_encodings_of_the_text(
    perception: Perception,
) -> None:
    said = comment("Query.srv", "example")
    encodings = re.search(r"cut to it: (.*?), at least", said)
    assert encodings
    assert re.findall(r"\w+\d", encodings[1]) == list(EXAMPLE_ENCODINGS)
    size = re.search(r"at least (\d+)x(\d+) pixels", said)
    assert size
    width, height = int(size[1]), int(size[2])
    red = np.full((height, width, 3), (210, 20, 20), np.uint8)
    assert perception.query(example=red).present
    for small in (red[1:], red[:, 1:]):
        with pytest.raises(ValueError, match=f"expected at least {width}x{height}"):
            perception.query(example=small)


def test_a_question_left_empty_is_the_one_of_the_text(perception: Perception) -> None:
    asked = Query.Request(prompt="red thing")
    assert comment("Query.srv", "like_object").endswith("0 = none")
    assert "0 = the latest frame" in comment("Query.srv", "stamp")
    assert comment("Query.srv", "max_results").startswith("at most this many tracks")
    answer = perception.query(
        asked.prompt, like_object=asked.like_object, max_results=asked.max_results
    )
    assert answer.stamp_ns == perception.stamp_ns
    assert len(answer.tracks) == 1
    with pytest.raises(ValueError, match="one of text, example and like_object, expected one"):
        perception.query("red thing", like_object=1)  # "in one only"


def test_as_many_objects_are_returned_as_the_text_says_and_all_are_in_the_mask() -> None:
    said = comment("Query.srv", "max_results")
    assert "0 = all, which are tracks.max_objects at most" in said
    assert said.endswith("The mask and the cloud show all of them in any case.")
    three = make_frame(0)  # with the box
    three.rgb[10:38, 4:16] = three.rgb[10:38, 48:60] = (210, 20, 20)

    def asked(max_objects: int, max_results: int) -> tuple[int, int, float]:
        few = {"tracks.max_objects": max_objects, "tracks.min_gaussians": 5}
        perception = Perception(Config.from_dotted(QUICK.to_dotted() | few))
        perception.process(three)
        answer = perception.query("red thing", max_results=max_results)
        assert answer.cloud is not None
        return len(answer.tracks), len(answer.cloud), float(answer.mask.sum())

    every, one, two = asked(64, 0), asked(64, 1), asked(2, 0)
    assert every[0] >= 3
    assert (one[0], two[0]) == (1, 2)
    assert one[1:] == every[1:]


def test_presence_has_the_numbers_of_the_core_and_not_present_has_no_objects(
    perception: Perception,
) -> None:
    constants = {name: getattr(Query.Response, name) for name in Presence.__members__}
    assert constants == {one.name: int(one) for one in Presence}
    assert comment("Query.srv", "NOT_PRESENT").endswith("then tracks and cloud are empty")
    answer = perception.query("yellow thing")
    assert answer.presence is Presence.NOT_PRESENT
    assert answer.tracks == ()
    assert answer.cloud is not None
    assert len(answer.cloud) == 0


def test_the_cloud_has_the_fields_of_the_text_in_their_order() -> None:
    said = comment("Query.srv", "cloud").partition(" header.stamp")[0]
    told = re.findall(r"(float32|uint32|uint16) (\w+(?:, \w)*)", said)
    fields = {name: TYPES[kind] for kind, names in told for name in names.split(", ")}
    assert "rgb" in said
    own = {name: POINT.fields[name][0].str for name in POINT.names if name != "rgb"}  # type: ignore[index,union-attr]
    assert list(fields.items()) == list(own.items())


def test_clicks_are_taken_as_the_text_says(perception: Perception) -> None:
    most = limit("Segment.srv", "points")
    assert most == limits.MAX_CLICKS
    middle = (CAMERA.cx, CAMERA.cy)
    with pytest.raises(ValueError, match=f"K <= {most}"):
        perception.segment([middle] * (most + 1))
    assert "within it" in comment("Segment.srv", "points")
    with pytest.raises(ValueError, match="outside"):
        perception.segment([(float(CAMERA.width), 1.0)])
    assert comment("Segment.srv", "labels").endswith("empty = all 1")
    first, second = perception.segment([middle]), perception.segment([middle], [1])
    np.testing.assert_array_equal(first.mask, second.mask)
    for wrong in ([2], [1, 0]):
        with pytest.raises(ValueError, match="labels"):
            perception.segment([middle], wrong)
    assert (
        "At least one click must be\n# part of the object, or there must be a box"
        in (TEXTS["Segment.srv"])
    )
    with pytest.raises(ValueError, match="none of them labelled 1, and no box"):
        perception.segment([middle], [0])
    assert f"from {clicks.LEVEL:g} on part of the object" in comment("Segment.srv", "mask")
    assert first.threshold == clicks.LEVEL
    assert "at least one of them within the image" in comment("Segment.srv", "box")
    assert perception.segment(box=(20, 12, 2000, 36)).present
    with pytest.raises(ValueError, match="no pixel of the image"):
        perception.segment(box=(70, 3, 80, 9))


def test_histories_are_limited_as_the_text_says(perception: Perception) -> None:
    assert f"at most {limits.MAX_PROMPT_LETTERS} characters" in comment("History.srv", "prompt")
    said = comment("History.srv", "max_states")
    assert said.endswith(f"0 = {limits.USUAL_STATES}, at most {limits.MAX_STATES}")
    steps = f"{limits.MIN_STEP_S:g} to {limits.MAX_STEP_S:g}"
    assert steps in comment("History.srv", "step")
    things = comment("History.srv", "things")
    assert f"at most {limits.MAX_HISTORIES}" in things
    assert f"at most {limits.MAX_ALL_STATES} states together" in things
    assert limit("History.srv", "events") == limits.MAX_EVENTS
    for step in (limits.MIN_STEP_S, limits.MAX_STEP_S):
        assert perception.history(step_s=step).things
    for step in (limits.MIN_STEP_S / 2, limits.MAX_STEP_S * 2):
        with pytest.raises(ValueError, match=steps):
            perception.history(step_s=step)


def test_pictures_are_limited_as_the_text_says(perception: Perception) -> None:
    assert limit("Render.srv", "prompts") == limits.MAX_PICTURE_PROMPTS
    assert limit("Render.srv", "width") == limits.MAX_PICTURE_PX
    assert f"within {limits.MAX_ORBIT_RAD:g} of 0" in comment("Render.srv", "orbit")
    assert perception.show(orbit_rad=limits.MAX_ORBIT_RAD, width=16).color.shape[1] == 16
    with pytest.raises(ValueError, match="orbit"):
        perception.show(orbit_rad=-limits.MAX_ORBIT_RAD - 0.01)


def test_points_are_limited_as_the_text_says(perception: Perception) -> None:
    assert limit("FollowPoints.srv", "points") == limits.MAX_POINTS
    said = comment("FollowPoints.srv", "step")
    assert f"{limits.MIN_STEP_S:g} to {limits.MAX_STEP_S:g}" in said
    assert f"at most {limits.MAX_POINT_STAMPS} of them" in said
    assert f"and {limits.MAX_POINT_PLACES} divided by" in said
    assert said.endswith(f"thinned to {limits.USUAL_POINT_STAMPS}")
    assert limit("FollowPoints.srv", "want_visible") == limits.MAX_POINT_PICTURES
    place = [[0.0, 0.0, 0.0]]
    many = limits.MAX_POINT_PLACES // limits.MAX_POINTS
    for points, count in ((place, limits.MAX_POINT_STAMPS), (place * limits.MAX_POINTS, many)):
        asked = {"points": points, "want_visible": False}
        assert perception.follow_points(stamps_ns=[0] * count, **asked).positions.shape[0] == count
        with pytest.raises(ValueError, match=f"expected 1 to {count}"):
            perception.follow_points(stamps_ns=[0] * (count + 1), **asked)


def test_what_no_track_follows_has_the_id_of_the_text() -> None:
    assert "in a response 0 = it is followed by no track" in comment("Track.msg", "id")
    assert "in a response also: followed by no track" in comment("Track.msg", "TENTATIVE")
    untracked = Perception(QUICK)  # no standing prompt, so nothing is followed
    untracked.process(make_frame(0))
    (track,) = untracked.query("red thing").tracks
    assert (track.id, track.state.name, track.label) == (0, "TENTATIVE", "red thing")
    (clicked,) = untracked.segment([(CAMERA.cx, CAMERA.cy)]).tracks
    assert (clicked.id, clicked.label) == (0, "")  # "in a Segment response empty where ..."
    assert "in a Segment response empty where no track follows it" in comment("Track.msg", "label")
