# SPDX-License-Identifier: Apache-2.0
"""Walks through worlds of boxes with exact depth, as long as wanted: no files, no ray tracer.

A world is the inside of one box with solid boxes in it, all faces along the axes of the map and
textured by a hash of place: the same on every machine. Patches of fine texture decide how many
Gaussians it takes. Poses and cameras as in doc/conventions.md; the map's z is up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame, PinholeCamera, Pose

Floats = NDArray[np.float64]

HEIGHT_M = 2.4  # of all rooms
PERIOD_NS = 100_000_000  # from frame to frame
START_NS = 1_000_000_000
_SIGHT_M = 25.0  # solids that are farther are not drawn
_SHADES = np.array([0.85, 1.0, 0.7])  # of faces across x, y, z: edges show without any texture
_PATCH_M = 0.5  # patches of fine texture are so wide
_OCTAVES = ((0.35, 0.16), (0.06, 0.30))  # width (m) and share of the colour: everywhere, in patches


@dataclass(frozen=True, eq=False)
class World:
    """What there is to see.

    Attributes:
        low, high: corners [3] of the room, seen from inside; metres, map frame.
        solids: corners [B, 2, 3] of the boxes in it, seen from outside.
        colors: [1 + B, 3] of the room and of each box, 0..1.
        texture: share of the surface with fine texture, 0..1.
        kinds: [1 + B] things of one kind have one texture.
        period_m: textures begin again after so much of x.
    """

    low: Floats
    high: Floats
    solids: Floats
    colors: Floats
    texture: float
    kinds: NDArray[np.int64]
    period_m: float = np.inf

    def frame(self, camera: PinholeCamera, T_map_camera: Pose, number: int) -> Frame:
        """The picture and exact depth from a pose; stamps grow with the number."""
        rgb, depth = self.draw(camera, T_map_camera)
        stamp_ns = START_NS + number * PERIOD_NS
        return Frame(stamp_ns, rgb, camera, depth, np.asarray(T_map_camera, np.float64))

    def draw(
        self, camera: PinholeCamera, T_map_camera: Pose
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Colour [H, W, 3] and depth [H, W] in metres along the optical axis."""
        eye, size = T_map_camera[:3, 3], (camera.height, camera.width)
        # z is 1 in the optical frame, so the way along a ray is the depth
        rays = camera.pixel_rays().astype(np.float64) @ T_map_camera[:3, :3].T
        rays = np.where(np.abs(rays) < 1e-12, 1e-12, rays)
        leave = np.maximum((self.low - eye) / rays, (self.high - eye) / rays)
        axis, depth, thing = leave.argmin(-1), leave.min(-1), np.zeros(size, np.int64)
        for index, part in self._in_sight(camera, T_map_camera):
            sides = (self.solids[index, :, None, None] - eye) / rays[part]  # [2, h, w, 3]
            near, far = sides.min(0), sides.max(0)
            enter = near.max(-1)
            hit = (enter > 1e-6) & (enter < far.min(-1)) & (enter < depth[part])
            depth[part][hit], thing[part][hit] = enter[hit], index + 1
            axis[part][hit] = near[hit].argmax(-1)
        points = eye + depth[..., None] * rays
        color = self._color(points.reshape(-1, 3), axis.ravel(), thing.ravel())
        rgb = (255 * color).round().astype(np.uint8).reshape(*size, 3)
        return rgb, depth.astype(np.float32)

    def _in_sight(
        self, camera: PinholeCamera, T_map_camera: Pose
    ) -> Iterator[tuple[int, tuple[slice, slice]]]:
        """Solids that are near and not behind the camera, and the part of the picture they fill."""
        eye, ahead = T_map_camera[:3, 3], T_map_camera[:3, 2]
        nearest = np.clip(eye, self.solids[:, 0], self.solids[:, 1])
        front = np.maximum((self.solids[:, 0] - eye) * ahead, (self.solids[:, 1] - eye) * ahead)
        near = np.linalg.norm(nearest - eye, axis=1) < _SIGHT_M
        for index in np.flatnonzero(near & (front.sum(1) > 0)):
            corners = np.stack(np.meshgrid(*self.solids[index].T), -1).reshape(-1, 3)
            pixels = camera.project((corners - eye) @ T_map_camera[:3, :3])
            if np.isnan(pixels).any():  # partly behind: it may fill the whole picture
                yield int(index), (slice(None), slice(None))
                continue
            low, high = pixels.min(0), np.ceil(pixels.max(0))
            (left, top), (right, bottom) = (v.clip(0, 10_000).astype(int) for v in (low, high))
            if left < right and top < bottom:
                yield int(index), (slice(top, bottom), slice(left, right))

    def _color(self, points: Floats, axis: NDArray[np.int64], thing: NDArray[np.int64]) -> Floats:
        """Colour [P, 3] of points [P, 3] on faces across an axis [P] of things [P]."""
        across = np.array([[1, 2], [0, 2], [0, 1]])[axis]
        if np.isfinite(self.period_m):
            points = points.copy()
            points[:, 0] %= self.period_m
        place = np.take_along_axis(points, across, 1)
        seed = 3 * self.kinds[thing] + axis
        fine = _lattice(np.floor(place / _PATCH_M).astype(np.int64), seed) < self.texture
        change = np.zeros((len(points), 3))
        for octave, (width_m, share) in enumerate(_OCTAVES):
            rows = np.flatnonzero(fine) if octave else np.arange(len(points))
            at, pattern = place[rows] / width_m, seed[rows] + 1000 * octave
            light = _noise(at, pattern)
            for channel in range(3):  # one pattern of light and dark, a little of each colour
                tint = _noise(at, pattern + 100_000 * (channel + 1))
                change[rows, channel] += share * (1.4 * light + 0.6 * tint - 1)
        color = self.colors[thing] * _SHADES[axis][:, None] + change
        return color.clip(0.02, 0.98)


def _lattice(cell: NDArray[np.int64], seed: NDArray[np.int64] | int) -> Floats:
    """Numbers 0..1 [P] that belong to cells [P, 2]: a hash."""
    mixed = cell[:, 0] * 374761393 + cell[:, 1] * 668265263 + np.asarray(seed) * 2246822519
    h = (mixed & 0xFFFFFFFF).astype(np.uint32)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(2246822519)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(3266489917)
    return (h ^ (h >> np.uint32(16))) / 2.0**32


def _noise(place: Floats, seed: NDArray[np.int64]) -> Floats:
    """Smooth numbers 0..1 [P] over the plane [P, 2], one knot a unit."""
    cell = np.floor(place).astype(np.int64)
    t = place - cell
    t = t * t * (3 - 2 * t)
    corner = [[_lattice(cell + np.array([i, j]), seed) for j in (0, 1)] for i in (0, 1)]
    low, high = (a + (b - a) * t[:, 1] for a, b in corner)
    return np.asarray(low + (high - low) * t[:, 0])


# --- worlds --------------------------------------------------------------------------------------


def _world(
    low: tuple[float, float],
    high: tuple[float, float],
    solids: list[Floats],
    texture: float,
    period: tuple[int, float] = (0, np.inf),
) -> World:
    """The room over a rectangle of the floor; after so many solids and metres it is the same."""
    every, period_m = period
    rng = np.random.default_rng(3)
    number = np.arange(len(solids))
    kinds = np.concatenate([[0], 1 + (number % every if every else number)])
    palette = np.concatenate([[[0.62, 0.6, 0.55]], rng.uniform(0.25, 0.8, (len(solids), 3))])
    low_3, high_3 = np.array([*low, 0.0]), np.array([*high, HEIGHT_M])
    return World(low_3, high_3, np.stack(solids), palette[kinds], texture, kinds, period_m)


def _box(x: float, y: float, z: float, size: tuple[float, float, float]) -> Floats:
    """Corners [2, 3] from the lowest one and the size."""
    return np.array([[x, y, z], [x + size[0], y + size[1], z + size[2]]])


def room(texture: float = 0.16) -> World:
    """4 m x 4 m with furniture before the wall at +x; stand near (-1.3, 0)."""
    solids = [
        _box(1.3, -1.7, 0.0, (0.7, 0.9, 1.1)),
        _box(1.4, -0.5, 0.0, (0.5, 0.8, 0.7)),
        _box(1.5, -0.3, 0.7, (0.2, 0.3, 0.35)),
        _box(1.2, 0.6, 0.0, (0.6, 0.9, 1.6)),
        _box(0.2, 0.9, 0.0, (0.5, 0.5, 0.5)),
        _box(0.1, -1.2, 0.0, (0.4, 0.4, 0.8)),
    ]
    return _world((-2.0, -2.0), (2.0, 2.0), solids, texture)


STEP_M = 0.25  # from frame to frame in the corridor
PERIOD = 16  # frames after which the corridor shows the same again


def corridor(frames: int, texture: float = 0.6) -> World:
    """2.4 m wide, cabinets and shelves along the wall at y = 1.2, long enough for so many frames.

    It repeats itself every `PERIOD` frames: early and late frames are the same pictures.
    """
    rng = np.random.default_rng(7)
    length_m, period_m = frames * STEP_M, PERIOD * STEP_M
    piece: list[Floats] = []
    x = 0.1
    while x < period_m - 0.8:
        width, depth, height = rng.uniform((0.3, 0.15, 0.3), (0.7, 0.4, 1.5))
        piece.append(_box(x, 1.2 - depth, 0.0, (width, depth, height)))
        shelf = rng.uniform(1.55, 1.9)
        piece.append(_box(x + 0.1, 1.0, shelf, (width, 0.2, 0.06)))
        x += width + rng.uniform(0.1, 0.4)
    begins = np.arange(-1, int(length_m / period_m) + 2) * period_m
    solids = [box + np.array([begin, 0.0, 0.0]) for begin in begins for box in piece]
    low, high = (begins[0], -1.2), (begins[-1] + period_m, 1.2)
    return _world(low, high, solids, texture, (len(piece), period_m))


ROOM_M = 3.0  # side of each room of a chain
_WALL_M = 0.1
_DOOR_M = (0.9, 2.0)  # width and height


def rooms(count: int, texture: float = 0.4) -> World:
    """Rooms in a row along x, the middle of room k at (3 k, 0), a door in each wall between."""
    rng = np.random.default_rng(11)
    half = ROOM_M / 2
    solids = []
    for k in range(count):
        middle = k * ROOM_M
        for side in (-1, 1):
            width, depth, height = rng.uniform((0.4, 0.3, 0.4), (0.9, 0.5, 1.8))
            x = middle + rng.uniform(-1.2, 1.1 - width)
            solids.append(_box(x, half - depth if side > 0 else -half, 0.0, (width, depth, height)))
        if k + 1 < count:
            x = middle + half - _WALL_M / 2
            beside = (ROOM_M - _DOOR_M[0]) / 2
            solids.append(_box(x, -half, 0.0, (_WALL_M, beside, HEIGHT_M)))
            solids.append(_box(x, half - beside, 0.0, (_WALL_M, beside, HEIGHT_M)))
            over = (_WALL_M, _DOOR_M[0], HEIGHT_M - _DOOR_M[1])
            solids.append(_box(x, -_DOOR_M[0] / 2, _DOOR_M[1], over))
    return _world((-half, -half), ((count - 0.5) * ROOM_M, half), solids, texture)


# --- poses ---------------------------------------------------------------------------------------


def camera(width: int = 320) -> PinholeCamera:
    """4:3 with a horizontal field of view of 63 degrees."""
    height, focal = width * 3 // 4, width * 0.8125
    return PinholeCamera(width, height, focal, focal, width / 2, height / 2)


def looking(x: float, y: float, z: float, yaw_deg: float, down_deg: float = 0.0) -> Pose:
    """`T_map_camera` at a place; a yaw of 0 looks along x, one of 90 along y."""
    yaw, down = np.radians([yaw_deg, down_deg])
    ahead = np.array([np.cos(yaw) * np.cos(down), np.sin(yaw) * np.cos(down), -np.sin(down)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(ahead, right), ahead], 1)
    T[:3, 3] = x, y, z
    return T


def swaying(count: int) -> Iterator[Pose]:
    """In `room`: 20 degrees to both sides and a step forth and back, over and over."""
    for k in range(count):
        phase = 2 * np.pi * k / 20
        yield looking(-1.3 + 0.15 * np.sin(phase), 0.2 * np.cos(phase), 1.2, 20 * np.sin(phase), 8)


def along(frames: int) -> Iterator[Pose]:
    """In `corridor`: from its begin on, looking at the wall at y = 1.2."""
    for k in range(frames):
        yield looking(k * STEP_M, -0.8, 1.15, 90 + 4 * np.sin(2 * np.pi * k / PERIOD), 3)


def around(number: int) -> Iterator[Pose]:
    """In `rooms`: once around in the middle of a room, the last look at the door at +x."""
    for k in range(12):
        yield looking(number * ROOM_M, 0.1 * np.sin(k), 1.2, 30.0 * (k + 1), 5)


def through(number: int) -> Iterator[Pose]:
    """From the middle of a room of `rooms` to that of the next."""
    for k in range(1, 6):
        yield looking((number + k / 6) * ROOM_M, 0.0, 1.2, 0.0, 5)


def back(number: int) -> Iterator[Pose]:
    """From the middle of room `number` to that of room 1, looking aside: room 0 is never seen."""
    for k in range((number - 1) * 4):
        yield looking((number - k / 4) * ROOM_M, 0.0, 1.2, 90.0, 5)
    yield looking(ROOM_M, 0.0, 1.2, 90.0, 5)


def first_room_views() -> list[Pose]:
    """Views of room 0 from between the places of `around`, none through its door."""
    yaws = (75, 102, 127, 152, 178, 203, 228, 253)
    return [
        looking(0.12 * np.cos(k), 0.12 * np.sin(2 * k), 1.25, yaw, 6) for k, yaw in enumerate(yaws)
    ]
