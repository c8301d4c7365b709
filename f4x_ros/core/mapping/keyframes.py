# SPDX-License-Identifier: Apache-2.0
"""The keyframes: views kept for optimisation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from f4x_ros.core.config import MappingConfig
from f4x_ros.core.data import poses
from f4x_ros.core.observe import View


class Keyframes:
    """Views kept for optimisation: one per piece of camera motion, at most `config.keyframes`.

    When full, the keyframe most like its neighbours in time goes (the one with the shortest way
    from the one before it to the one after it), so that the oldest parts of the path and its
    turning points stay represented. Neighbours are of the same camera.
    """

    def __init__(self, config: MappingConfig) -> None:
        self._config = config
        self.views: list[View] = []
        self.dropped = 0

    def __len__(self) -> int:
        return len(self.views)

    def offer(self, view: View) -> bool:
        """Keep the view if the camera has moved enough since the last keyframe."""
        own = (one for one in reversed(self.views) if one.camera_name == view.camera_name)
        last = next(own, None)
        if last is not None and not self._is_far(last, view):
            return False
        self.views.append(view)
        if len(self.views) > self._config.keyframes:
            del self.views[self._most_redundant()]
            self.dropped += 1
        return True

    def _is_far(self, a: View, b: View) -> bool:
        moved, turned = _motion(a, b)
        config = self._config
        return moved >= config.keyframe_distance_m or turned >= config.keyframe_angle_rad

    def _most_redundant(self) -> int:
        """Index of the inner keyframe of a camera with the shortest way over it."""
        own: dict[str, list[int]] = {}
        for index, one in enumerate(self.views):
            own.setdefault(one.camera_name, []).append(index)
        over: dict[int, float] = {}
        for indices in own.values():
            pairs = pairwise([self.views[index] for index in indices])
            ways = [sum(_motion(a, b)) for a, b in pairs]
            over.update(zip(indices[1:-1], (a + b for a, b in pairwise(ways)), strict=True))
        return min(over, key=lambda index: over[index], default=0)


def _motion(a: View, b: View) -> tuple[float, float]:
    """How far the camera moved (m) and turned (rad) between two views."""
    moved = float(np.linalg.norm(a.T_map_camera[:3, 3] - b.T_map_camera[:3, 3]))
    return moved, poses.rotation_angle_rad(a.T_map_camera, b.T_map_camera)
