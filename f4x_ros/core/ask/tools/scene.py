# SPDX-License-Identifier: Apache-2.0
"""What tools ask about: things with histories, a camera's way, and what it would see.

One implementation is made from a map (`from_map`), one from the exact truth of drawn worlds
(`f4x_ros.eval.subjects.true_scene`). Tools know only this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose, Presence

Vector = NDArray[np.float64]

ANYTHING = frozenset(
    "thing things object objects something anything everything stuff item items one ones".split()
)
"""Words for things of any kind."""

ROOM = frozenset({"floor", "wall", "ceiling", "walls"})
"""Names of what the room itself is made of: never what a question means by "thing"."""


@dataclass(frozen=True, eq=False)
class State:
    """A thing at a moment, map frame.

    Attributes:
        center: [3] m, middle of its box.
        size: [3] m, extent of its box along the map's axes.
        sigma_m: [3] standard deviation of the middle.
        velocity: [3] m/s of the middle.
        velocity_sigma: [3] m/s.
        moving: whether its place changes at this moment.
        seen: whether the camera saw it then.
    """

    center: Vector
    size: Vector
    sigma_m: Vector
    velocity: Vector
    velocity_sigma: Vector
    moving: bool
    seen: bool

    @property
    def low(self) -> Vector:
        """Lower corner [3] of the box."""
        return self.center - self.size / 2

    @property
    def high(self) -> Vector:
        """Upper corner [3] of the box."""
        return self.center + self.size / 2


def even_stamps(first_ns: int, last_ns: int, number: int) -> list[int]:
    """So many stamps from one to another, both among them; whole numbers, as floats are too coarse.

    (The float64 next to a stamp of today is 256 ns away.)
    """
    steps = max(1, number - 1)
    return [first_ns + (last_ns - first_ns) * k // steps for k in range(steps + 1)]


class Thing(Protocol):
    """One thing that a scene knows.

    Properties:
        id: positive where it is followed (that of its track), negative where it was only found.
        name: what it is called, for people.
    """

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...

    def state_at(self, stamp_ns: int) -> State | None:
        """What it was like; None where it was not there, or nothing is known of it."""

    def span_ns(self) -> tuple[int, int]:
        """First and last moment of which a state is known."""

    def came_ns(self) -> int | None:
        """When it came into a place that had been seen empty; None: it was always there."""

    def gone_ns(self) -> int | None:
        """When its place was seen empty for good; None: it is still there, for all one knows."""


@dataclass(frozen=True)
class Found:
    """What answers to some words at a moment.

    Attributes:
        presence: whether it is there.
        things: the best first; of those not surely there as well, so that they can be named.
        scores: how well each fits, 0..1.
        message: what else there is to say, such as why it is unsure.
    """

    presence: Presence
    things: tuple[Thing, ...]
    scores: tuple[float, ...]
    message: str = ""


class Scene(Protocol):
    """Things over time, and a camera that moved.

    Properties:
        span_ns: stamps of the first and the last frame.
        map_frame: name of the frame of all coordinates; z points up.
    """

    @property
    def span_ns(self) -> tuple[int, int]: ...
    @property
    def map_frame(self) -> str: ...

    def find(self, words: str, stamp_ns: int) -> Found:
        """What answers to words at a moment.

        Raises:
            NotUnderstoodError: words that nobody can make sense of.
        """

    def find_over(self, words: str, since_ns: int, until_ns: int) -> Found:
        """What answered to words at any moment of a span; errors as `find`."""

    def things_at(self, stamp_ns: int) -> Sequence[Thing]:
        """All that is known to have been there, the room itself left out."""

    def things_over(self, since_ns: int, until_ns: int) -> Sequence[Thing]:
        """All whose history is known and that were there at some moment of a span, each once."""

    def thing(self, number: int) -> Thing | None:
        """The thing of an id that was given out."""

    def view_at(self, stamp_ns: int) -> tuple[PinholeCamera, Pose]:
        """Camera and `T_map_camera` [4, 4] at a moment."""

    def depth(self, stamp_ns: int, camera: PinholeCamera, T: Pose) -> NDArray[np.float32]:
        """Depth [H, W] in m of the scene at a moment as seen from a pose, 0 where there is none."""

    def color_of(self, thing: Thing, stamp_ns: int) -> tuple[tuple[str, float], ...]:
        """Colour words with shares of what the thing looks like, most first; () unknown."""
