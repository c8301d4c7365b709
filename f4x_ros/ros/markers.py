# SPDX-License-Identifier: Apache-2.0
"""Tracks for RViz: boxes with axes, names, velocities, trails, and boxes of what is to come."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from f4x_ros.core.data import Prediction, Track, TrackState
from f4x_ros.ros.conversions import track_msg
from f4x_ros.viz.boxes import edges
from f4x_ros.viz.palette import Rgb, color_of_label

_OPACITY = {TrackState.TENTATIVE: 0.15, TrackState.CONFIRMED: 0.4, TrackState.OCCLUDED: 0.2}
_TRAIL_POINTS = 200
_TRAIL_STEP_M = 0.01
"""A trail gets a new point where the object has moved by this."""
_KNOWN_RAD = 0.7  # standard deviation of an orientation from which on it has no axes
_AXIS_M = 0.12  # how far axes stick out of the box
_AXES: tuple[Rgb, ...] = ((230, 60, 50), (60, 190, 70), (70, 110, 240))
_ARROW_S = 0.5  # an arrow is as long as the way of this time


class TrackMarkers:
    """Remembers what it has shown: what is gone gets a DELETE, what moves leaves a trail."""

    def __init__(self) -> None:
        self._trails: dict[int, deque[Point]] = {}
        self._shown: set[tuple[str, int]] = set()

    def update(
        self,
        tracks: Sequence[Track],
        prompts: tuple[str, ...],
        head: Header,
        predictions: Sequence[Prediction] = (),
    ) -> MarkerArray:
        """Markers of the tracks of one moment; tracks that are LOST or missing are deleted.

        Of `predictions` those of moving tracks are shown.
        """
        there = {t.id: t for t in tracks if t.state is not TrackState.LOST}
        self._trails = {number: own for number, own in self._trails.items() if number in there}
        ahead = {one.track.id: one.ahead for one in predictions if one.track.moving}
        made = [
            marker
            for track in there.values()
            for marker in self._markers(track, ahead.get(track.id, ()), prompts, head)
        ]
        shown = {(marker.ns, marker.id) for marker in made}
        gone = [
            Marker(header=head, ns=ns, id=number, action=Marker.DELETE)
            for ns, number in sorted(self._shown - shown)
        ]
        self._shown = shown
        return MarkerArray(markers=[*gone, *made])

    def clear(self, head: Header) -> MarkerArray:
        """Delete everything shown so far."""
        self._trails.clear()
        self._shown.clear()
        return MarkerArray(markers=[Marker(header=head, action=Marker.DELETEALL)])

    def _markers(
        self, track: Track, ahead: Sequence[Track], prompts: tuple[str, ...], head: Header
    ) -> list[Marker]:
        message = track_msg(track)
        color = color_of_label(track.label, prompts)
        box = Marker(header=head, ns="boxes", id=track.id, type=Marker.CUBE)
        box.pose = message.pose.pose
        box.scale = message.size
        box.color = _color(color, _OPACITY[track.state])
        name = Marker(header=head, ns="names", id=track.id, type=Marker.TEXT_VIEW_FACING)
        name.pose.position = Point(
            x=message.pose.pose.position.x,
            y=message.pose.pose.position.y,
            z=message.pose.pose.position.z + float(max(track.size)) / 2 + 0.06,
        )
        name.pose.orientation.w = 1.0
        name.scale.z = 0.08
        name.color = _color((255, 255, 255), 1.0)
        name.text = f"{track.label} {track.id}"
        trail = _lines("trails", track, head, Marker.LINE_STRIP, 0.01)
        trail.color = _color(color, 1.0)
        trail.points = self._extended_trail(track.id, message.pose.pose.position)
        made = [box, name, trail]
        if _is_turned(track):
            made.append(_axes(track, head))
        if track.moving:
            made.append(_arrow(track, color, head))
        if ahead:
            made.append(_to_come(track, ahead, color, head))
        return made

    def _extended_trail(self, track_id: int, position: Point) -> list[Point]:
        trail = self._trails.setdefault(track_id, deque(maxlen=_TRAIL_POINTS))
        if not trail or _distance(trail[-1], position) > _TRAIL_STEP_M:
            trail.append(position)
        # (a line needs two points, or RViz complains)
        return [*trail, position] if len(trail) < 2 else list(trail)


def _is_turned(track: Track) -> bool:
    """Whether it is known how it is turned."""
    return float(np.diag(track.pose_covariance)[3:].max()) < _KNOWN_RAD**2


def _axes(track: Track, head: Header) -> Marker:
    """Its axes x, y, z in red, green, blue, from its middle to outside of its box."""
    marker = _lines("axes", track, head, Marker.LINE_LIST, 0.015)
    turn = Rotation.from_quat(track.orientation).as_matrix()
    for axis, color in enumerate(_AXES):
        end = track.position + turn[:, axis] * (track.size[axis] / 2 + _AXIS_M)
        marker.points += [_point(track.position), _point(end)]
        marker.colors += [_color(color, 1.0)] * 2
    return marker


def _arrow(track: Track, color: Rgb, head: Header) -> Marker:
    """Where it moves, as long as the way of half a second."""
    marker = Marker(header=head, ns="velocities", id=track.id, type=Marker.ARROW)
    marker.pose.orientation.w = 1.0
    marker.scale.x, marker.scale.y, marker.scale.z = 0.02, 0.05, 0.06
    marker.color = _color(color, 1.0)
    marker.points = [_point(track.position), _point(track.position + _ARROW_S * track.velocity)]
    return marker


def _to_come(track: Track, ahead: Sequence[Track], color: Rgb, head: Header) -> Marker:
    """The edges of the boxes to come, fainter the later, and the way to their middles."""
    marker = _lines("predictions", track, head, Marker.LINE_LIST, 0.008)
    middles = [track.position, *(one.position for one in ahead)]
    for number, one in enumerate(ahead):
        drawn = [*edges(one).reshape(-1, 3), middles[number], middles[number + 1]]
        marker.points += [_point(xyz) for xyz in drawn]
        marker.colors += [_color(color, 0.8 / (1 + number))] * len(drawn)
    return marker


def _lines(ns: str, track: Track, head: Header, kind: int, width_m: float) -> Marker:
    marker = Marker(header=head, ns=ns, id=track.id, type=kind)
    marker.pose.orientation.w = 1.0
    marker.scale.x = width_m
    return marker


def _point(xyz: ArrayLike) -> Point:
    x, y, z = np.asarray(xyz, np.float64).tolist()
    return Point(x=x, y=y, z=z)


def _distance(a: Point, b: Point) -> float:
    squares = (a.x - b.x) ** 2 + (a.y - b.y) ** 2 + (a.z - b.z) ** 2
    return float(squares**0.5)


def _color(rgb: Rgb, opacity: float) -> ColorRGBA:
    r, g, b = (channel / 255 for channel in rgb)
    return ColorRGBA(r=r, g=g, b=b, a=opacity)
