# SPDX-License-Identifier: Apache-2.0
"""Things that are made up, and a small map, to be asked about space and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from box_world import BoxWorld, still
from numpy.typing import NDArray

from f4x_ros.core.ask.tools import TOOLS, Found, State, Thing, Toolbox
from f4x_ros.core.ask.tools.scene import even_stamps
from f4x_ros.core.config import Config
from f4x_ros.core.data import PinholeCamera, Pose, Presence
from f4x_ros.core.errors import NotUnderstoodError
from f4x_ros.core.perception import Perception

END_S = 5.0
FIRST_NS = 1_700_000_000_000_000_000
CAMERA = PinholeCamera(80, 60, 65, 65, 40, 30)

Place = Callable[[float], tuple[float, float, float]]


def at(x: float, y: float, z: float) -> Place:
    return lambda t: (x, y, z)


class MadeUp:
    """A box that is somewhere at each time, with exact or doubtful numbers."""

    def __init__(
        self,
        number: int,
        name: str,
        place: Place,
        size: tuple[float, float, float] = (0.2, 0.2, 0.2),
        *,
        span: tuple[float, float] = (0.0, END_S),
        sigma: float = 0.0,
        color: str = "red",
        unsure: bool = False,
    ) -> None:
        self.id, self.name, self.color, self.unsure = number, name, color, unsure
        self._place, self._size, self._span, self._sigma = place, np.array(size), span, sigma

    def state_at(self, stamp_ns: int) -> State | None:
        t = (stamp_ns - FIRST_NS) / 1e9
        if not self._span[0] <= t <= self._span[1]:
            return None
        middle = np.array(self._place(t), float)
        step = np.array(self._place(t + 1e-4), float) - np.array(self._place(t - 1e-4), float)
        velocity = step / 2e-4
        sigma = np.full(3, self._sigma)
        moving = bool(np.linalg.norm(velocity) > 1e-6)
        return State(middle, self._size, sigma, velocity, sigma, moving, seen=True)

    def span_ns(self) -> tuple[int, int]:
        return FIRST_NS + int(self._span[0] * 1e9), FIRST_NS + int(self._span[1] * 1e9)

    def came_ns(self) -> int | None:
        return self.span_ns()[0] if self._span[0] > 0 else None

    def gone_ns(self) -> int | None:
        return self.span_ns()[1] if self._span[1] < END_S else None


class MadeUpScene:
    """A scene whose camera stands at the origin at 1 m height and looks along +x."""

    map_frame = "map"
    span_ns = (FIRST_NS, FIRST_NS + int(END_S * 1e9))

    def __init__(self, *things: MadeUp) -> None:
        self.made = things

    def find(self, words: str, stamp_ns: int) -> Found:
        if words == "nonsense":
            raise NotUnderstoodError(words, words, "expected words")
        named = [one for one in self.made if set(words.split()) <= set(one.name.split())]
        there = [one for one in named if one.state_at(stamp_ns) is not None]
        if any(one.unsure for one in there):
            return Found(Presence.UNSURE, tuple(there), (0.2,) * len(there), "probability 0.20")
        presence = Presence.PRESENT if there else Presence.NOT_PRESENT
        return Found(presence, tuple(there), (1.0,) * len(there))

    def find_over(self, words: str, since_ns: int, until_ns: int) -> Found:
        found = [self.find(words, ns) for ns in even_stamps(since_ns, until_ns, 11)]
        return next((one for one in found if one.things), found[-1])

    def things_at(self, stamp_ns: int) -> Sequence[Thing]:
        return [one for one in self.made if one.state_at(stamp_ns) is not None]

    def things_over(self, since_ns: int, until_ns: int) -> Sequence[Thing]:
        stamps = even_stamps(since_ns, until_ns, 60)
        return [one for one in self.made if any(one.state_at(ns) is not None for ns in stamps)]

    def thing(self, number: int) -> Thing | None:
        return next((one for one in self.made if one.id == number), None)

    def view_at(self, stamp_ns: int) -> tuple[PinholeCamera, Pose]:
        T = np.eye(4)
        T[:3, :3] = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], float)
        T[:3, 3] = [0, 0, 1]
        return CAMERA, T

    def depth(self, stamp_ns: int, camera: PinholeCamera, T: Pose) -> NDArray[np.float32]:
        """Solid boxes before a wall 20 m away."""
        rays = camera.pixel_rays().reshape(-1, 3).astype(float) @ T[:3, :3].T
        depth = np.full(len(rays), 20.0)
        for one in self.made:
            state = one.state_at(stamp_ns)
            if state is None or (np.abs(T[:3, 3] - state.center) < state.size / 2).all():
                continue
            with np.errstate(divide="ignore", invalid="ignore"):
                a, b = (state.low - T[:3, 3]) / rays, (state.high - T[:3, 3]) / rays
            near, far = np.nanmax(np.minimum(a, b), 1), np.nanmin(np.maximum(a, b), 1)
            hit = (far > near) & (near > 0)
            depth[hit] = np.minimum(depth[hit], near[hit])
        return depth.reshape(camera.shape).astype(np.float32)

    def color_of(self, thing: Thing, stamp_ns: int) -> tuple[tuple[str, float], ...]:
        assert isinstance(thing, MadeUp)
        return ((thing.color, 0.9), ("gray", 0.1)) if thing.color else ()


def toolbox(*things: MadeUp) -> Toolbox:
    return Toolbox(MadeUpScene(*things), TOOLS)


@lru_cache(1)
def small_map() -> Perception:
    """Two squares before a wall; the green one comes at 1 s and goes at 2 s, and blue slides."""
    options = {"features.extractor": "color", "mapping.iterations": 4, "mapping.resolution": 96}
    perception = Perception(Config.from_dotted(options), ["red thing", "blue thing"])

    def sliding(index: int) -> tuple[float, float, float]:
        return 0.4 - 0.02 * max(0, min(index, 22) - 8), 0.1, 1.5

    def coming(index: int) -> tuple[float, float, float]:
        return (0.1, -0.4, 1.7) if 10 <= index < 20 else (50.0, 0.0, 1.0)

    world = BoxWorld({"red": still(-0.4, 0.0, 1.6), "blue": sliding, "green": coming})
    for index in range(30):
        perception.process(world(index))
    return perception
