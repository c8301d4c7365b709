# SPDX-License-Identifier: Apache-2.0
"""Edits are a layer: what they do, that nothing else changes, undo, spans, files, mapping on."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from box_world import CAMERA, COLORS, STEP_NS, BoxWorld, iou, still

from f4x_ros.core.config import Config
from f4x_ros.core.data import Presence
from f4x_ros.core.edit import Edit, Edited
from f4x_ros.core.edit.change import about
from f4x_ros.core.errors import BadInputError, CorruptError, NotReadyError
from f4x_ros.core.field import Snapshot, some_of
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {"features.extractor": "color", "mapping.iterations": 4, "mapping.keyframe_iterations": 6}
)
FRAMES = 10
WORLD = BoxWorld()


def mapped(frames: int = FRAMES, world: BoxWorld = WORLD) -> Perception:
    perception = Perception(QUICK, ("red thing", "blue thing"))
    for index in range(frames):
        perception.process(world(index))
    return perception


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edits") / "map.f4x"
    mapped().save(path)
    return path


@pytest.fixture
def perception(whole: Path) -> Perception:
    return Perception.load(whole)


def numbers(snapshot: Snapshot) -> dict[str, torch.Tensor]:
    return dict(vars(snapshot))


def same(one: Snapshot, other: Snapshot) -> bool:
    return all(torch.equal(a, numbers(other)[name]) for name, a in numbers(one).items())


def untouched_rows(made: Edited, measured: Snapshot) -> torch.Tensor:
    """Of the measured rows those that the edited snapshot still has; in order, to the bit."""
    rest = ~made.touched
    places = [m.numpy().tobytes() for m in measured.means]
    found = torch.tensor([places.index(m.numpy().tobytes()) for m in made.snapshot.means[rest]])
    for name, column in numbers(measured).items():
        assert torch.equal(column[found], numbers(made.snapshot)[name][rest]), name
    assert (found.diff() > 0).all()
    return found


def picture(perception: Perception, layer: str = "edited", stamp_ns: int = 0) -> np.ndarray:
    camera, pose = perception.viewpoint(None, stamp_ns)
    return perception.render(camera, pose, stamp_ns, layer=layer).color.astype(int)


def shown(world: BoxWorld, index: int = FRAMES - 1) -> np.ndarray:
    return world(index).rgb.astype(int)


def test_what_is_removed_is_gone_and_the_wall_goes_on(perception: Perception) -> None:
    before = picture(perception, "measured")
    result = perception.edit("remove the red thing")
    assert result.done, result.message
    after = picture(perception)
    was = WORLD.mask(FRAMES - 1, "red")
    assert np.abs(after[was] - 128).mean() < 20  # the wall, some of which nobody ever saw
    made = perception.editor.edited()
    assert made.guessed.any()
    share = perception.editor.guessed_in(*perception.viewpoint())
    assert share[was].max() > 0.5
    assert (share[WORLD.mask(FRAMES - 1, "blue")] < 0.1).all()
    assert perception.query("red thing", layer="edited").presence is Presence.NOT_PRESENT
    assert perception.query("red thing").presence is Presence.PRESENT  # as measured
    assert np.array_equal(picture(perception, "measured"), before)
    depth = perception.render(*perception.viewpoint(), layer="edited").depth
    assert np.abs(depth[was] - 2.0).mean() < 0.05


def test_what_no_plane_explains_is_closed_from_its_rim(
    perception: Perception, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = torch.zeros(0, dtype=torch.long)
    monkeypatch.setattr("f4x_ros.core.edit.shown.guessed", lambda kept, *_: some_of(kept, nothing))
    assert perception.edit("remove the red thing").done
    was = WORLD.mask(FRAMES - 1, "red")
    view = perception.render(*perception.viewpoint(), layer="edited")
    assert np.abs(view.color[was].astype(int) - 128).mean() < 25
    assert view.alpha[was].min() > 0.5
    assert np.abs(view.depth[was] - 2.0).mean() < 0.1
    assert perception.editor.edited().guessed.any()


def test_what_no_edit_is_about_is_the_same_to_the_bit_and_undo_restores(
    perception: Perception,
) -> None:
    measured = perception.editor.measured()
    perception.edit("remove the red thing")
    made = perception.editor.edited()
    kept = untouched_rows(made, measured)
    gone = torch.ones(len(measured), dtype=torch.bool)
    gone[kept] = False
    red = measured.colors[gone]
    assert gone.sum() > 20
    assert (red[:, 0] > red[:, 2] + 0.1).float().mean() > 0.95
    perception.edit("make the blue thing green")
    untouched_rows(perception.editor.edited(), measured)
    assert same(measured, perception.editor.measured())
    last = perception.undo()
    assert last is not None
    assert last.kind == "recolor"
    assert same(made.snapshot, perception.editor.edited().snapshot)
    assert perception.edit("undo").done
    assert same(measured, perception.editor.edited().snapshot)
    assert perception.undo() is None
    assert perception.edits == ()


@pytest.mark.parametrize(
    "text, place",
    [
        ("move the red thing 20 cm along +x", (-0.2, 0.0, 1.6)),
        ("move the red thing 20 cm to the right", (-0.2, 0.0, 1.6)),
        ("shift the red thing 0.1 m along -y", (-0.4, -0.1, 1.6)),
    ],
)
def test_what_is_moved_is_where_it_would_be(
    perception: Perception, text: str, place: tuple[float, float, float]
) -> None:
    truth = BoxWorld({"red": still(*place), "blue": WORLD.squares["blue"]})
    assert perception.edit(text).done
    found = perception.query("red thing", layer="edited")
    assert iou(found.mask >= 0.5, truth.mask(FRAMES - 1, "red")) > 0.75
    assert found.tracks[0].position[:2] == pytest.approx(place[:2], abs=0.03)
    view = perception.render(*perception.viewpoint(), layer="edited")
    is_red = truth.mask(FRAMES - 1, "red")
    assert np.median(np.abs(view.depth[is_red] - place[2])) < 0.03


def test_a_copy_is_there_as_well(perception: Perception) -> None:
    assert perception.edit("copy the blue thing 0.4 m along -y").done
    truth = BoxWorld({**WORLD.squares, "green": still(0.4, -0.3, 1.5)})
    both = truth.mask(FRAMES - 1, "green") | truth.mask(FRAMES - 1, "blue")
    assert iou(perception.query("blue thing", layer="edited").mask >= 0.5, both) > 0.75


def test_a_new_color_is_the_one_that_was_asked_for(perception: Perception) -> None:
    assert perception.edit("paint the red thing green").done
    was = WORLD.mask(FRAMES - 1, "red")
    off = np.abs(picture(perception)[was].mean(0) - np.array(COLORS["green"]))
    assert off.max() < 30
    assert iou(perception.query("red thing").mask >= 0.5, was) > 0.75


def test_a_turn_and_a_scale_are_about_the_thing(perception: Perception) -> None:
    before = perception.query("red thing").tracks[0]
    assert perception.edit("make the red thing twice as large").done
    after = perception.query("red thing", layer="edited").tracks[0]
    assert after.size[:2] == pytest.approx(2 * before.size[:2], rel=0.15)
    perception.undo()
    assert perception.edit("turn the red thing by 90 degrees").done
    turned = perception.query("red thing", layer="edited").tracks[0]
    assert turned.position == pytest.approx(before.position, abs=0.03)


def test_edits_hold_in_their_order_and_their_span(perception: Perception) -> None:
    assert perception.edit("move the red thing 0.2 m along +x").done
    assert perception.edit("make it green").done
    assert perception.edit("remove the blue thing between 0.2 and 0.6 s").done
    assert [one.kind for one in perception.edits] == ["move", "recolor", "remove"]
    first = perception.span_ns[0]
    assert perception.query("blue thing", layer="edited").present
    assert not perception.query("blue thing", stamp_ns=first + 4 * STEP_NS, layer="edited").present
    assert perception.query("blue thing", stamp_ns=first + 8 * STEP_NS, layer="edited").present
    truth = BoxWorld({"red": still(-0.2, 0.0, 1.6)})
    is_red = truth.mask(FRAMES - 1, "red")
    assert picture(perception)[is_red].mean(0)[1] > picture(perception)[is_red].mean(0)[0]


def test_past_moments_are_edited_too(perception: Perception) -> None:
    assert perception.edit("remove the red thing").done
    stamp = perception.span_ns[0] + 3 * STEP_NS
    assert np.abs(picture(perception, "edited", stamp)[WORLD.mask(3, "red")] - 128).mean() < 20


def test_a_map_keeps_its_edits_and_an_older_file_has_none(
    perception: Perception, whole: Path, tmp_path: Path
) -> None:
    perception.edit("remove the red thing")
    perception.edit("move the blue thing 0.1 m along +x")
    made, path = perception.editor.edited(), tmp_path / "edited.f4x"
    perception.save(path)
    again = Perception.load(path)
    assert [one.about for one in again.edits] == [one.about for one in perception.edits]
    assert same(made.snapshot, again.editor.edited().snapshot)
    again.undo()
    again.undo()
    assert same(again.editor.edited().snapshot, Perception.load(whole).editor.measured())
    assert not any("edits/" in name for name in zipfile.ZipFile(whole).namelist())
    assert Perception.load(whole).edits == ()


def test_a_damaged_section_of_edits_is_named(perception: Perception, tmp_path: Path) -> None:
    perception.edit("remove the red thing")
    path, bad = tmp_path / "edited.f4x", tmp_path / "bad.f4x"
    perception.save(path)
    for change in ({"version": 99}, {"edits": [{}]}):
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(bad, "w") as new:
            for entry in old.namelist():
                data = old.read(entry)
                if entry == "edits/layer.npy":
                    start = len(data) - data[::-1].index(b"\n")  # after the header of the array
                    head = json.loads(data[start:]) | change
                    with new.open(entry, "w") as file:
                        text = np.frombuffer(json.dumps(head).encode(), np.uint8)
                        np.lib.format.write_array(file, text)
                else:
                    new.writestr(entry, data)
        with pytest.raises(CorruptError, match="'edits'"):
            Perception.load(bad)


def test_a_selection_survives_that_mapping_goes_on() -> None:
    perception = mapped(6)
    assert perception.edit("remove the red thing").done
    for index in range(6, 12):
        perception.process(WORLD(index))
    after = picture(perception)
    was = WORLD.mask(11, "red")
    assert np.abs(after[was] - 128).mean() < 25
    assert perception.query("red thing", layer="edited").presence is not Presence.PRESENT
    assert perception.query("red thing").present
    kept = perception.query("blue thing", layer="edited")
    assert iou(kept.mask >= 0.5, WORLD.mask(11, "blue")) > 0.8


def test_a_thing_that_moves_is_removed_wherever_it_was() -> None:
    world = BoxWorld({"red": still(-0.4, 0.0, 1.6), "blue": lambda i: (0.5 - 0.03 * i, 0.1, 1.5)})
    perception = mapped(20, world)
    assert perception.edit("remove the blue thing").done
    for index in (4, 10, 19):
        stamp = 0 if index == 19 else perception.span_ns[0] + index * STEP_NS
        left = picture(perception, "edited", stamp)[world.mask(index, "blue")]
        blue = left[:, 2] - left[:, 0] > 60
        assert blue.mean() < 0.2, index


def test_splats_go_out_and_come_in(perception: Perception, tmp_path: Path) -> None:
    file = tmp_path / "Red.ply"
    result = perception.edit(f"extract the red thing to {file}")
    assert result.done, result.message
    assert perception.edits == ()
    assert perception.edit(f"insert {file} at (0.0, -0.2, 1.5)").done
    truth = BoxWorld({"red": still(0.0, -0.2, 1.5)}).mask(FRAMES - 1, "red")
    made = perception.editor.edited()
    out = made.snapshot.render(
        made.touched.float()[:, None], CAMERA, perception.viewpoint()[1], perception.backend
    )
    assert iou((out.image[..., 0] >= 0.5).numpy(), truth) > 0.75
    empty = tmp_path / "none.ply"
    empty.write_bytes(b"ply\nformat ascii 1.0\nend_header\n")
    with pytest.raises(CorruptError, match="expected format binary_little_endian"):
        perception.edit(f"insert {empty} at (0, 0, 1)")


def test_a_thing_is_extracted_as_a_map_of_its_own(perception: Perception, tmp_path: Path) -> None:
    file = tmp_path / "red.f4x"
    assert perception.edit("move the red thing 20 cm along +x").done
    result = perception.edit(f"extract the red thing to {file}")
    assert result.done, result.message
    alone = Perception.load(file)
    truth = BoxWorld({"red": still(-0.2, 0.0, 1.6)}).mask(FRAMES - 1, "red")
    camera, pose = perception.viewpoint()
    for stamp in (0, perception.span_ns[0] + 2 * STEP_NS):
        view = alone.render(camera, pose, stamp)
        assert iou(view.alpha >= 0.5, truth) > 0.75
    found = alone.query("red thing")
    assert found.present
    assert iou(found.mask >= 0.5, truth) > 0.75
    assert alone.prompts == ("red thing",)
    assert perception.edit(f"insert {file} at (0.0, -0.3, 1.5)").done


def test_clicks_and_boxes_select(perception: Perception) -> None:
    rows, columns = np.nonzero(WORLD.mask(FRAMES - 1, "red"))
    click = [[columns.mean() + 0.5, rows.mean() + 0.5]]
    for chosen in (
        perception.editor.select(points=click),
        perception.editor.select(low=(-0.6, -0.2, 1.5), high=(-0.2, 0.2, 1.7)),
        perception.editor.select(words="red thing"),
    ):
        assert perception.edit(Edit("remove", chosen.region)).done
        left = picture(perception)[WORLD.mask(FRAMES - 1, "red")]
        assert np.abs(left - 128).mean() < 20
        perception.undo()
    with pytest.raises(BadInputError, match="nothing is selected"):
        perception.editor.select(low=(5, 5, 5), high=(6, 6, 6))
    with pytest.raises(BadInputError, match="expected one of words"):
        perception.editor.select()


def test_what_cannot_be_done_changes_nothing(perception: Perception) -> None:
    for text, outcome in (
        ("remove the green thing", "not present"),
        ("fly to the moon", "not understood"),
        ("remove it", "not understood"),
        ("make the red thing invisible", "not understood"),
        ("move the red thing 5 km up", "not understood"),
    ):
        result = perception.edit(text)
        assert (result.outcome, perception.edits) == (outcome, ()), result.message
    assert perception.edit("undo").message == "nothing was edited, so nothing is undone"
    with pytest.raises(NotReadyError):
        Perception(QUICK).edit("remove the red thing")
    with pytest.raises(BadInputError, match="layer is 'other'"):
        perception.query("red thing", layer="other")


def test_a_layer_has_so_many_edits(perception: Perception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f4x_ros.core.edit.shown.MAX_EDITS", 1)
    assert perception.edit("paint the red thing green").done
    refused = perception.edit("remove the blue thing")
    assert not refused.done
    assert "there are 1 edits, expected at most 1: undo some" in refused.message
    assert len(perception.edits) == 1
    perception.undo()
    assert perception.edit("remove the blue thing").done


def test_an_edit_is_checked() -> None:
    with pytest.raises(BadInputError, match="kind of edit is 'paint'"):
        Edit("paint")
    with pytest.raises(BadInputError, match="without a region"):
        Edit("remove")
    rows = {"means": np.zeros((1, 3), np.float32)}
    shear = np.eye(4)
    shear[0, 1] = 0.5
    with pytest.raises(BadInputError, match="no turn and shift of scale 1"):
        Edit("insert", rows=rows, transform=shear)
    with pytest.raises(BadInputError, match="end after its begin"):
        Edit("insert", rows=rows, since_s=2.0, until_s=1.0)


def test_a_similarity_about_a_point_keeps_the_point() -> None:
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    T = about((1.0, 2, 3), quarter, 2.0, (0.0, 0, 0.5))
    assert pytest.approx([1, 2, 3.5, 1]) == T @ [1, 2, 3, 1]
    assert pytest.approx([1, 4, 3.5, 1]) == T @ [2, 2, 3, 1]
