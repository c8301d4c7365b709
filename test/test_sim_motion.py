# SPDX-License-Identifier: Apache-2.0
"""Ways, walking, carrying and cameras: smooth, at the speed that was asked for, and true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from f4x_ros.sim.camera_paths import HandheldWalk, RobotBase, Stare, WalkAround
from f4x_ros.sim.carrying import Carried, Errand, blend
from f4x_ros.sim.mesh import rotation
from f4x_ros.sim.motion import Motion, OpenAndShut, Slide, Swing, pose_from, upright, velocity_of
from f4x_ros.sim.routes import Rolling, Route, Shunt, Shuttle, Stop
from f4x_ros.sim.shapes import person_joints
from f4x_ros.sim.walking import Standing, Walker, two_bones

SQUARE = ((0.0, 0.0), (2.0, 0.0), (2.0, 1.5), (0.0, 1.5))
ROUTE = Route(SQUARE, 0.5, corner_m=0.25)
STOPPING = replace(ROUTE, stops=(Stop((1.0, 0.0), 1.5), Stop((1.0, 1.5), 0.5)))
SHUTTLE = Shuttle((-1.0, 0.3), (1.0, 0.3), 0.9, wait_s=1.2, turn_s=1.0)
PLAY = OpenAndShut(6.0, 0.5, 1.2, 1.0)
MUG = Carried(
    SHUTTLE,
    pose_from(np.eye(3), (0.4, 0.0, 1.0)),
    (upright(-1.5, 0.3, 0.8), upright(1.5, 0.3, 0.8)),
    (Errand(0.4, SHUTTLE.period_s / 2 + 1.0),),
    SHUTTLE.period_s,
)


def speed(motion: Motion, t: float) -> float:
    return float(np.linalg.norm(velocity_of(motion, t)[0]))


def test_a_route_without_stops_keeps_its_speed_and_its_corners_are_round() -> None:
    speeds = [speed(ROUTE, t) for t in np.linspace(0, 20, 200)]
    assert speeds == pytest.approx([0.5] * 200, rel=0.01)
    turning = [abs(velocity_of(ROUTE, t)[1][2]) for t in np.linspace(0, 20, 400)]
    assert 1.5 < max(turning) < 0.5 / 0.15  # no bend tighter than 15 cm


def test_a_route_stays_inside_its_polygon_and_looks_where_it_goes() -> None:
    for t in np.linspace(0, 2 * ROUTE.period_s, 300):
        pose = ROUTE(t)
        assert -1e-6 <= pose[0, 3] <= 2 + 1e-6
        assert -1e-6 <= pose[1, 3] <= 1.5 + 1e-6
        assert pose[:3, 0] @ velocity_of(ROUTE, t)[0] == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("stop", [0, 1])
def test_a_route_rests_at_its_stops_for_as_long_as_it_was_told(stop: int) -> None:
    arrival, (place, wait_s) = STOPPING.arrival_s(stop), STOPPING.stops[stop]
    for t in np.linspace(arrival + 0.01, arrival + wait_s - 0.01, 9):
        assert STOPPING(t)[:2, 3] == pytest.approx(place, abs=0.02)
        assert speed(STOPPING, t) < 1e-6
    assert speed(STOPPING, arrival - 0.2) > 0.01
    assert speed(STOPPING, arrival + wait_s + 0.2) > 0.01


@pytest.mark.parametrize("way", [ROUTE, STOPPING, SHUTTLE], ids=["route", "stops", "shuttle"])
def test_ways_repeat_without_a_jump_in_place_or_distance(way: Route | Shuttle) -> None:
    for t in (0.0, 0.7, 3.1):
        assert way(t + way.period_s) == pytest.approx(way(t), abs=1e-6)
    steps = np.diff([way.distance(t) for t in np.arange(0, 2.5 * way.period_s, 0.02)])
    assert (steps > -1e-9).all()
    assert steps.max() < way.speed * 0.021


def test_a_route_can_begin_where_one_wants_it() -> None:
    begun = STOPPING.starting_at((2.0, 0.8))
    assert begun(0.0)[:2, 3] == pytest.approx((2.0, 0.8), abs=0.03)
    assert begun(1.0) == pytest.approx(STOPPING(begun.start_s + 1.0))


def test_a_shuttle_waits_turns_in_place_and_goes_to_the_other_end() -> None:
    turning = SHUTTLE.wait_s + SHUTTLE.turn_s / 2
    assert speed(SHUTTLE, turning) < 1e-9
    assert abs(velocity_of(SHUTTLE, turning)[1][2]) > 3
    assert SHUTTLE(0.5)[:2, 0] == pytest.approx((-1, 0), abs=1e-9)  # its back to the other end
    assert SHUTTLE(SHUTTLE.period_s / 2)[:2, 3] == pytest.approx((1.0, 0.3))
    assert max(speed(SHUTTLE, t) for t in np.linspace(0, 9, 300)) == pytest.approx(0.9, rel=1e-3)


def test_a_rolling_ball_does_not_slip() -> None:
    ball = Rolling(ROUTE, 0.1)
    linear, angular = velocity_of(ball, 1.6)  # on a straight edge
    at_the_floor = linear + np.cross(angular, [0, 0, -0.1])
    assert np.linalg.norm(at_the_floor) < 0.02
    assert ball(1.6)[2, 3] == pytest.approx(0.1)


def test_doors_swing_and_drawers_slide_as_far_as_they_are_open() -> None:
    assert [PLAY(t) for t in (0.4, 1.7, 2.6, 3.95, 6.4)] == pytest.approx([0, 1, 1, 0, 0], abs=1e-3)
    half = PLAY(1.1)
    assert 0.4 < half < 0.6
    assert Slide((0, -0.3, 0), PLAY)(1.1)[1, 3] == pytest.approx(-0.3 * half)
    assert Swing(1.5, PLAY)(1.1)[:3, :3] == pytest.approx(rotation("z", 1.5 * half))
    assert velocity_of(Swing(1.5, PLAY), 2.2)[1] == pytest.approx(np.zeros(3), abs=1e-9)


@pytest.mark.parametrize("pace", [0.85, 1.1])
def test_a_walking_foot_on_the_floor_stays_where_it_is(pace: float) -> None:
    walker = Walker(replace(ROUTE, points=((0, 0), (9, 0), (9, 9), (0, 9)), speed=pace), 1.75)
    toe, step = np.array([0.0, 0, 0.0, 1.0]), 0.02
    slid = []
    for t in np.arange(2.0, 4.5, step):
        here, there = (walker(s) for s in (t, t + step))
        for name in ("left", "right"):
            before = here @ walker.limbs(t)[f"{name} shin"] @ toe
            after = there @ walker.limbs(t + step)[f"{name} shin"] @ toe
            if before[2] < 0.02 and after[2] < 0.02:  # on the floor
                slid.append(np.linalg.norm((after - before)[:2]) / step)
    assert len(slid) > 50
    assert np.median(slid) < 0.25 * pace
    lifts = [walker(t)[2, 3] for t in np.linspace(2, 4, 50)]
    assert -0.12 < min(lifts) <= max(lifts) < 0.03  # the hips sink between two steps


def test_who_stands_stands_straight() -> None:
    limbs = Walker(Standing(1.0, 2.0, 0.5), 1.7).limbs(3.0)
    assert set(limbs) == set(person_joints(1.7))
    for pose in limbs.values():
        assert pose == pytest.approx(np.eye(4), abs=1e-9)


def test_hands_are_at_what_they_carry() -> None:
    grips = ((0.0, 0.15, 0.05), (0.0, -0.15, 0.05))
    walker = Walker(SHUTTLE, 1.75, MUG, grips)
    carrying = SHUTTLE.wait_s + SHUTTLE.turn_s + 0.8
    for number, name in enumerate(("left", "right")):
        side = person_joints(1.75)[f"{name} forearm"][1]
        hand = np.array([0.0, side, 0.45 * 1.75, 1.0])
        held = walker(carrying) @ walker.limbs(carrying)[f"{name} forearm"] @ hand
        assert held == pytest.approx(MUG(carrying) @ [*grips[number], 1.0], abs=0.01)


def test_arms_keep_their_length_and_meet_at_the_elbow() -> None:
    upper, lower = two_bones((0.3, 0.1, -0.2), (0.3, 0.28), (-0.5, 0.3, -1))
    assert 0.3 * upper + 0.28 * lower == pytest.approx([0.3, 0.1, -0.2])
    assert np.linalg.norm([upper, lower], axis=1) == pytest.approx([1, 1])
    assert (
        np.cross(upper, lower) @ np.cross((0.3, 0.1, -0.2), (-0.5, 0.3, -1)) < 0
    )  # bent downwards
    far, further = two_bones((2.0, 0, 0), (0.3, 0.28), (0, 0, -1))  # out of reach: stretched
    assert far == pytest.approx(further, abs=0.15)


def test_what_is_carried_rests_follows_its_carrier_and_rests_elsewhere() -> None:
    assert MUG(0.2) == pytest.approx(MUG.spots[0])
    walking = SHUTTLE.wait_s + SHUTTLE.turn_s + 1.0
    assert MUG(walking) == pytest.approx(SHUTTLE(walking) @ MUG.hold)
    assert MUG(SHUTTLE.period_s - 0.1) == pytest.approx(MUG.spots[0])  # one spot after the other
    twice = replace(MUG, errands=(*MUG.errands, Errand(99.0, 99.5)), period_s=100.0)
    assert twice(SHUTTLE.period_s) == pytest.approx(MUG.spots[1])
    assert [MUG.gripped(t) for t in (0.4, walking)] == [1.0, 1.0]
    assert MUG.gripped(SHUTTLE.period_s / 2 + 2.0) == 0.0


def test_between_two_poses_there_is_a_pose() -> None:
    first, second = upright(0, 0, 0, 0.2), pose_from(rotation("x", 1.0), (1, 2, 3))
    assert blend(first, second, 0.0) is first
    half = blend(first, second, 0.5)
    assert half[:3, :3] @ half[:3, :3].T == pytest.approx(np.eye(3))
    assert half[:3, 3] == pytest.approx((0.5, 1, 1.5))


SHUNT = Shunt((0, 0), (1.5, 0), 0.5, OpenAndShut(10.0, 0.5, 3.5, 1.0))
CAMERAS: dict[str, Motion] = {
    "walk around": WalkAround((0, 0, 0.7), 1.4, -2.2, -0.8, 1.3),
    "handheld": HandheldWalk(
        ((0, 0, 1.5), (1, 0, 1.5), (1, 1, 1.6)), ((0, 3, 1), (0.5, 3, 1), (0, 3, 0.8)), 12.0
    ),
    "robot": RobotBase(STOPPING, 0.9, 0.1),
    "shunt": RobotBase(
        Shunt((0, 0), (1.5, 0), 0.5, OpenAndShut(10.0, 0.5, 3.5, 1.0)), 1.0, 0.2, yaw_rad=1.5
    ),
    "stare": Stare((0, 0, 1.5), (0, 3, 1), 0.1, 10.0),
}


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_cameras_are_upright_and_do_not_jump(camera: Motion) -> None:
    poses = np.stack([camera(k / 30) for k in range(900)])
    assert np.linalg.det(poses[:, :3, :3]) == pytest.approx(np.ones(900))
    assert (poses[:, 2, 1] < -0.7).all()  # the image's down is the map's -z
    assert np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).max() < 0.045
    cos = (np.einsum("nij,nij->n", poses[1:, :3, :3], poses[:-1, :3, :3]) - 1) / 2
    assert np.degrees(np.arccos(np.clip(cos, -1, 1))).max() < 6


@pytest.mark.parametrize("name", ["robot", "shunt"])
def test_a_robot_moves_in_a_plane(name: str) -> None:
    poses = np.stack([CAMERAS[name](k / 30) for k in range(300)])
    assert np.ptp(poses[:, 2, 3]) < 1e-9
    assert np.ptp(poses[:, 2, 2]) < 1e-9  # the same pitch, no roll
    assert abs(poses[:, 2, 0]).max() < 1e-9


def test_a_stare_stays_within_a_millimetre() -> None:
    eyes = np.stack([CAMERAS["stare"](k / 30)[:3, 3] for k in range(300)])
    assert 0 < np.abs(eyes - (0, 0, 1.5)).max() < 1e-3
