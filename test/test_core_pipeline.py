# SPDX-License-Identifier: Apache-2.0
"""The one door, on a world whose truth is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from box_world import CAMERA, BoxWorld, iou, still

from f4x_ros.core.config import Config
from f4x_ros.core.data.percept import UNLABELLED, Outputs, Percept
from f4x_ros.core.data.track import TrackState
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 2,
        "mapping.keyframe_iterations": 4,
    }
)
PROMPTS = ("red thing", "blue thing")


def run(world: Callable, count: int, config: Config = QUICK, prompts: tuple = PROMPTS):
    perception = Perception(config, prompts)
    return perception, [perception.process(world(i)) for i in range(count)]


@pytest.fixture(scope="module")
def static() -> tuple[Perception, list[Percept]]:
    return run(BoxWorld(), 12)


def test_masks_and_labels_cover_what_was_asked(static) -> None:
    percept, world = static[1][-1], BoxWorld()
    for index, color in enumerate(("red", "blue")):
        truth = world.mask(11, color)
        assert iou(percept.masks[index] >= percept.thresholds[index], truth) > 0.85
        assert iou(percept.labels == index + 1, truth) > 0.85
    assert (percept.labels == 0).mean() > 0.5


def test_outputs_carry_the_stamp_frame_and_camera_of_their_input(static) -> None:
    for index, percept in enumerate(static[1]):
        frame = BoxWorld()(index)
        assert (percept.stamp_ns, percept.frame_id) == (frame.stamp_ns, frame.frame_id)
        assert percept.camera == frame.camera
        assert percept.masks.shape == (2, *frame.rgb.shape[:2])


def test_the_field_looks_like_the_frame(static) -> None:
    percept, frame = static[1][-1], BoxWorld()(11)
    error = (percept.color.astype(float) - frame.rgb) ** 2
    assert -10 * np.log10(error.mean() / 255**2) > 22
    assert np.median(np.abs(percept.depth - frame.depth)) < 0.01


def test_ids_do_not_change_in_a_static_scene(static) -> None:
    percepts = static[1]
    ids = [{t.label: t.id for t in p.tracks} for p in percepts]
    assert all(i == ids[0] for i in ids)
    assert {t.state for t in percepts[-1].tracks} == {TrackState.CONFIRMED}
    assert not any(t.moving for p in percepts for t in p.tracks)


def test_tracks_stand_where_the_things_are(static) -> None:
    by_label = {t.label: t for t in static[1][-1].tracks}
    assert np.allclose(by_label["red thing"].position, (-0.4, 0, 1.6), atol=0.03)
    assert np.allclose(by_label["blue thing"].size[:2], (0.3, 0.3), atol=0.05)


def test_cloud_points_know_their_object_and_label(static) -> None:
    percept = static[1][-1]
    cloud, tracks = percept.cloud, {t.label: t.id for t in percept.tracks}
    red = cloud.where(1)
    assert len(red) > 50
    assert np.abs(red.xyz[:, 2] - 1.6).max() < 0.15
    assert np.bincount(red.object).argmax() == tracks["red thing"]
    assert set(np.unique(cloud.label)) <= {0, 1, 2, UNLABELLED}


def test_what_is_there_is_present_and_what_is_not_is_not(static) -> None:
    perception, percepts = static
    found = perception.query("red thing")
    assert found.present
    assert found.score > found.threshold
    assert iou(found.mask >= found.threshold, BoxWorld().mask(11, "red")) > 0.85
    assert found.tracks[0].id == {t.label: t.id for t in percepts[-1].tracks}["red thing"]
    assert len(found.cloud) > 50
    missing = perception.query("yellow thing")
    assert not missing.present
    assert missing.score < missing.threshold
    assert not missing.tracks
    assert len(missing.cloud) == 0


def test_an_answer_from_another_view_shows_the_thing_there(static) -> None:
    view = np.eye(4)
    view[0, 3] = -0.1
    mask = static[0].query("red thing", view=view).mask
    truth = BoxWorld(speed_m=-0.1).mask(1, "red")
    assert iou(mask >= 0.5, truth) > 0.8


def test_nothing_is_computed_that_was_not_asked_for() -> None:
    perception = Perception(QUICK, PROMPTS)
    percept = perception.process(BoxWorld()(0), Outputs(masks=False, cloud=False, tracks=False))
    assert percept.masks is None
    assert percept.labels is None
    assert percept.cloud is None
    assert percept.tracks == ()


def test_same_input_same_bytes(static) -> None:
    again = run(BoxWorld(), 12)[1]
    for a, b in zip(static[1], again, strict=True):
        assert np.array_equal(a.masks, b.masks)
        assert np.array_equal(a.color, b.color)
        assert np.array_equal(a.cloud.xyz, b.cloud.xyz)


def test_a_held_out_frame_is_described_but_not_learned() -> None:
    perception = run(BoxWorld(), 3)[0]
    before = perception.render(CAMERA, np.eye(4)).color
    percept = perception.process(BoxWorld()(3), hold_out=True)
    assert np.array_equal(perception.render(CAMERA, np.eye(4)).color, before)
    assert {t.state for t in percept.tracks} == {TrackState.CONFIRMED}
    assert percept.labels is not None
    assert percept.stamp_ns == perception.stamp_ns


# --- things that move ------------------------------------------------------------------------


def moving_red() -> BoxWorld:
    """Red drives 4 cm a frame to the right (0.4 m/s); blue stays."""
    return BoxWorld({"red": lambda i: (-0.5 + 0.04 * i, -0.2, 1.6), "blue": still(0.4, 0.2, 1.5)})


@pytest.fixture(scope="module")
def moving() -> tuple[Perception, list[Percept]]:
    return run(moving_red(), 16)


def test_the_mask_follows_a_moving_thing(moving) -> None:
    for index in (5, 10, 15):
        percept = moving[1][index]
        assert iou(percept.labels == 1, moving_red().mask(index, "red")) > 0.7


def test_a_moving_thing_keeps_its_id_and_has_its_velocity(moving) -> None:
    reds = [[t for t in p.tracks if t.label == "red thing"] for p in moving[1]]
    assert {t.id for tracks in reds for t in tracks} == {reds[0][0].id}
    last = reds[-1][0]
    assert last.moving
    assert np.allclose(last.velocity, (0.4, 0, 0), atol=0.1)
    assert np.allclose(last.position, (0.1, -0.2, 1.6), atol=0.06)
    assert not any(t.moving for t in moving[1][-1].tracks if t.label == "blue thing")


def test_the_past_stays_answerable(moving) -> None:
    perception, percepts = moving
    for index in (4, 9):
        then = perception.query("red thing", stamp_ns=percepts[index].stamp_ns)
        assert iou(then.mask >= 0.5, moving_red().mask(index, "red")) > 0.7
        picture = perception.render(then.camera, then.T_map_camera, then.stamp_ns).color
        assert (
            iou((picture[..., 0] > 150) & (picture[..., 1] < 90), moving_red().mask(index, "red"))
            > 0.6
        )


def test_a_thing_that_vanishes_is_lost_and_said_so() -> None:
    def place(i: int) -> tuple[float, float, float]:
        return (-0.4, 0.0, 1.6) if i < 6 else (0.0, 0.0, 99.0)

    config = replace(QUICK, tracks=replace(QUICK.tracks, lost_after_s=0.3))
    _, percepts = run(BoxWorld({"red": place}), 14, config, ("red thing",))
    states = [[t.state for t in p.tracks] for p in percepts]
    assert states[5] == [TrackState.CONFIRMED]
    assert states[7] == [TrackState.OCCLUDED]
    assert [TrackState.LOST] in states
    assert states[-1] == []


def test_covariance_grows_while_a_thing_is_out_of_sight() -> None:
    perception, _ = run(BoxWorld({"red": still(-0.4, 0.0, 1.6)}), 5, prompts=("red thing",))
    away = BoxWorld({"red": still(-0.4, 0.0, 1.6)}, speed_m=0.5)
    sigmas, states = [], []
    for index in range(5, 9):
        (track,) = perception.process(away(index)).tracks
        sigmas.append(track.pose_covariance[0, 0])
        states.append(track.state)
    assert sigmas == sorted(sigmas)
    assert sigmas[-1] > sigmas[0]
    assert set(states) == {TrackState.OCCLUDED}


# --- limits, files, bad input ------------------------------------------------------------------


def test_the_byte_budget_holds_at_every_frame_and_is_counted() -> None:
    budget = 100_000
    config = replace(QUICK, field=replace(QUICK.field, max_bytes=budget))
    perception = Perception(config, PROMPTS)
    forgotten = 0
    for index in range(10):
        percept = perception.process(BoxWorld(speed_m=0.2)(index))
        assert perception.map_bytes <= budget
        forgotten += percept.counts["forgotten"]
    assert forgotten > 0


def test_ply_has_the_columns_of_splat_viewers(static, tmp_path: Path) -> None:
    path = tmp_path / "map.ply"
    static[0].export_ply(path)
    head, body = path.read_bytes().split(b"end_header\n", 1)
    lines = head.decode().splitlines()
    count = int(next(line for line in lines if line.startswith("element vertex")).split()[-1])
    names = [line.split()[-1] for line in lines if line.startswith("property float")]
    rows = np.frombuffer(body, "<f4").reshape(count, len(names))
    column = dict(zip(names, rows.T, strict=True))
    assert np.isfinite(rows).all()
    assert column["z"].min() > 1.3
    assert column["z"].max() < 2.2
    rotation = np.stack([column[f"rot_{i}"] for i in range(4)])
    assert np.allclose((rotation**2).sum(0), 1, atol=1e-5)


def test_frames_that_cannot_be_mapped_are_named() -> None:
    world = BoxWorld()
    perception = Perception(QUICK)
    perception.process(world(1))
    with pytest.raises(ValueError, match=r"stamp_ns is .*expected more than"):
        perception.process(world(0))
    with pytest.raises(ValueError, match="no depth"):
        perception.process(replace(world(2), depth=None))
    with pytest.raises(ValueError, match="no pose"):
        perception.process(replace(world(2), T_map_camera=None))
    perception.reset()
    perception.process(world(0))


def test_depth_without_any_reading_is_survived() -> None:
    perception = Perception(QUICK, PROMPTS)
    blind = replace(BoxWorld()(0), depth=np.zeros((72, 96), np.float32))
    percept = perception.process(blind)
    assert perception.gaussians == 0
    assert (percept.labels == UNLABELLED).all()
    assert not perception.query("red thing").present
    perception.process(BoxWorld()(1))
    assert perception.gaussians > 0


@pytest.mark.parametrize(
    "prompts, thresholds, words",
    [
        (["red thing", " "], [], "prompt 1 is blank"),
        (["red thing", "red thing"], [], "given twice"),
        (["red thing"], [0.5, 0.5], "2 thresholds for 1 prompts"),
        (["red thing"], [1.5], "threshold is 1.5"),
        (["red mug"], [], "red mug"),
    ],
)
def test_a_bad_prompt_is_named_and_changes_nothing(prompts, thresholds, words) -> None:
    perception = Perception(QUICK, PROMPTS)
    with pytest.raises(ValueError, match=words):
        perception.set_prompts(prompts, thresholds)
    assert perception.prompts == PROMPTS


def test_questions_that_have_no_answer_say_why(static) -> None:
    perception = static[0]
    with pytest.raises(ValueError, match="outside of what the field remembers"):
        perception.query("red thing", stamp_ns=1)
    with pytest.raises(ValueError, match="threshold is -1"):
        perception.query("red thing", threshold=-1)
    with pytest.raises(ValueError, match="view has shape"):
        perception.query("red thing", view=np.eye(3))
    with pytest.raises(ValueError, match="no frame has been processed"):
        Perception(QUICK).query("red thing")


def test_prompts_can_change_while_running() -> None:
    perception, _ = run(BoxWorld(), 4, prompts=("red thing",))
    perception.set_prompts(["blue thing"])
    percept = perception.process(BoxWorld()(4))
    assert percept.prompts == ("blue thing",)
    assert {t.label for t in percept.tracks} == {"blue thing"}
    assert iou(percept.labels == 1, BoxWorld().mask(4, "blue")) > 0.8
