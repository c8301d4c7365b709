# SPDX-License-Identifier: Apache-2.0
"""The sensor model does what its name says, by the numbers it cites, and the truth stays exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.sim import World, open_source
from f4x_ros.sim.raycast import Drawing
from f4x_ros.sim.sensor import EFFECTS, Observation, Sensor, light, localisation
from f4x_ros.sim.sensor.depth import axial_sigma_m, measured
from f4x_ros.sim.sensor.holes import in_projector_shadow
from f4x_ros.sim.sensor.surface import incidence

CAMERA = PinholeCamera(160, 120, 131.0, 131.0, 80.0, 60.0)
SHAPE = (CAMERA.height, CAMERA.width)


def gray(value: int = 180) -> np.ndarray:
    return np.full((*SHAPE, 3), value, np.uint8)


def wall(distance_m: float, tilt_rad: float = 0.0) -> np.ndarray:
    """A plane through (0, 0, distance) turned about the vertical axis."""
    x = CAMERA.pixel_rays()[..., 0]
    return np.asarray(distance_m / (1 - x * np.tan(tilt_rad)), np.float32)


def readings(exact: np.ndarray, frames: int = 6, rgb: np.ndarray | None = None) -> np.ndarray:
    picture = gray() if rgb is None else rgb
    return np.stack([measured(exact, picture, CAMERA, k, 0) for k in range(frames)])


def stripes_at(shift: int) -> Drawing:
    """A white bar on black, so many pixels to the right of the middle; depth 2 m plus shift mm."""
    rgb = np.zeros((*SHAPE, 3), np.uint8)
    rgb[:, 70 + shift : 90 + shift] = 200
    depth = np.full(SHAPE, 2 + shift / 1000, np.float32)
    return Drawing(rgb, depth, np.ones(SHAPE, np.uint16), np.ones(2, np.float32))


def observed(name: str, moment: int = 3, seed: int = 5, speed: int = 1) -> Observation:
    """One frame of a bar that moves ``speed`` pixels per millisecond."""

    def pose(offset_us: int) -> np.ndarray:
        out = np.eye(4)
        out[0, 3] = offset_us * 1e-3
        return out

    return Sensor.parse(name).observe(
        lambda offset_us: stripes_at(speed * offset_us // 1000), pose, CAMERA, moment, seed
    )


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, name",
    [
        ("ideal", "ideal"),
        ("noisy", "noisy"),
        ("blur+depth", "depth+blur"),
        ("drops+pose+drops", "pose+drops"),
        ("+".join(reversed(EFFECTS)), "noisy"),
    ],
)
def test_names_come_in_one_order(text: str, name: str) -> None:
    assert Sensor.parse(text).name == name
    assert Sensor.parse(name).name == name


@pytest.mark.parametrize("text", ["", "fog", "depth+fog", "noisy+depth", "ideal+blur", "Depth"])
def test_unknown_words_are_refused_with_the_list(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected 'ideal', 'noisy'.*depth, blur.*async") as error:
        Sensor.parse(text)
    assert repr(text) in str(error.value)


# --- which word does what ----------------------------------------------------------------------


def test_ideal_passes_everything_on() -> None:
    exact, seen = stripes_at(0), observed("ideal")
    assert seen.rgb is exact.rgb or np.array_equal(seen.rgb, exact.rgb)
    assert np.array_equal(seen.depth, exact.depth)
    assert np.array_equal(seen.T_map_camera, np.eye(4))
    assert Sensor().offsets_us == (0,)
    assert Sensor().kept(5, 0).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_word_switches_its_own_effect_and_no_other(effect: str) -> None:
    sensor, ideal, seen = Sensor.parse(effect), observed("ideal"), observed(effect)
    changed = {
        "rgb": not np.array_equal(seen.rgb, ideal.rgb),
        "depth": not np.array_equal(seen.depth, ideal.depth),
        "pose": not np.array_equal(seen.T_map_camera, ideal.T_map_camera),
        "frames": len(sensor.kept(500, 0)) < 500,
    }
    expected = {
        "depth": "depth", "blur": "rgb", "exposure": "rgb", "pose": "pose", "drops": "frames",
        "async": "depth",
    }[effect]  # fmt: skip
    assert [name for name, differs in changed.items() if differs] == [expected]


@pytest.mark.parametrize("effect", [*EFFECTS, "noisy"])
def test_types_and_shapes_stay_and_the_seed_decides_the_bytes(effect: str) -> None:
    one, again, other = observed(effect), observed(effect), observed(effect, seed=6)
    assert one.rgb.dtype == np.uint8
    assert one.rgb.shape == (*SHAPE, 3)
    assert one.depth.dtype == np.float32
    assert one.depth.shape == SHAPE
    assert [a.tobytes() for a in one] == [a.tobytes() for a in again]
    if effect in ("depth", "exposure", "pose", "noisy"):
        later = observed(effect, moment=4)
        assert [a.tobytes() for a in one] != [a.tobytes() for a in other]
        assert [a.tobytes() for a in one] != [a.tobytes() for a in later]


def test_an_effect_does_the_same_whatever_else_is_on() -> None:
    together = observed("noisy")
    assert np.array_equal(together.depth, observed("depth+async").depth)
    assert np.array_equal(together.rgb, observed("blur+exposure").rgb)
    assert np.array_equal(together.T_map_camera, observed("pose").T_map_camera)


# --- depth -------------------------------------------------------------------------------------


@pytest.mark.parametrize("distance_m", [0.8, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("tilt_deg", [0, 50])
def test_depth_noise_is_that_of_the_model(distance_m: float, tilt_deg: int) -> None:
    exact = wall(distance_m, np.deg2rad(tilt_deg))
    middle = np.s_[:, :, 70:90]
    error = (readings(exact) - exact)[middle]
    got = readings(exact)[middle] > 0
    sigma = axial_sigma_m(exact, incidence(exact, CAMERA))[:, 70:90]
    rms = np.sqrt(np.mean((error / sigma)[got] ** 2))
    assert rms == pytest.approx(1, abs=0.2)
    assert abs(np.mean((error / sigma)[got])) < 0.15


def test_two_papers_agree_on_the_noise() -> None:
    for distance_m in (1.5, 2.0, 3.0, 4.0):
        nguyen = axial_sigma_m(wall(distance_m), np.zeros(SHAPE, np.float32)).mean()
        khoshelham = 1.425e-3 * distance_m**2  # their fit
        assert nguyen == pytest.approx(khoshelham, rel=0.2)


def test_incidence_is_the_tilt_of_a_wall_and_survives_an_edge() -> None:
    angle = incidence(wall(2.0, np.deg2rad(40)), CAMERA)
    assert np.rad2deg(angle[60, 80]) == pytest.approx(40, abs=0.5)
    step = wall(2.0)
    step[:, 80:] = 3.0
    assert np.rad2deg(incidence(step, CAMERA)[60, 75:85]).max() < 5


def test_depth_comes_in_steps_of_disparity() -> None:
    seen = readings(wall(4.0))
    values = np.unique(seen[seen > 0])
    steps = np.diff(1 / values.astype(np.float64)) * 580 * 0.075 * 8
    assert steps == pytest.approx(np.rint(steps), abs=1e-2)
    assert np.diff(values).min() > 0.03


def test_the_projector_shadow_lies_left_of_what_is_near_and_is_as_wide_as_geometry_says() -> None:
    exact = wall(3.0)
    exact[40:80, 70:100] = 1.0
    shadow = in_projector_shadow(exact, CAMERA, 0.075)
    width = CAMERA.fx * 0.075 * (1 / 1.0 - 1 / 3.0)
    assert shadow[40:80, :70].sum(1) == pytest.approx(width, abs=1.01)
    assert not shadow[:, 70:].any()
    assert not shadow[:39].any()
    assert not shadow[81:].any()


def test_there_is_no_shadow_on_one_smooth_surface() -> None:
    for tilt_deg in (-45, 0, 45):
        assert not in_projector_shadow(wall(1.5, np.deg2rad(tilt_deg)), CAMERA, 0.075).any()


@pytest.mark.parametrize(
    "exact, rgb, low, high",
    [
        (wall(2.0), gray(), 0.0, 0.02),  # a wall: hardly any
        (wall(0.25), gray(), 1.0, 1.0),  # too near
        (wall(8.5), gray(), 1.0, 1.0),  # too far
        (np.zeros(SHAPE, np.float32), gray(), 1.0, 1.0),  # nothing there
        (wall(5.0), gray(2), 0.8, 1.0),  # black and far
        (wall(1.0), gray(2), 0.0, 0.02),  # black but near
        (wall(2.0), gray(255), 0.5, 0.9),  # a lamp
        (wall(2.0, np.deg2rad(84)), gray(), 0.5, 1.0),  # grazing
    ],
)
def test_what_has_no_reading(exact: np.ndarray, rgb: np.ndarray, low: float, high: float) -> None:
    share = np.mean(readings(exact, 3, rgb)[:, 40:80, 78:82] == 0)
    assert low <= share <= high


def test_edges_tremble_by_about_a_pixel_and_surfaces_keep_their_place() -> None:
    camera = PinholeCamera(640, 40, 580.0, 580.0, 320.0, 20.0)  # that of the paper
    left = np.arange(640) < 320
    exact = np.where(left, np.float32(1.0), np.float32(1.6)) * np.ones((40, 1), np.float32)
    picture = np.full((40, 640, 3), 180, np.uint8)
    seen = np.stack([measured(exact, picture, camera, k, 0) for k in range(10)])
    swapped = np.where(left, seen > 1.3, seen < 1.3) & (seen > 0)
    share = swapped.sum((0, 1)) / np.maximum((seen > 0).sum((0, 1)), 1)
    # A normal variable of 0.8 px, rounded, leaves its pixel to one side in 27 of 100 cases.
    assert share[319:321] == pytest.approx(0.27, abs=0.06)
    assert share[:315].max() == share[325:].max() == 0


# --- colour ------------------------------------------------------------------------------------


def test_a_still_picture_is_not_changed_by_the_shutter() -> None:
    for value in range(256):
        picture = np.full((1, 1, 3), value, np.uint8)
        assert light.developed(light.collected([picture] * 3))[0, 0, 0] == value


def test_blur_is_as_wide_as_the_motion_and_keeps_the_light() -> None:
    still, moved = observed("blur", speed=0).rgb, observed("blur", speed=1).rgb
    assert np.array_equal(still, stripes_at(0).rgb)
    profile = light.collected([moved])[60, :, 0]
    assert profile.sum() == pytest.approx(light.collected([still])[60, :, 0].sum(), rel=0.01)
    edge = np.diff(profile[40:80])
    centre = np.average(np.arange(len(edge)), weights=edge)
    width = np.sqrt(np.average((np.arange(len(edge)) - centre) ** 2, weights=edge))
    assert width == pytest.approx(12 / np.sqrt(12), rel=0.1)  # of a box of 12 pixels
    middle = moved[60, 68, 0]  # a third of the light is more than a third of the code
    assert 200 / 3 < middle < 200 * 0.8


def test_exposure_drifts_smoothly_and_is_neutral_over_a_minute() -> None:
    gains = np.stack([light.response(moment, 3)[0] for moment in range(1800)])
    stops = np.log(gains)
    assert stops.mean(0) == pytest.approx(0, abs=1e-3)
    assert stops[:, 1].std() == pytest.approx(0.10, rel=0.05)
    assert (stops[:, 0] - stops[:, 1]).std() == pytest.approx(0.02, rel=0.1)
    assert np.abs(np.diff(stops, axis=0)).max() < 0.01


def test_image_noise_grows_with_the_light_as_photons_do() -> None:
    frames = [np.full((*SHAPE, 3), level, np.float32) for level in (0.05, 0.5)]
    variance = []
    for frame in frames:
        seen = light.exposed(frame, CAMERA, 0, 0)
        gain, veil = light.response(0, 0)
        variance.append(np.var(((seen - veil) / gain)[55:65, 70:90]))
    assert variance[1] / variance[0] == pytest.approx(10, rel=0.25)


def test_what_is_too_bright_is_clipped_in_the_camera() -> None:
    seen = light.developed(light.exposed(light.collected([gray(255)]), CAMERA, 0, 0))
    assert np.mean(seen[55:65, 75:85] == 255) > 0.9


# --- pose --------------------------------------------------------------------------------------


def test_localisation_errs_by_centimetres_smoothly_and_comes_back() -> None:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("xyz", [0.4, -1.0, 2.0]).as_matrix()
    T[:3, 3] = (1.0, -2.0, 0.5)
    believed = np.stack([localisation.believed(T, moment, 2) for moment in range(1800)])
    off = believed[:, :3, 3] - T[:3, 3]
    turned = Rotation.from_matrix(T[:3, :3].T @ believed[:, :3, :3]).as_rotvec()
    assert 0.01 < np.sqrt(np.mean(np.sum(off**2, 1))) < 0.02
    assert np.rad2deg(np.sqrt(np.mean(np.sum(turned**2, 1)))) == pytest.approx(0.3, abs=0.06)
    assert np.abs(off.mean(0)).max() < 1e-4
    assert np.abs(np.rad2deg(turned.mean(0))).max() < 5e-3
    step = np.linalg.norm(np.diff(off, axis=0), axis=1)
    assert np.sqrt(np.mean(step**2)) < 0.004
    rotations = believed[:, :3, :3]
    assert np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max() < 1e-12


# --- time --------------------------------------------------------------------------------------


def test_four_in_a_hundred_frames_are_lost_sometimes_several_in_a_row_never_the_first() -> None:
    sensor = Sensor.parse("drops")
    kept = [sensor.kept(1000, seed) for seed in range(50)]
    assert all(k[0] == 0 and (np.diff(k) > 0).all() for k in kept)
    assert 1 - np.mean([len(k) / 1000 for k in kept]) == pytest.approx(0.04, abs=0.005)
    runs = np.concatenate([np.diff(k) - 1 for k in kept])
    assert (runs == 1).sum() > (runs == 2).sum() > 0
    assert (runs == 3).sum() > 0
    assert sensor.kept(300, 7).tolist() == [m for m in sensor.kept(1000, 7).tolist() if m < 300]
    assert sensor.kept(1, 0).tolist() == [0]


def test_late_depth_is_drawn_later_and_blur_around_the_stamp() -> None:
    assert Sensor.parse("async").offsets_us == (0, 11_000)
    assert Sensor.parse("blur").offsets_us == (-4_000, 0, 4_000)
    assert Sensor.parse("noisy").offsets_us == (-4_000, 0, 4_000, 11_000)
    assert np.array_equal(observed("async").depth, stripes_at(11).depth)


# --- in a world --------------------------------------------------------------------------------


def test_the_truth_does_not_know_the_sensor(tmp_path: Path) -> None:
    ideal, noisy = (
        World(48, frames=4, cache=tmp_path),
        World(48, frames=4, cache=tmp_path, sensor="noisy"),
    )
    index = len(noisy) - 1
    moment = round((noisy.stamps_ns[index] - noisy.stamps_ns[0]) * 30e-9)
    exact, truth = ideal.truth(moment), noisy.truth(index)
    frame = noisy[index]
    assert truth.stamp_ns == exact.stamp_ns == frame.stamp_ns
    assert np.array_equal(truth.depth, exact.depth)
    assert np.array_equal(truth.instances, exact.instances)
    assert np.array_equal(truth.T_map_camera, exact.T_map_camera)
    assert np.array_equal(noisy.drawing(index).rgb, ideal[moment].rgb)
    assert frame.depth is not None
    assert not np.array_equal(frame.depth, exact.depth)
    assert frame.T_map_camera is not None
    assert not np.array_equal(frame.T_map_camera, exact.T_map_camera)


def test_ideal_frames_are_the_drawings(tmp_path: Path) -> None:
    world = World(48, frames=4, cache=tmp_path)
    frame, drawing = world[1], world.drawing(1)
    assert frame.rgb.tobytes() == drawing.rgb.tobytes()
    assert frame.depth is not None
    assert frame.depth.tobytes() == drawing.depth.tobytes()
    assert frame.T_map_camera is not None
    assert np.array_equal(frame.T_map_camera, world.truth(1).T_map_camera)


def test_dropped_frames_leave_gaps_in_the_stamps_and_are_counted(tmp_path: Path) -> None:
    world = open_source("demo:48x36:400:drops", cache=tmp_path)
    ticks = (world.stamps_ns - world.stamps_ns[0]) * 30e-9
    assert ticks == pytest.approx(np.rint(ticks), abs=1e-6)
    assert world.counts["frames_dropped_by_sensor"] == 400 - len(world) > 0
    assert np.diff(np.rint(ticks)).max() > 1
    assert world.stamps_ns[0] == open_source("demo:48x36:1").stamps_ns[0]


def test_all_moments_are_drawn_beforehand_by_two_workers(tmp_path: Path) -> None:
    name = "demo:48x36:2:blur+async"
    alone, shared = open_source(name, cache=tmp_path / "a"), open_source(name, cache=tmp_path / "b")
    assert isinstance(shared, World)
    shared.draw(0)
    shared.cache.path(0, 11_000).unlink()
    assert shared.missing() == [0, 1]
    shared.prepare(workers=2)
    assert shared.missing() == []
    assert len(list(shared.cache.folder.glob("frame_*.npz"))) == 2 * 4
    for here, there in zip(alone, shared, strict=True):
        assert here.rgb.tobytes() == there.rgb.tobytes()
        assert here.depth is not None
        assert there.depth is not None
        assert here.depth.tobytes() == there.depth.tobytes()


def test_late_depth_shows_where_the_camera_will_be(tmp_path: Path) -> None:
    world = World(48, frames=4, cache=tmp_path, sensor="async")
    late = world.scene.spec.camera(2 / 30 + 0.011)
    frame = world[2]
    assert frame.depth is not None
    assert not np.array_equal(frame.depth, world.truth(2).depth)
    assert not np.array_equal(late, world.truth(2).T_map_camera)
