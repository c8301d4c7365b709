# SPDX-License-Identifier: Apache-2.0
"""The ways of points over a picture: what was out of sight is drawn thin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PointTracks, ShownView, inverse
from f4x_ros.viz.palette import color_of

_WIDTH_PX = 640  # a smaller picture is enlarged, so that lines are lines


def draw_ways(shown: ShownView, found: PointTracks) -> NDArray[np.uint8]:
    """The view with the way of each point: a dot where it is then, a line to where it goes."""
    scale = max(1, round(_WIDTH_PX / shown.camera.width))
    out = np.ascontiguousarray(np.repeat(np.repeat(shown.color, scale, 0), scale, 1))
    T = inverse(shown.T_map_camera)
    stamps = np.array(found.stamps_ns)
    now = int(np.abs(stamps - shown.stamp_ns).argmin())
    for number in range(len(found.bodies)):
        way = found.positions[:, number] @ T[:3, :3].T + T[:3, 3]
        at = shown.camera.project(way) * scale
        color = color_of(number + 1)
        for k in range(len(at) - 1):
            if np.isfinite(at[k : k + 2]).all() and np.abs(at[k : k + 2]).max() < 10 * out.shape[1]:
                hidden = found.visible is not None and not found.visible[k, number]
                ends = [tuple(np.rint(one).astype(int).tolist()) for one in at[k : k + 2]]
                cv2.line(out, ends[0], ends[1], color, 1 if hidden else 2, cv2.LINE_AA)
        if np.isfinite(at[now]).all():
            place = tuple(np.rint(at[now]).clip(-1e4, 1e4).astype(int).tolist())
            cv2.circle(out, place, 5, color, -1, cv2.LINE_AA)
            cv2.circle(out, place, 5, (255, 255, 255), 1, cv2.LINE_AA)
    return out
