# SPDX-License-Identifier: Apache-2.0
"""What is exactly so in a drawn world, as questions about space and time need it.

Worked out from poses, meshes and drawings alone, by none of the tools that are to be measured.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from f4x_ros.sim import RATE_HZ, ObjectLabel, World

_ROOM = ("floor", "wall", "ceiling")
_LOOK_EVERY = 6  # frames between two that are drawn to see what is in sight
_SEEN_PX = 150  # of one frame at 320x240, by which a thing counts as seen
_STEP_S = 1e-3

Vector = NDArray[np.float64]


class Facts:
    """Objects of a world at the moments of its frames.

    Args:
        world: drawn; frames that are not on disk are drawn when needed.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.things: dict[int, ObjectLabel] = {
            number: label for number, label in world.labels.items() if label.cls not in _ROOM
        }
        self.end_s = (len(world) - 1) / RATE_HZ
        self._box = lru_cache(None)(self._box_at)
        self._speed = lru_cache(None)(self._speed_at)
        self.drawing = lru_cache(None)(world.drawing)

    def name(self, number: int) -> str:
        """What an object is called; no two share it."""
        return self.things[number].name

    def exists(self, number: int, t: float) -> bool:
        """Whether it is there at a time [s]."""
        return self.world.scene.objects[number - 1].exists(t)

    def always(self, number: int) -> bool:
        """Whether it is there at all times."""
        return not self.world.scene.objects[number - 1].life

    def box(self, number: int, t: float) -> tuple[Vector, Vector]:
        """Middle [3] and extent [3] of its box along the map's axes, m."""
        return self._box(number, 0.0 if not self.things[number].moving else round(t, 3))

    def center(self, number: int, t: float) -> Vector:
        """Middle [3] of its box."""
        return self.box(number, t)[0]

    def _box_at(self, number: int, t: float) -> tuple[Vector, Vector]:
        made = self.world.scene.objects[number - 1]
        pose = made.pose(t)
        points = made.mesh_at(t).vertices.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
        low, high = points.min(0), points.max(0)
        return (low + high) / 2, high - low

    @cached_property
    def nameable(self) -> list[int]:
        """Objects that are the only ones their names are true of."""
        same = [(label.color, label.cls) for label in self.things.values()]
        return [n for n, label in self.things.items() if same.count((label.color, label.cls)) == 1]

    def middle(self, number: int, t: float) -> Vector:
        """Middle [3] of the box that turns with it: what swinging limbs do not move."""
        pose = self.world.scene.objects[number - 1].pose(t)
        return np.asarray(pose[:3, :3] @ np.array(self.things[number].center) + pose[:3, 3])

    def velocity(self, number: int, t: float) -> Vector:
        """Of that middle [3], m/s."""
        ahead = self.middle(number, t + _STEP_S) - self.middle(number, t - _STEP_S)
        return np.asarray(ahead / (2 * _STEP_S))

    def speed(self, number: int, t: float) -> float:
        """m/s."""
        return self._speed(number, round(t, 4)) if self.things[number].moving else 0.0

    def _speed_at(self, number: int, t: float) -> float:
        return float(np.linalg.norm(self.velocity(number, t)))

    @cached_property
    def movers(self) -> list[int]:
        """Objects whose place changes during the recording; not those that only turn or bend."""
        return [n for n in self.things if max(self._speeds(n)) > 0.1]

    @cached_property
    def still(self) -> list[int]:
        """Objects whose place never changes."""
        return [n for n in self.things if max(self._speeds(n)) < 1e-3]

    def _speeds(self, number: int) -> list[float]:
        return [self.speed(number, t) for t in np.arange(0, self.end_s, 0.1)]

    def reach(self, number: int, since: float, until: float) -> float:
        """How far it gets from where it was at a time until another, m."""
        times = np.arange(since, until + 1e-6, 1 / RATE_HZ)
        places = np.array([self.center(number, t) for t in times])
        return float(np.linalg.norm(places - places[0], axis=1).max())

    def path(self, number: int, since: float, until: float) -> float:
        """Length of its way, m."""
        times = np.arange(since, until + 1e-6, 1 / RATE_HZ)
        places = np.array([self.middle(number, t) for t in times])
        return float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())

    def rests(self, number: int) -> list[tuple[float, float]]:
        """Spans [s] of at least 0.4 s in which a mover stands still."""
        times = np.arange(0, self.end_s + 1e-6, 1 / RATE_HZ)
        still = [self.speed(number, t) < 0.01 for t in times]
        spans: list[tuple[float, float]] = []
        begin: float | None = None
        for t, rests in zip([*times, self.end_s + 1], [*still, False], strict=True):
            if rests and begin is None:
                begin = float(t)
            elif not rests and begin is not None:
                spans.append((begin, float(min(t, self.end_s))))
                begin = None
        return [(a, b) for a, b in spans if b - a >= 0.4]

    def support(self, number: int) -> int | None:
        """What it was put on; None: the floor, or a wall."""
        spec = self.world.scene.spec.things
        by_name = {label.name: n for n, label in self.world.labels.items()}
        for thing in spec:
            name = thing.name or self._called(thing.cls, thing.color)
            if by_name.get(name) == number and thing.on is not None:
                return by_name.get(thing.on)
        return None

    @staticmethod
    def _called(cls: str, color: str) -> str:
        from f4x_ros.sim.shapes import called

        return called(color, cls, cls)

    # --- the camera ----------------------------------------------------------------------------

    def frame(self, t: float) -> int:
        """The frame of a time."""
        return min(round(t * RATE_HZ), len(self.world) - 1)

    def in_camera(self, number: int, t: float) -> Vector:
        """Its middle [3] in the optical frame."""
        T = self.world.camera_pose(self.frame(t))
        return np.asarray((self.center(number, t) - T[:3, 3]) @ T[:3, :3])

    def eye(self, t: float) -> Vector:
        """Place [3] of the camera."""
        return np.asarray(self.world.camera_pose(self.frame(t))[:3, 3])

    @cached_property
    def looks(self) -> list[int]:
        """Frames that are drawn to see what is in sight."""
        return list(range(0, len(self.world), _LOOK_EVERY))

    @cached_property
    def seen_from(self) -> dict[int, float]:
        """By object: the first time [s] by which enough of it was seen."""
        scale = self.world.camera.width * self.world.camera.height / (320 * 240)
        first: dict[int, float] = {}
        for frame in self.looks:
            instances = self.drawing(frame).instances
            for number, pixels in enumerate(np.bincount(instances.ravel())):
                if number in self.things and pixels >= _SEEN_PX * scale:
                    first.setdefault(number, frame / RATE_HZ)
        return first

    def known(self, number: int, t: float) -> bool:
        """Whether it was seen by a time, and is there."""
        return self.seen_from.get(number, np.inf) <= t and self.exists(number, t)

    def share(self, number: int, frame: int) -> float:
        """Visible share 0..1 of its silhouette in a frame."""
        return float(self.drawing(frame).visibility[number])

    def in_sight(self, number: int, t: float) -> bool:
        """Whether some of it is seen about a time: one of the drawn frames around shows it."""
        frame = min(self.looks, key=lambda k: abs(k - t * RATE_HZ))
        return self.share(number, frame) >= 0.3
