# SPDX-License-Identifier: Apache-2.0
"""Meshes, textures, motions and the description of rooms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from f4x_ros.sim.materials import PALETTE, linear
from f4x_ros.sim.mesh import (
    Mesh,
    box,
    corner_normals,
    cylinder,
    merged,
    rotation,
    rounded_box,
    sphere,
    transformed,
    tube,
)
from f4x_ros.sim.motion import Bounce, Drive, Turn, look_at, velocity_of
from f4x_ros.sim.noise import cell_random, fractal_noise
from f4x_ros.sim.scene import Thing, build_scene
from f4x_ros.sim.scenes.demo_room import demo_room
from f4x_ros.sim.shapes import CLASSES

LENGTHS = st.floats(0.05, 2.0)


def volume(mesh: Mesh) -> float:
    """Signed volume; positive if all faces of a closed mesh look outwards."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(float) for k in range(3))
    return float(np.einsum("ni,ni->n", a, np.cross(b, c)).sum() / 6)


@given(LENGTHS, LENGTHS, LENGTHS)
def test_box_holds_its_volume_and_looks_outwards(x: float, y: float, z: float) -> None:
    assert volume(box((x, y, z), (3, -1, 2))) == pytest.approx(x * y * z, rel=1e-3)


@given(LENGTHS, LENGTHS)
def test_round_solids_hold_nearly_their_volume(radius: float, height: float) -> None:
    assert volume(cylinder(radius, height, sides=64)) == pytest.approx(
        np.pi * radius**2 * height, rel=0.01
    )
    assert volume(sphere(radius, sides=64, rings=40)) == pytest.approx(
        4 / 3 * np.pi * radius**3, rel=0.01
    )


@given(LENGTHS, st.floats(0.01, 0.15))
def test_rounded_box_lies_within_the_box_and_loses_only_its_edges(
    size: float, share: float
) -> None:
    mesh = rounded_box((size, size, size), bevel=share * size)
    assert np.abs(mesh.vertices).max() == pytest.approx(size / 2, rel=1e-4)
    assert 0.5 * size**3 < volume(mesh) < size**3


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_tube_is_a_closed_cylinder_in_any_direction(axis: str) -> None:
    direction = np.eye(3)["xyz".index(axis)]
    mesh = tube(np.outer([0, 0.5, 1.0], direction), 0.1, sides=64)
    assert volume(mesh) == pytest.approx(np.pi * 0.01, rel=0.01)


def test_merged_and_transformed_meshes_keep_their_volume() -> None:
    turned = transformed(box((1, 2, 3)), rotation("y", 0.7), (5, 0, 0))
    assert volume(merged([turned, box((1, 1, 1))])) == pytest.approx(7, rel=1e-4)


def test_corner_normals_are_round_on_a_sphere_and_sharp_on_a_box() -> None:
    ball = sphere(1.0, sides=48, rings=24)
    outward = ball.vertices[ball.faces]
    assert np.abs(corner_normals(ball) - outward).max() < 0.05
    cube = box((1, 1, 1))
    normals = corner_normals(cube)
    assert np.sort(np.abs(normals), axis=-1)[..., :2].max() < 1e-6  # along the axes only


@pytest.mark.parametrize("name", [name for name, made in CLASSES.items() if made.build])
def test_each_class_builds_sound_meshes_in_centimetres_to_metres(name: str) -> None:
    parts = CLASSES[name].build()  # type: ignore[misc]
    mesh = merged([part.mesh for part in parts])
    extent = np.ptp(mesh.vertices, axis=0)
    assert 0.05 < extent.max() < 2.5
    assert np.isfinite(mesh.vertices).all()
    assert mesh.faces.min() >= 0
    assert mesh.faces.max() < len(mesh.vertices)
    for part in parts:
        lengths = np.linalg.norm(corner_normals(part.mesh), axis=-1)
        assert lengths == pytest.approx(np.ones_like(lengths), abs=1e-5)
    # Standing things stand on the ground; a ball, a picture and a window have their origin inside.
    if name not in ("ball", "picture", "window"):
        assert mesh.vertices[:, 2].min() == pytest.approx(0, abs=0.02)


@given(st.integers(-500, 500), st.integers(-500, 500))
def test_noise_is_bounded_periodic_and_repeatable(a: int, b: int) -> None:
    points = np.array([[a * 0.37, b * 0.11, 1.5]], np.float32)
    value = fractal_noise(points)
    assert 0 <= value[0] <= 1
    assert fractal_noise(points + np.float32(32)) == pytest.approx(value, abs=1e-3)
    cell = np.array([float(a)])
    assert 0 <= cell_random(cell, cell)[0] <= 1
    assert cell_random(cell, cell) == cell_random(cell, cell)


def test_noise_varies() -> None:
    points = np.random.default_rng(0).uniform(0, 32, (2000, 3)).astype(np.float32)
    assert 0.08 < fractal_noise(points).std() < 0.3
    assert cell_random(np.arange(2000.0)).std() == pytest.approx(np.sqrt(1 / 12), rel=0.1)


def test_palette_is_linearised_as_srgb() -> None:
    assert linear((0, 0.5, 1)) == pytest.approx((0, 0.21404, 1), abs=1e-4)
    assert all(0 <= channel <= 1 for color in PALETTE.values() for channel in color)


@given(st.floats(0, 30))
def test_drive_points_along_its_velocity(t: float) -> None:
    drive = Drive((0.3, 0.2), 8.0, 0.4, wait_s=1.0)
    velocity, _ = velocity_of(drive, t)
    if np.linalg.norm(velocity) > 1e-3:
        heading = drive(t)[:3, 0]
        assert heading @ velocity == pytest.approx(np.linalg.norm(velocity), rel=1e-3)
    assert (np.linalg.norm(velocity) > 0) == (t > 1.0 - 1e-3) or t < 1.002


@given(st.floats(0, 30))
def test_bounce_never_sinks_into_the_table_and_stays_on_its_way(t: float) -> None:
    bounce = Bounce((0.4, 0, 0), 5.0, hop_s=0.8, hop_m=0.2, radius_m=0.05)
    x, y, z = bounce(t)[:3, 3]
    assert 0.05 - 1e-9 <= z <= 0.25 + 1e-9
    assert -1e-9 <= x <= 0.4 + 1e-9
    assert y == 0


def test_turn_has_the_rate_it_was_given() -> None:
    velocity, angular = velocity_of(Turn(0.9), 2.0)
    assert velocity == pytest.approx([0, 0, 0])
    assert angular == pytest.approx([0, 0, 0.9], abs=1e-5)


def test_look_at_puts_the_target_on_the_optical_axis() -> None:
    pose = look_at((1, 2, 1.5), (0, 0, 0.5))
    target = np.linalg.inv(pose) @ [0, 0, 0.5, 1]
    assert target[:2] == pytest.approx([0, 0], abs=1e-12)
    assert target[2] == pytest.approx(np.sqrt(6))
    assert (np.linalg.inv(pose) @ [0, 0, 2.5, 1])[1] < 0  # up in the map is up in the image


def test_things_stand_on_what_they_are_put_on() -> None:
    scene = build_scene(demo_room())
    objects = {made.label.name: made for made in scene.objects}
    top = objects["brown table"].mesh.vertices[:, 2].max()
    mug = objects["red mug"]
    assert mug.pose(0)[2, 3] + mug.mesh.vertices[:, 2].min() == pytest.approx(top, abs=1e-6)


@pytest.mark.parametrize(
    "thing, message",
    [
        (Thing("unicorn", "white", 0, 0), "class 'unicorn'"),
        (Thing("mug", "red", 0, 0, on="cloud"), "stands on 'cloud'"),
        (Thing("mug", "red", 0, 0), "'red mug' is there twice"),
    ],
)
def test_a_thing_that_does_not_fit_is_named(thing: Thing, message: str) -> None:
    spec = demo_room()
    with pytest.raises(ValueError, match=message):
        build_scene(replace(spec, things=(*spec.things, thing)))
