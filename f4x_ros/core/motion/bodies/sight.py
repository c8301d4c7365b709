# SPDX-License-Identifier: Apache-2.0
"""One frame while bodies are looked for in it: what it shows, what of that is known already."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose, inverse
from f4x_ros.core.motion.bodies.jitter import Jitter
from f4x_ros.core.motion.bodies.labels import AtRest
from f4x_ros.core.motion.bodies.picture import Image, Mask, RgbdPicture

_CACHED = ("rays", "known", "jumps", "smooth", "surface", "channels")
_FAR = np.float32(1e3)


@dataclass(frozen=True, eq=False)
class Sight:
    """A frame, or a part of it.

    Attributes:
        time_s: seconds of the field.
        interval_s: usual time from frame to frame.
        jitter: by how much what rests seems to move.
        T_map_camera: [4, 4].
        picture: [H, W] of it.
        rest: what the map without its followed bodies says of it.
        taken: [H, W] int32 body of each pixel, 0 = none; written as bodies are found.
    """

    time_s: float
    interval_s: float
    jitter: Jitter
    T_map_camera: Pose
    picture: RgbdPicture
    rest: AtRest
    taken: NDArray[np.int32]

    @property
    def T_camera_map(self) -> Pose:
        """[4, 4]."""
        return inverse(self.T_map_camera)

    @property
    def changed(self) -> Mask:
        """[H, W] pixels of what came, or goes, and is of no body yet."""
        return np.asarray((self.rest.front | self.rest.moving) & (self.taken == 0))

    def part(self, rows: slice, columns: slice) -> Sight:
        """A part of the frame; what is written into its `taken` is written into the whole."""
        window = rows, columns
        camera, whole = self.picture.camera, self.picture
        small = replace(
            whole,
            camera=PinholeCamera(
                columns.stop - columns.start,
                rows.stop - rows.start,
                camera.fx,
                camera.fy,
                camera.cx - columns.start,
                camera.cy - rows.start,
            ),
            rgb=whole.rgb[window],
            depth=whole.depth[window],
        )
        for name in _CACHED:  # at jumps and rims the whole knows better
            value = getattr(whole, name)
            cut = tuple(one[window] for one in value) if name == "surface" else value[window]
            small.__dict__[name] = cut
        rest = AtRest(*(one[window] for one in self.rest))
        return replace(self, picture=small, rest=rest, taken=self.taken[window])

    def around(self, points: NDArray[np.floating], margin_px: int) -> Sight | None:
        """The part that shows some points [N, 3] (camera frame), and so much more; None: none."""
        before = points[points[:, 2] > 0.05]
        if not len(before):
            return None
        u, v = self.picture.project(before)
        height, width = self.picture.depth.shape
        left, right = (int(np.clip(one, -1e6, 1e6)) for one in (u.min(), u.max()))
        top, bottom = (int(np.clip(one, -1e6, 1e6)) for one in (v.min(), v.max()))
        columns = slice(max(left - margin_px, 0), min(right + margin_px + 2, width))
        rows = slice(max(top - margin_px, 0), min(bottom + margin_px + 2, height))
        if columns.start >= columns.stop or rows.start >= rows.stop:
            return None
        return self.part(rows, columns)

    def surface(self, mask: Mask) -> NDArray[np.float64]:
        """[M, 3] of the surface that a mask [H, W] shows, map frame."""
        inner = mask & self.picture.known & ~self.picture.jumps
        inner = inner if inner.any() else mask & self.picture.known
        there = self.picture.rays[inner] * self.picture.smooth[inner][:, None]
        return np.asarray(there @ self.T_map_camera[:3, :3].T + self.T_map_camera[:3, 3])

    def shows(
        self, means: NDArray[np.floating], where: Mask, least_m: float = 0.03
    ) -> tuple[Mask, Mask]:
        """Which points [N, 3] of the map are on what it shows; which lie in a mask [H, W] of it.

        A point is on a surface that is within `least_m`, or the noise of the depth.
        """
        T = self.T_camera_map
        there = means @ T[:3, :3].T + T[:3, 3]
        rows, columns, inside = self.picture.pixels(there)
        return self.picture.shows(there, least_m), inside & where[rows, columns]


def spread(drawn: Image, pixels: int) -> Image:
    """Depth [H, W] carried on to the pixels around it that have none; the nearest wins."""
    far = np.where(drawn > 0, drawn, _FAR)
    near = cv2.erode(far, np.ones((2 * pixels + 1,) * 2, np.uint8))
    return np.where(drawn > 0, drawn, near).astype(np.float32)
