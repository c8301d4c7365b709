# SPDX-License-Identifier: Apache-2.0
"""Tracks for RViz: a box, a name and a trail for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from f4x_ros.core.data import Track, TrackState
from f4x_ros.ros.conversions import track_msg
from f4x_ros.viz.palette import color_of_label

_NAMESPACES = ("boxes", "names", "trails")
_OPACITY = {TrackState.TENTATIVE: 0.15, TrackState.CONFIRMED: 0.4, TrackState.OCCLUDED: 0.2}
_TRAIL_POINTS = 200
_TRAIL_STEP_M = 0.01
"""A trail gets a new point where the object has moved by this."""


class TrackMarkers:
    """Remembers what it has shown: what is gone gets a DELETE, what moves leaves a trail."""

    def __init__(self) -> None:
        self._trails: dict[int, deque[Point]] = {}

    def update(
        self, tracks: Sequence[Track], prompts: tuple[str, ...], head: Header
    ) -> MarkerArray:
        """Markers of the tracks of one moment; tracks that are LOST or missing are deleted."""
        shown = {t.id: t for t in tracks if t.state is not TrackState.LOST}
        markers = []
        for gone in [i for i in self._trails if i not in shown]:
            del self._trails[gone]
            markers += [
                Marker(header=head, ns=ns, id=gone, action=Marker.DELETE) for ns in _NAMESPACES
            ]
        for track in shown.values():
            markers += self._markers(track, prompts, head)
        return MarkerArray(markers=markers)

    def clear(self, head: Header) -> MarkerArray:
        """Delete everything shown so far."""
        self._trails.clear()
        return MarkerArray(markers=[Marker(header=head, action=Marker.DELETEALL)])

    def _markers(self, track: Track, prompts: tuple[str, ...], head: Header) -> list[Marker]:
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
        trail = Marker(header=head, ns="trails", id=track.id, type=Marker.LINE_STRIP)
        trail.pose.orientation.w = 1.0
        trail.scale.x = 0.01
        trail.color = _color(color, 1.0)
        trail.points = self._extended_trail(track.id, message.pose.pose.position)
        return [box, name, trail]

    def _extended_trail(self, track_id: int, position: Point) -> list[Point]:
        trail = self._trails.setdefault(track_id, deque(maxlen=_TRAIL_POINTS))
        if not trail or _distance(trail[-1], position) > _TRAIL_STEP_M:
            trail.append(position)
        # (a line needs two points, or RViz complains)
        return [*trail, position] if len(trail) < 2 else list(trail)


def _distance(a: Point, b: Point) -> float:
    squares = (a.x - b.x) ** 2 + (a.y - b.y) ** 2 + (a.z - b.z) ** 2
    return float(squares**0.5)


def _color(rgb: tuple[int, int, int], opacity: float) -> ColorRGBA:
    r, g, b = (channel / 255 for channel in rgb)
    return ColorRGBA(r=r, g=g, b=b, a=opacity)
