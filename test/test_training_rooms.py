# SPDX-License-Identifier: Apache-2.0
"""Rooms to learn from: the same for a seed, full of everything, drawn and stored truly."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from f4x_ros.sim.raycast import Raycaster
from f4x_ros.sim.scene import Scene, build_scene
from f4x_ros.sim.shapes import CLASSES

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `training` is not installed

from training import generate
from training.rooms import training_room
from training.store import is_stored, read_rooms, room_folder
from training.views import HEIGHT, WIDTH, RoomCaster, camera_of, views_of


@pytest.fixture(scope="module")
def scene() -> Scene:
    return build_scene(training_room(3))


def test_a_seed_makes_the_same_room_and_views(scene: Scene) -> None:
    again = build_scene(training_room(3))
    assert [made.label for made in again.objects] == [made.label for made in scene.objects]
    first, second = (next(views_of(s, 1, np.random.default_rng(5))) for s in (scene, again))
    np.testing.assert_array_equal(first.rgb, second.rgb)
    assert [m.label.name for m in build_scene(training_room(4)).objects] != [
        made.label.name for made in scene.objects
    ]


def test_some_rooms_have_every_class_in_many_looks() -> None:
    things = [thing for seed in range(14) for thing in training_room(seed).things]
    counts = {cls: sum(thing.cls == cls for thing in things) for cls in CLASSES}
    missing = [cls for cls, about in CLASSES.items() if about.build and not counts[cls]]
    assert not missing
    small = [n for cls, n in counts.items() if CLASSES[cls].where == "table" and n]
    assert max(small) <= 4 * min(small)  # balanced, up to what found no place
    for thing in things:
        spans = CLASSES[thing.cls].sizes
        for name in thing.size.keys() & spans.keys():
            low, high = spans[name]
            assert low - 0.5 <= thing.size[name] <= high + 0.5  # numbers of drawers are rounded
        assert thing.color in (CLASSES[thing.cls].colors or (thing.color,))


def test_nothing_stands_outside_the_room(scene: Scene) -> None:
    x, y, z = scene.spec.room.size
    for made in scene.objects[3:]:
        vertices = made.mesh_at(0.0).vertices @ made.pose(0.0)[:3, :3].T + made.pose(0.0)[:3, 3]
        low, high = vertices.min(0), vertices.max(0)
        assert (low >= (-x / 2 - 0.01, -y / 2 - 0.01, -0.02)).all(), made.label.name
        assert (high <= (x / 2 + 0.01, y / 2 + 0.01, z + 0.6)).all(), made.label.name


def test_views_are_inside_and_show_things(scene: Scene) -> None:
    x, y, z = scene.spec.room.size
    views = list(views_of(scene, 3, np.random.default_rng(0)))
    assert len(views) == 3
    for view in views:
        eye = view.T_map_camera[:3, 3]
        assert (np.abs(eye[:2]) < (x / 2, y / 2)).all()
        assert 0 < eye[2] < z
        assert view.rgb.shape == (HEIGHT, WIDTH, 3)
        assert (np.unique(view.instances) > 3).sum() >= 2
        assert view.rgb.std() > 5


def test_the_picture_is_what_the_worlds_draw(scene: Scene) -> None:
    view = next(views_of(scene, 1, np.random.default_rng(1)))
    camera = camera_of(view.focal_px)
    drawing = Raycaster(scene).draw(camera, view.T_map_camera, 0.0, 7)
    rgb, ids, depth = RoomCaster(scene).picture(camera, view.T_map_camera, 0.0, 7)
    np.testing.assert_array_equal(rgb, drawing.rgb)
    np.testing.assert_array_equal(ids, drawing.instances)
    np.testing.assert_array_equal(depth, drawing.depth)


def test_rooms_come_back_from_disk(tmp_path: Path) -> None:
    jobs = [generate.Job(tmp_path, "room", 1, 2), generate.Job(tmp_path, "world", 2, 2)]
    assert list(generate.draw_rooms(jobs, 1)) == [2, 2]
    assert list(generate.draw_rooms(jobs, 1)) == [0, 0]  # not drawn again
    assert is_stored(room_folder(tmp_path, "room", 1))
    rooms = read_rooms([tmp_path])
    assert [room.folder.name for room in rooms] == ["room_0000001", "world_0000002"]
    made = build_scene(training_room(1))
    assert {n: label.name for n, label in rooms[0].labels.items()} == {
        m.label.id: m.label.name for m in made.objects
    }
    view = next(views_of(made, 1, np.random.default_rng([1, *b"room"])))
    np.testing.assert_array_equal(rooms[0].instances(0), view.instances)
    error = np.abs(rooms[0].rgb(0).astype(float) - view.rgb).mean()
    assert error < 4  # JPEG


def test_damaged_and_missing_rooms_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no rooms in"):
        read_rooms([tmp_path])
    folder = tmp_path / "room_1"
    folder.mkdir()
    (folder / "labels.json").write_text('{"objects": [{"id": 1, "cls": "unheard"}]}')
    with pytest.raises(ValueError, match="room_1"):
        read_rooms([tmp_path])


@pytest.mark.parametrize("worlds", ["8990:9001", "9000:9001", "5", "7:3"])
def test_seeds_of_tests_are_never_drawn(worlds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", "/nowhere", "--worlds", worlds])
    with pytest.raises(SystemExit) as stopped:
        generate.main()
    assert stopped.value.code == 2
