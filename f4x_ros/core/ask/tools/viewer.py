# SPDX-License-Identifier: Apache-2.0
"""Somebody who looks: the camera, a moving thing by its own front, or one who stands somewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from f4x_ros.core.ask.tools.resolve import CAMERA, Moment, named, place_at, seconds_of, thing_at
from f4x_ros.core.ask.tools.result import unsure
from f4x_ros.core.ask.tools.scene import Scene, State, Thing, Vector
from f4x_ros.core.ask.tools.space import bearing

SLOW_MPS = 0.05
"""Slower things go nowhere: they have no heading."""

_CLEAR = 0.4  # standard deviations from which a side is decided
_LOOK_BACK_S = 20.0
_STEP_S = 0.1


@dataclass(frozen=True, eq=False)
class Viewer:
    """Where somebody is and looks, seen from above.

    Attributes:
        name: for people.
        words: as the viewer was called.
        number: id of the thing, 0 for the camera.
        eye: [3] m.
        forward: [3] horizontal unit vector.
        evidence: how that is known.
    """

    name: str
    words: str
    number: int
    eye: Vector
    forward: Vector
    evidence: tuple[str, ...]

    def angle(self, state: State) -> tuple[float, float]:
        """Bearing of a thing in rad, left positive, and how far it may be off."""
        away = float(np.linalg.norm((state.center - self.eye)[:2]))
        sigma = float(state.sigma_m[:2].max()) if state.sigma_m.size else 0.0
        return bearing(self.eye, self.forward, state.center), _CLEAR * sigma / max(away, 0.1)

    def ahead(self, state: State) -> float:
        """How far ahead of the viewer a thing is, m."""
        return float((state.center - self.eye) @ self.forward)


def viewer_of(scene: Scene, view: str, towards: str | None, then: Moment) -> Viewer:
    """The camera as it was, or a thing: looking at `towards`, else the way it goes.

    Raises:
        NoValueError: it is not there, or its front is not known as it never moved.
    """
    if view == CAMERA:
        T = np.asarray(scene.view_at(then.ns)[1], np.float64)
        forward = _flat(T[:3, 2])
        if towards is not None:
            forward = _flat(place_at(scene, towards, then)[2].center - T[:3, 3])
        return Viewer(CAMERA, CAMERA, 0, T[:3, 3].copy(), forward, ())
    thing, state = thing_at(scene, view, then)
    if towards is not None:
        other, _, goal = place_at(scene, towards, then)
        forward = _flat(goal.center - state.center)
        said = f"standing at {named(thing)}, looking at {other}"
        return Viewer(f"one at {named(thing)}", view, thing.id, state.center, forward, (said,))
    forward, said = _front(scene, thing, state, then)
    return Viewer(named(thing), view, thing.id, state.center, forward, (said,))


def _front(scene: Scene, thing: Thing, state: State, then: Moment) -> tuple[Vector, str]:
    """The way a thing goes, or went last: what is taken for its front."""
    if state.moving and np.linalg.norm(state.velocity[:2]) >= SLOW_MPS:
        return _flat(state.velocity), "its front is the way it goes"
    first = max(thing.span_ns()[0], then.ns - int(_LOOK_BACK_S * 1e9))
    for ns in range(then.ns, first - 1, -int(_STEP_S * 1e9)):
        earlier = thing.state_at(ns)
        if earlier is None:
            break
        if earlier.moving and np.linalg.norm(earlier.velocity[:2]) >= SLOW_MPS:
            return _flat(earlier.velocity), (
                f"its front is the way it went last, at {seconds_of(scene, ns):.1f} s"
            )
    raise unsure(
        f"the front of {named(thing)} is not known: it has not moved", (thing.id,), (then.ns,)
    )


def _flat(way: Vector) -> Vector:
    """A horizontal unit vector; straight up or down has none and looks along +x."""
    flat = np.array([way[0], way[1], 0.0])
    length = float(np.linalg.norm(flat))
    return flat / length if length > 1e-6 else np.array([1.0, 0.0, 0.0])
