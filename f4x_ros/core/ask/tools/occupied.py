# SPDX-License-Identifier: Apache-2.0
"""What pictures of the map say of a thing's place: whether it is taken, since when, its colours."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.ask.tools.scene import State, Thing, even_stamps
from f4x_ros.core.data import PinholeCamera, Pose, RenderedView
from f4x_ros.core.features.color_terms import TERMS, memberships

_MARGIN_M = 0.03
_TAKEN = 0.4  # share of a place's pixels with a surface in it
_LEAST_PX = 6
_SOONEST_NS = 300_000_000  # after the first frame: what comes earlier was only not made out
_EXACT_NS = 50_000_000  # of the moment at which a place was taken or left
_LOOKS = 6
_RIM = 0.15  # of a box that colours are not taken from, as it holds what is beside the thing


class Pictures(Protocol):
    """What is needed of a scene."""

    @property
    def span_ns(self) -> tuple[int, int]: ...
    def view_at(self, stamp_ns: int) -> tuple[PinholeCamera, Pose]: ...
    def seen(self, stamp_ns: int, camera: PinholeCamera, T_map_camera: Pose) -> RenderedView: ...


def came_ns(scene: Pictures, thing: Thing) -> int | None:
    """When a thing came: from where it was first seen from, its place is looked at before that."""
    moments = _seen_moments(scene, thing)
    since = scene.span_ns[0]
    if not moments or moments[0] - since < _SOONEST_NS:
        return None
    if (first := thing.state_at(moments[0])) is None or first.moving:
        return None
    # Of a thing that was there before it was first made out, some later view knows more
    views = [(ns, state) for ns in moments[:3] if (state := thing.state_at(ns)) is not None]
    told = [_taken(scene, state, since, ns) for ns, state in views if not state.moving]
    if True in told or False not in told:
        return None
    ns, state = next(
        (ns, state) for (ns, state), taken in zip(views, told, strict=False) if taken is False
    )
    return _change(scene, state, ns, empty_ns=since, taken_ns=moments[0])


def gone_ns(scene: Pictures, thing: Thing) -> int | None:
    """When a thing went: from where it was last seen from, its place is looked at after that."""
    seen = getattr(thing, "last_row", None)
    if seen is None:
        return _spotted_gone(scene, thing)
    last, track = seen()
    until = scene.span_ns[1]
    if track is None or track.moving or last >= until:
        return None
    state = State(track.position, track.size, *(np.zeros(3),) * 3, moving=False, seen=True)
    if _taken(scene, state, last, last) is False or _taken(scene, state, until, last) is not False:
        return None
    return _change(scene, state, last, empty_ns=until, taken_ns=last)


def _spotted_gone(scene: Pictures, thing: Thing) -> int | None:
    """Of a thing that is only known by words: after the last moment at which they find it."""
    moments = _seen_moments(scene, thing)
    if not moments or moments[-1] >= scene.span_ns[1]:
        return None
    state, until = thing.state_at(moments[-1]), scene.span_ns[1]
    if state is None or _taken(scene, state, until, moments[-1]) is not False:
        return None
    return _change(scene, state, moments[-1], empty_ns=until, taken_ns=moments[-1])


def _change(scene: Pictures, state: State, view_ns: int, *, empty_ns: int, taken_ns: int) -> int:
    """The moment between two at which a place was taken or left, by halving."""
    while abs(taken_ns - empty_ns) > _EXACT_NS:
        middle = (empty_ns + taken_ns) // 2
        if _taken(scene, state, middle, view_ns) is False:
            empty_ns = middle
        else:
            taken_ns = middle
    return (empty_ns + taken_ns) // 2


def _taken(scene: Pictures, state: State, stamp_ns: int, view_ns: int) -> bool | None:
    """Whether a box holds a surface at a moment, as seen from where the camera was at another.

    None where it is not in the picture, or hidden.
    """
    camera, T = scene.view_at(view_ns)
    picture = scene.seen(stamp_ns, camera, T)
    inside, behind = _pixels(state, picture.depth, camera, T)
    known = int(inside.sum() + behind.sum())
    if known < _LEAST_PX:
        return None
    return float(inside.sum()) / known >= _TAKEN


def _pixels(
    state: State, depth: NDArray[np.float32], camera: PinholeCamera, T_map_camera: Pose
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels [H, W] whose surface is in a box, and those that look through it."""
    T = np.asarray(T_map_camera, np.float64)
    rays = camera.pixel_rays().reshape(-1, 3) @ T[:3, :3].T
    low, high = state.low - _MARGIN_M, state.high + _MARGIN_M
    # What it stands on is not in the box
    low[2] = min(state.low[2] + 0.02, float(state.center[2]))
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (low - T[:3, 3]) / rays, (high - T[:3, 3]) / rays
    near = np.nanmax(np.minimum(first, second), axis=1)
    far = np.nanmin(np.maximum(first, second), axis=1)
    there = depth.reshape(-1).astype(np.float64)
    hit = (far > np.maximum(near, 0.05)) & (there > 0)
    inside = hit & (there >= near) & (there <= far)
    behind = hit & (there > far)
    # Pixels at the rim of the box look past the thing in any case
    return inside.reshape(depth.shape), behind.reshape(depth.shape)


def color_words(scene: Pictures, thing: Thing, stamp_ns: int) -> tuple[tuple[str, float], ...]:
    """Colour words with shares of what a thing looks like where the camera saw most of it."""
    best: NDArray[np.uint8] | None = None
    for ns in _seen_moments(scene, thing, around=stamp_ns):
        state = thing.state_at(ns)
        if state is None:
            continue
        camera, T = scene.view_at(ns)
        picture = scene.seen(ns, camera, T)
        core = State(state.center, state.size * (1 - _RIM), *(np.zeros(3),) * 3,
                     moving=False, seen=True)  # fmt: skip
        inside, _ = _pixels(core, picture.depth, camera, T)
        inside &= picture.alpha >= 0.5
        if best is None or int(inside.sum()) > len(best):
            best = picture.color[inside]
    if best is None or len(best) < _LEAST_PX:
        return ()
    shares = memberships(best.astype(np.float64) / 255).mean(0)
    order = np.argsort(-shares)
    return tuple((TERMS[k].replace("grey", "gray"), float(shares[k])) for k in order)


def _seen_moments(scene: Pictures, thing: Thing, around: int | None = None) -> list[int]:
    """Some moments at which a thing was in sight, first and last among them, in order."""
    first, last = thing.span_ns()
    since, until = scene.span_ns
    first, last = max(first, since), min(last, until)
    stamps = even_stamps(first, last, _LOOKS)
    if around is not None and first <= around <= last:
        stamps = sorted({*stamps, around})
    states = [(ns, thing.state_at(ns)) for ns in stamps]
    return [ns for ns, state in states if state is not None and state.seen]
