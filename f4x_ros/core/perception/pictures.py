# SPDX-License-Identifier: Apache-2.0
"""What a map shows: its span, clouds, pictures from anywhere, points through time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from numpy.typing import ArrayLike

from f4x_ros.core.ask import (
    Asker,
    PromptSet,
)
from f4x_ros.core.config import Config
from f4x_ros.core.data import (
    Cloud,
    Frustum,
    PinholeCamera,
    PointTracks,
    Pose,
    RenderedView,
    ShownView,
)
from f4x_ros.core.edit import EDITED, MEASURED, Editor, check_layer
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import Snapshot, brought_here, take_snapshot, to_picture
from f4x_ros.core.objects import Life
from f4x_ros.core.observe import apply
from f4x_ros.core.world import (
    MapCloud,
    Memory,
    cloud_of,
    followed,
    moments,
    shown,
    surface_points,
)


class Pictures:
    """A map that is looked at.

    Attributes:
        config: all options.
        backend: rasteriser, resolved.
    """

    config: Config
    backend: str
    _memory: Memory
    _asker: Asker
    _prompts: PromptSet
    _editor: Editor
    _map_cloud: MapCloud

    @property
    def stamp_ns(self) -> int:
        """Stamp of the last frame; 0 before the first."""
        return self._memory.stamp_ns

    @property
    def span_ns(self) -> tuple[int, int]:
        """Stamps of the first and the last frame of all; NotReadyError before the first."""
        return self._memory.cameras.span_ns

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that had a frame, by precedence; ("",) of one without a name."""
        return tuple(camera.name for camera in self._memory.cameras.known)

    @property
    def map_frame(self) -> str:
        """Fixed frame of all positions; NotReadyError before the first frame."""
        return self._memory.viewpoint(None, 0)[0].map_frame

    @property
    def lives(self) -> tuple[Life, ...]:
        """The histories of all tracks, also of those that are no more; not to be changed."""
        return self._memory.tracker.lives

    def cloud(self, layer: str = MEASURED) -> Cloud:
        """The semantic cloud of the whole map in memory at the last frame's time.

        That of a frame (`Percept.cloud`) has what is in view. What has not changed since the last
        call is not worked out again, but in the layer "edited".

        Raises:
            NotReadyError: no frame yet.
            ValueError: no such layer.
        """
        self._memory.viewpoint(None, 0)
        check_layer(layer)
        if layer == EDITED and self._editor.edits:
            snapshot = self._editor.shown.at(None).snapshot
            return cloud_of(self._memory, self._asker, self._prompts, snapshot)
        return self._map_cloud.cloud(self._memory, self._asker, self._prompts)

    def viewpoint(
        self, view: Pose | None = None, stamp_ns: int = 0, camera_name: str = ""
    ) -> tuple[PinholeCamera, Pose]:
        """Camera and `T_map_camera` that questions take unless told: those of the last frame, then.

        Of several cameras, those of the named one, or of the first of `cameras`.

        Raises:
            ValueError: no frame yet, a stamp outside of what was recorded, a view that is no pose.
        """
        last, pose, _ = self._memory.viewpoint(view, stamp_ns, camera_name)
        return last.camera, pose

    @torch.no_grad()
    def render(
        self,
        camera: PinholeCamera,
        T_map_camera: Pose,
        stamp_ns: int = 0,
        *,
        layer: str = MEASURED,
        camera_name: str = "",
    ) -> RenderedView:
        """The field seen from anywhere, at the last frame's time or at a past one, in a layer.

        With the exposure that a camera had then, by its name, or the first of `cameras`.
        """
        check_layer(layer)
        _, pose, time_s = self._memory.viewpoint(T_map_camera, stamp_ns, camera_name)
        then = time_s if stamp_ns else None
        if layer == EDITED and self._editor.edits:
            snapshot = self._editor.shown.at(then).snapshot
        else:
            field = self._memory.field
            seen = {*field.rest.met_by([Frustum(camera, pose, self.config.mapping.range_m)])}
            if then is not None:
                seen.update(self._memory.went_on(then))
            snapshot = take_snapshot(field, then, blocks=sorted(seen))
        out = snapshot.render(snapshot.colors, camera, pose, self.backend)
        exposures = self._memory.cameras.named(camera_name).exposures
        return to_picture(out, exposures.at(time_s))

    def show(
        self,
        stamp_ns: int = 0,
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
        *,
        camera_name: str = "",
        orbit_rad: float = 0.0,
        width: int = 0,
        prompts: Sequence[str] | None = None,
        want_labels: bool = True,
        want_velocity: bool = False,
    ) -> ShownView:
        """The map seen from anywhere at any moment, with the labels that `~/masks` would have.

        Args:
            stamp_ns: the moment; 0 = that of the last frame.
            view: `T_map_camera` [4, 4] to look from; None = where the camera was then.
            camera: intrinsics; None = those of the last frame.
            camera_name: whose pose, last frame and exposure are meant; "" = the first of `cameras`.
            orbit_rad: turn of the view about what is in its middle, around the map's z axis;
                positive: the camera goes to the right.
            width: columns of the pictures; 0 = those of the camera. Rows follow.
            prompts: what the labels mean; None = the standing prompts.
            want_labels: whether to make them.
            want_velocity: whether to say how fast the surface of each pixel goes (scene flow).

        Raises:
            NotUnderstoodError: a prompt is not understood.
            ValueError: a moment that was not recorded or has not been yet, a view that is no pose,
                an orbit or a size that is not as expected, or no frame yet.
        """
        asked = self._prompts if prompts is None else self._asker.prompts(prompts)
        return shown(
            self._memory, self._asker, asked if want_labels else None,
            stamp_ns=stamp_ns, view=view, camera=camera, orbit_rad=orbit_rad, width=width,
            camera_name=camera_name,
            want_velocity=want_velocity,
        )  # fmt: skip

    def follow_points(
        self,
        pixels: ArrayLike | None = None,
        *,
        points: ArrayLike | None = None,
        stamp_ns: int = 0,
        stamps_ns: Sequence[int],
        view: Pose | None = None,
        camera: PinholeCamera | None = None,
        camera_name: str = "",
        want_visible: bool = True,
    ) -> PointTracks:
        """Where points of a surface were at other moments, in sight or not (point tracks).

        Args:
            pixels: [N, 2] columns and rows of the view, N up to 1000; or
            points: [N, 3] positions on a surface, map frame.
            stamp_ns: the moment they are picked at; 0 = that of the last frame.
            stamps_ns: [T] the moments they are wanted at, before or after, up to 1000; up to 200
                with `want_visible`, and up to 100,000 / N.
            view: `T_map_camera` [4, 4] the pixels are of; None = where the camera was then.
            camera: its intrinsics; None = those of the last frame.
            camera_name: whose view it is, and who saw them; "" = the first of `cameras`.
            want_visible: whether to say in which the camera saw them: a picture each.

        Raises:
            NotReadyError: no frame yet.
            ValueError: none or both of pixels and points, more than that many, a pixel that shows
                nothing, a stamp outside of what was recorded.
        """
        last, pose, _ = self._memory.viewpoint(view, stamp_ns, camera_name)
        if (pixels is None) == (points is None):
            raise BadInputError("expected one of pixels and points")
        if pixels is not None:
            looked = camera or last.camera
            picture = self.render(looked, pose, stamp_ns)
            points = surface_points(pixels, picture.depth, looked, pose)
        assert points is not None
        return followed(
            self._memory, points, stamp_ns, stamps_ns, self.backend,
            want_visible=want_visible, camera_name=camera_name,
        )  # fmt: skip

    def moments(self, since_ns: int = 0, until_ns: int = 0, step_s: float = 0.0) -> list[int]:
        """Stamps of a span, for `follow_points`; see `core.world.points.moments`."""
        self._memory.viewpoint(None, 0)
        return moments(self._memory, since_ns, until_ns, step_s)

    @torch.no_grad()
    def snapshot(self, stamp_ns: int = 0) -> Snapshot:
        """All Gaussians in memory as they are at the last frame's time, or were at a past one.

        Args:
            stamp_ns: the moment; 0 = that of the last frame.

        Returns:
            On the CPU, with the colours that the camera's exposure gave them then.

        Raises:
            NotReadyError: no frame yet.
            ValueError: a stamp outside of what was recorded.
        """
        _, _, time_s = self._memory.viewpoint(None, stamp_ns)
        taken = take_snapshot(self._memory.field, time_s if stamp_ns else None)
        opaque = torch.ones_like(taken.opacities)
        seen = apply(self._memory.cameras.main.exposures.at(time_s), taken.colors, opaque)
        return brought_here(replace(taken, colors=seen))
