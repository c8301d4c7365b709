# SPDX-License-Identifier: Apache-2.0
"""The demo world's ground truth is true."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import ndimage

from f4x_ros.core.data.poses import inverse
from f4x_ros.sim import World, WorldTruth
from f4x_ros.sim.shapes import CLASS_IDS


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(width=320, frames=150, cache=tmp_path_factory.mktemp("worlds")) as made:
        yield made


def static_pixels(world: World, truth: WorldTruth) -> np.ndarray:
    moving = [number for number, label in world.labels.items() if label.moving]
    return (truth.depth > 0) & ~np.isin(truth.instances, moving)


@pytest.mark.parametrize("first, second", [(10, 12), (60, 90)])
def test_static_depth_reprojected_into_another_frame_agrees(
    world: World, first: int, second: int
) -> None:
    a, b = world.truth(first), world.truth(second)
    points = world.camera.unproject(a.depth)[static_pixels(world, a)]
    T_b_a = inverse(b.T_map_camera) @ a.T_map_camera
    in_b = points @ T_b_a[:3, :3].T + T_b_a[:3, 3]
    pixels = world.camera.project(in_b)
    inside = (pixels > 1).all(1) & (pixels < [world.camera.width - 1, world.camera.height - 1]).all(
        1
    )
    u, v = pixels[inside].T
    # Depth at the exact place: 1 / depth is linear in the image on a plane.
    seen = 1 / ndimage.map_coordinates(1 / b.depth, [v - 0.5, u - 0.5], order=1)
    behind = in_b[inside, 2] - seen
    assert inside.mean() > 0.5
    assert np.median(np.abs(behind)) < 1e-3
    # A point may be hidden behind something else, but none floats in front of what is seen there
    # (but for the mixed depth at edges).
    assert (behind < -0.003).mean() < 0.05
    assert (behind < 0.003).mean() > 0.7


@pytest.mark.parametrize("index", [0, 75])
def test_vertices_carried_by_the_object_pose_land_on_the_object_mask(
    world: World, index: int
) -> None:
    truth = world.truth(index)
    grown = {n: ndimage.binary_dilation(truth.instances == n, iterations=1) for n in world.labels}
    checked = 0
    for number, label in world.labels.items():
        vertices = world.mesh(number).vertices
        T = inverse(truth.T_map_camera) @ truth.T_map_object[number]
        points = vertices @ T[:3, :3].T + T[:3, 3]
        pixels = world.camera.project(points)
        size = [world.camera.width, world.camera.height]
        inside = np.flatnonzero((pixels > 0).all(1) & (pixels < size).all(1))
        x, y = np.floor(pixels[inside]).astype(int).T
        # A vertex is visible if nothing lies in front of it.
        visible = points[inside, 2] < truth.depth[y, x] + 0.004
        if visible.sum() < 20:
            continue
        on_mask = grown[number][y[visible], x[visible]]
        assert on_mask.mean() > 0.9, label.name  # a leaf's tip is thinner than a pixel
        checked += 1
    assert checked >= 10


def test_depth_and_instances_come_from_the_pixel_centre(world: World) -> None:
    """The floor's depth is known in closed form; half a pixel of error would show."""
    truth = world.truth(20)
    floor = truth.instances == 1
    rays = world.camera.pixel_rays() @ truth.T_map_camera[:3, :3].T
    expected = -truth.T_map_camera[2, 3] / rays[..., 2]
    assert floor.sum() > 100
    assert np.abs(expected - truth.depth)[floor].max() < 1e-4


def test_velocity_is_the_rate_of_the_object_pose(world: World) -> None:
    before, truth, after = (world.truth(i) for i in (49, 50, 51))
    for number, label in world.labels.items():
        rate = (after.T_map_object[number] - before.T_map_object[number])[:3, 3] * 15
        assert truth.velocity[number] == pytest.approx(rate, abs=0.02), label.name
        spin = after.T_map_object[number][:3, :3] @ before.T_map_object[number][:3, :3].T
        angle = np.arccos(np.clip((np.trace(spin) - 1) / 2, -1, 1)) * 15
        assert np.linalg.norm(truth.angular_velocity[number]) == pytest.approx(angle, abs=0.05)


def test_moving_flag_tells_when_the_car_waits_and_when_it_drives(world: World) -> None:
    number = next(n for n, label in world.labels.items() if label.cls == "toy car")
    assert not world.truth(5).moving[number]
    assert world.truth(60).moving[number]
    assert world.labels[number].moving


def test_at_least_two_things_move_and_the_rest_never_does(world: World) -> None:
    start, later = world.truth(0), world.truth(100)
    moved = {
        number
        for number in world.labels
        if not np.array_equal(start.T_map_object[number], later.T_map_object[number])
    }
    assert moved == {number for number, label in world.labels.items() if label.moving}
    assert len(moved) >= 2


def test_instance_ids_name_the_same_thing_in_every_frame_size_and_variant(
    world: World, tmp_path: object
) -> None:
    other = World(width=64, frames=2, seed=5, cache=world.cache.folder.parent)
    assert other.labels == world.labels
    assert other.scene is not world.scene


def test_class_image_follows_the_instance_image(world: World) -> None:
    truth = world.truth(100)
    for number in np.unique(truth.instances):
        cls = world.labels[int(number)].cls
        assert (truth.classes[truth.instances == number] == CLASS_IDS[cls]).all()
        assert world.class_names[CLASS_IDS[cls]] == cls


def test_the_room_is_closed_so_that_every_pixel_has_depth(world: World) -> None:
    for index in (0, 75, 149):
        assert (world.truth(index).depth > 0.3).all()


def test_frames_carry_the_truth_and_stamps_at_30_hz(world: World) -> None:
    frame, truth = world[75], world.truth(75)
    assert np.array_equal(frame.depth, truth.depth)
    assert np.array_equal(frame.T_map_camera, truth.T_map_camera)
    assert frame.stamp_ns == truth.stamp_ns == world.stamps_ns[75]
    assert world.stamps_ns[0] == 1_700_000_000_000_000_000
    assert world.stamps_ns[30] - world.stamps_ns[0] == 1_000_000_000


def test_the_camera_walks_upright_through_the_room(world: World) -> None:
    poses = np.stack([world.scene.spec.camera(i / 30) for i in range(150)])
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    assert steps.sum() > 1.5
    assert steps.max() < 0.04  # a walk, not a jump
    assert (poses[:, 2, 1] < -0.8).all()  # the image's down is the map's -z
    assert np.linalg.det(poses[:, :3, :3]) == pytest.approx(np.ones(150))
