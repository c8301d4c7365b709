# SPDX-License-Identifier: Apache-2.0
"""The map with edits as tools ask it: without what was removed, what was moved is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from f4x_ros.core.ask.tools import Door
from f4x_ros.core.data import PinholeCamera, Pose, QueryResult, RenderedView
from f4x_ros.core.edit.shown import EDITED, Shown
from f4x_ros.core.objects import Life


class LayeredDoor(Door, Protocol):
    """A map that draws and answers in layers; `core.perception.Perception` is one."""

    def query_all(
        self,
        texts: Sequence[str],
        *,
        stamp_ns: int = 0,
        want_cloud: bool = True,
        layer: str = ...,
    ) -> list[QueryResult]: ...
    def render(
        self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int = 0, *, layer: str = ...
    ) -> RenderedView: ...


class EditedDoor:
    """A map with its edits. Tracks of what was edited are left out: they say where it was."""

    def __init__(self, door: LayeredDoor, shown: Shown) -> None:
        self._door, self._shown = door, shown

    @property
    def stamp_ns(self) -> int:
        """Of the last frame."""
        return self._door.stamp_ns

    @property
    def span_ns(self) -> tuple[int, int]:
        """Of the first and the last frame."""
        return self._door.span_ns

    @property
    def map_frame(self) -> str:
        """Fixed frame of all positions."""
        return self._door.map_frame

    @property
    def lives(self) -> tuple[Life, ...]:
        """Histories of the tracks that no edit displaced."""
        displaced = self._displaced()
        return tuple(one for one in self._door.lives if one.id not in displaced)

    def _displaced(self) -> set[int]:
        return {
            thing
            for one in self._shown.edits
            if one.region is not None and one.kind in ("remove", "move")
            for thing in one.region.things
        }

    def query_all(
        self, texts: Sequence[str], *, stamp_ns: int = 0, want_cloud: bool = True
    ) -> list[QueryResult]:
        """As `Perception.query_all`; what an edit displaced is found without its track."""
        displaced = self._displaced()
        found = self._door.query_all(texts, stamp_ns=stamp_ns, want_cloud=want_cloud, layer=EDITED)
        return [
            replace(
                one,
                tracks=tuple(replace(t, id=0) if t.id in displaced else t for t in one.tracks),
            )
            for one in found
        ]

    def misunderstood(self, texts: Sequence[str]) -> dict[str, str]:
        """As `Perception.misunderstood`."""
        return self._door.misunderstood(texts)

    def viewpoint(self, view: Pose | None = None, stamp_ns: int = 0) -> tuple[PinholeCamera, Pose]:
        """As `Perception.viewpoint`."""
        return self._door.viewpoint(view, stamp_ns)

    def render(self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int = 0) -> RenderedView:
        """As `Perception.render`."""
        return self._door.render(camera, T_map_camera, stamp_ns, layer=EDITED)
