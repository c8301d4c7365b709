# SPDX-License-Identifier: Apache-2.0
"""The named scenes: furnished without collisions, in view, in motion of every kind, and true."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from scipy import ndimage
from sim_solids import FLAT, Solid, collisions, meet, solid

from f4x_ros.core.data.poses import inverse
from f4x_ros.sim import World, WorldTruth
from f4x_ros.sim.carrying import Carried
from f4x_ros.sim.motion import Bounce, Drive, Slide, Swing, Turn
from f4x_ros.sim.raycast import trace
from f4x_ros.sim.routes import Rolling, Route, Shuttle
from f4x_ros.sim.scene import Scene, Thing, build_scene
from f4x_ros.sim.scenes import SCENES
from f4x_ros.sim.sheet import write_sheet
from f4x_ros.sim.walking import Walker

NAMED = ("tabletop", "livingroom", "corridor", "warehouse", "crowd")
ALL = (*NAMED, "random")
TIMES = [float(k) for k in range(30)]


@cache
def scene_of(name: str, seed: int) -> Scene:
    return build_scene(SCENES[name](seed))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    folder: Path = tmp_path_factory.mktemp("worlds")
    return {name: World(width=160, frames=900, scene=name, cache=folder) for name in ALL}


def view(world: World, index: int) -> WorldTruth:
    return world.view(index, world.camera_pose(index))[1]


def movers(scene: Scene) -> list:
    return [made for made in scene.objects if made.label.moving]


# --- what there is -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_a_scene_is_the_same_for_the_same_seed_and_another_for_another(name: str) -> None:
    first, again, other = (build_scene(SCENES[name](seed)) for seed in (3, 3, 4))
    assert [made.label for made in first.objects] == [made.label for made in again.objects]
    assert [made.label for made in first.objects] != [made.label for made in other.objects]
    for a, b in zip(first.objects, again.objects, strict=True):
        assert np.array_equal(a.pose(2.3), b.pose(2.3))
    assert np.array_equal(first.spec.camera(1.7), again.spec.camera(1.7))


def test_the_same_seed_gives_the_same_bytes(worlds: dict[str, World]) -> None:
    again = World(width=160, frames=900, scene="crowd", cache=worlds["crowd"].cache.folder.parent)
    pose = again.camera_pose(33)
    first, second = worlds["crowd"].view(33, pose), again.view(33, pose)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1].depth, second[1].depth)


def test_the_named_scenes_have_at_least_25_classes_and_instances_that_differ() -> None:
    things = [thing for name in NAMED for thing in SCENES[name](0).things]
    assert len({thing.cls for thing in things}) >= 25
    mugs = [thing for thing in SCENES["tabletop"](0).things if thing.cls == "mug"]
    assert len(mugs) >= 3
    assert len({mug.color for mug in mugs}) >= 3
    assert len({tuple(mug.size.values()) for mug in mugs}) >= 3
    crowd = Counter(thing.cls for thing in SCENES["crowd"](0).things)
    assert crowd["person"] >= 4


@pytest.mark.parametrize("seed", range(5))
def test_a_random_room_has_10_to_30_things_and_1_to_4_movers(seed: int) -> None:
    things = SCENES["random"](seed).things
    assert 10 <= len(things) <= 30
    assert 1 <= sum(thing.motion is not None and thing.cls != "globe" for thing in things) <= 4


def test_twelve_things_move_in_the_crowd() -> None:
    assert len(movers(scene_of("crowd", 0))) == 12


def kinds_of(thing: Thing) -> set[str]:
    """Names of the kinds of motion that a thing shows."""
    motion, kinds = thing.motion, set()
    if isinstance(motion, Route):
        kinds.add("stop and go" if motion.stops else "path")
    if isinstance(motion, Drive | Bounce | Rolling):
        kinds.add("path")
    if isinstance(motion, Turn):
        kinds.add("turning in place")
    if isinstance(motion, Carried):
        kinds.add("carried")
    if isinstance(motion, Swing) or (isinstance(motion, Slide) and thing.within):
        kinds.add("articulated")
    if isinstance(motion, Walker):
        kinds.add("walking" if isinstance(motion.way, Route | Shuttle) else "standing")
    if thing.life:
        kinds.add("comes and goes")
    if thing.links and not isinstance(motion, Walker):
        kinds.add("link of a vehicle")
    return kinds


def test_all_kinds_of_motion_are_there() -> None:
    kinds = {kind for name in NAMED for thing in SCENES[name](0).things for kind in kinds_of(thing)}
    assert kinds >= {
        "path", "turning in place", "stop and go", "carried", "comes and goes", "articulated",
        "walking", "link of a vehicle",
    }  # fmt: skip


# --- where it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(5))
def test_nothing_stands_in_anything_else(name: str, seed: int) -> None:
    held = {"box", "mug"}  # in hands
    found = [
        (a, b)
        for _, a, b in collisions(scene_of(name, seed), [0.0], movers_only=False)
        if not ("person" in a + b and held & {*a.split(), *b.split()})
    ]
    assert found == []


def test_a_collision_would_be_noticed() -> None:
    scene = scene_of("tabletop", 0)
    mug, bowl = (solid(next(m for m in scene.objects if m.label.cls == cls), 0.0)
                 for cls in ("mug", "bowl"))  # fmt: skip
    assert not meet(mug, bowl)
    shift = (bowl.box.mean(0) - mug.box.mean(0))[:2] + 0.03
    moved = [piece._replace(outline=piece.outline + shift) for piece in mug.prisms]
    assert meet(Solid("mug", bowl.box, moved), bowl)


@pytest.mark.parametrize("name", ALL)
def test_movers_run_into_nothing_for_30_seconds(name: str) -> None:
    found = [
        (t, a, b)
        for t, a, b in collisions(scene_of(name, 0), TIMES, movers_only=True)
        if not ("person" in a + b and {"box", "mug"} & {*a.split(), *b.split()})
    ]
    assert found == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(3))
def test_everything_stays_inside_the_room(name: str, seed: int) -> None:
    scene = scene_of(name, seed)
    x, y, z = scene.spec.room.size
    low, high = np.array([-x / 2, -y / 2, -0.012]), np.array([x / 2, y / 2, z])
    for made in scene.objects:
        if made.label.cls in FLAT:
            continue
        slack = 0.07 if made.label.cls == "door" else 0.003  # a door's handle at its back
        for t in TIMES[:: 1 if made.label.moving else 60]:
            pose = made.pose(t)
            corners = made.mesh_at(t).vertices @ pose[:3, :3].T + pose[:3, 3]
            assert (corners > low - slack).all(), (made.label.name, t)
            assert (corners < high + slack).all(), (made.label.name, t)


@pytest.mark.parametrize("name", ALL)
def test_what_rests_stands_on_something(name: str) -> None:
    """The lowest point of each thing is on the floor, on a surface, or on the wall."""
    scene = scene_of(name, 1)
    solids = {made.label.name: solid(made, 0.0, 0.0) for made in scene.objects}
    tops = [0.0, 0.012, *(piece.high for of in solids.values() for piece in of.prisms)]
    for thing in scene.spec.things:
        if thing.cls in (*FLAT, "drawer") or thing.motion is not None:
            continue
        low = solids[str(thing.name)].box[0, 2]
        assert min(abs(low - top) for top in tops) < 0.012, thing.name


# --- what the camera sees ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED)
def test_movers_are_in_view_and_the_camera_is_in_nothing(
    name: str, worlds: dict[str, World]
) -> None:
    world = worlds[name]
    frames = range(0, 150, 10)
    truths = [view(world, index) for index in frames]
    for number, label in world.labels.items():
        if label.moving:
            seen = np.mean([truth.visibility.get(number, 0.0) > 0.3 for truth in truths])
            assert seen > 0.4, (label.name, seen)
    assert min(truth.depth.min() for truth in truths) > 0.15


@pytest.mark.parametrize("name", ALL)
def test_the_camera_keeps_clear_of_everything_for_900_frames(name: str) -> None:
    world = World(width=24, frames=900, seed=1, scene=name)
    nearest = min(float(view(world, index).depth.min()) for index in range(0, 900, 30))
    assert nearest > 0.15


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(2))
def test_pictures_are_well_exposed(name: str, seed: int) -> None:
    world = World(width=64, frames=150, seed=seed, scene=name)
    for index in (0, 149):
        rgb = world.view(index, world.camera_pose(index))[0]
        assert 0.25 < rgb.mean() / 255 < 0.65
        assert (rgb == 255).all(-1).mean() < 0.03


def test_a_contact_sheet_has_three_rows_and_marks_what_moves(tmp_path: Path) -> None:
    world = World(width=96, frames=20, scene="crowd", cache=tmp_path)
    write_sheet(world, tmp_path / "sheet.png", columns=2)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1].astype(int)
    assert sheet.shape == (3 * 72, 2 * 96, 3)
    yellow = (sheet[..., 0] > 200) & (sheet[..., 1] > 200) & (sheet[..., 2] < 90)
    assert yellow[144:].sum() > 100


# --- that it is true -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED)
def test_a_mesh_carried_by_its_pose_reproduces_the_mask_within_a_pixel(
    name: str, worlds: dict[str, World]
) -> None:
    world, index = worlds[name], 61
    truth, camera = view(world, index), world.camera
    T = truth.T_map_camera
    rays = camera.pixel_rays().reshape(-1, 3) @ T[:3, :3].T
    origins = np.broadcast_to(T[:3, 3], rays.shape)
    checked = set()
    for number, label in world.labels.items():
        mask = truth.instances == number
        if mask.sum() < 30:
            continue
        pose, mesh = truth.T_map_object[number], world.mesh(number, index)
        alone = EmbreeScene()
        vertices = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
        TriangleMesh(alone, np.asarray(vertices, np.float32), mesh.faces)
        hits = trace(alone, origins, rays)
        depth = np.where(hits.found, hits.distance, np.inf).reshape(mask.shape)
        expected = depth < truth.depth + 1e-3
        grown = [ndimage.binary_dilation(of, np.ones((3, 3))) for of in (mask, expected)]
        assert grown[0][expected].mean() > 0.995, label.name
        assert grown[1][mask].all(), label.name
        checked.add(label.cls)
    assert len(checked) >= 8
    assert "person" in checked


@pytest.mark.parametrize("name", NAMED)
def test_velocity_is_the_rate_of_the_pose(name: str, worlds: dict[str, World]) -> None:
    scene, h = worlds[name].scene, 1e-4
    truth = view(worlds[name], 48)
    t = 48 / 30
    for made in movers(scene):
        number = made.label.id
        before, after = (made.pose(t + s) for s in (-h, h))
        center = np.array([*made.label.center, 1.0])
        rate = ((after - before) @ center)[:3] / (2 * h)
        assert truth.velocity[number] == pytest.approx(rate, abs=0.01), made.label.name
        spin = after[:3, :3] @ before[:3, :3].T
        turned = np.arccos(np.clip((np.trace(spin) - 1) / 2, -1, 1)) / (2 * h)
        assert np.linalg.norm(truth.angular_velocity[number]) == pytest.approx(turned, abs=0.05)


@pytest.mark.parametrize("name", NAMED)
def test_speeds_are_those_of_everyday_things(name: str) -> None:
    limits = {"person": 1.3, "robot vacuum": 0.4, "toy car": 0.7, "forklift": 1.0, "robot": 0.8,
              "door": 0.01, "drawer": 0.6, "mug": 1.2, "box": 2.6}  # fmt: skip
    for made in movers(scene_of(name, 0)):
        if made.label.cls in limits:
            steps = np.diff([made.pose(t)[:2, 3] for t in np.arange(0, 12, 0.02)], axis=0)
            fastest = np.linalg.norm(steps, axis=1).max() / 0.02
            assert fastest <= limits[made.label.cls] + 1e-6, made.label.name


@pytest.mark.parametrize("name", NAMED)
def test_static_depth_agrees_between_frames_within_two_millimetres(
    name: str, worlds: dict[str, World]
) -> None:
    world = worlds[name]
    a, b = view(world, 10), view(world, 16)
    still = [n for n, label in world.labels.items() if not label.moving]
    points = world.camera.unproject(a.depth)[np.isin(a.instances, still)]
    T = inverse(b.T_map_camera) @ a.T_map_camera
    in_b = points @ T[:3, :3].T + T[:3, 3]
    pixels = world.camera.project(in_b)
    size = np.array([world.camera.width, world.camera.height])
    inside = ((pixels > 1) & (pixels < size - 1)).all(1)
    u, v = pixels[inside].T
    seen = 1 / ndimage.map_coordinates(1 / b.depth, [v - 0.5, u - 0.5], order=1)
    off = in_b[inside, 2] - seen
    assert inside.mean() > 0.4
    assert np.median(np.abs(off)) < 1e-3
    assert (np.abs(off) < 2e-3).mean() > 0.7  # the rest lies at edges or is hidden
