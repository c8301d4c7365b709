# SPDX-License-Identifier: Apache-2.0
"""The clouds for those who subscribe after the last frame.

What nobody has subscribed to is not computed, so a latched topic has nothing for the first who
comes when the camera has stopped. It is made then, once, from the map as it is.
"""

from __future__ import annotations

import dataclasses

from f4x_ros.core.data import Cloud, Frustum
from f4x_ros.core.perception import Perception
from f4x_ros.ros.outputs import OutputTopics
from f4x_ros.ros.worker import Worker


class LateListeners:
    """Looks, when `check` is called, whether somebody waits for a cloud that was never made."""

    def __init__(self, perception: Perception, outputs: OutputTopics, worker: Worker) -> None:
        self._perception, self._outputs, self._worker = perception, outputs, worker
        self._asked = False

    def check(self) -> None:
        """Have the worker make it, between two steps of a frame if there is one at work."""
        if not self._asked and self._perception.stamp_ns and self._outputs.unserved():
            self._asked = True
            self._worker.ask(self._serve)

    def _serve(self) -> None:
        try:
            if not self._perception.stamp_ns:  # (begun anew since)
                return
            cloud = self._perception.cloud()
            for name in self._outputs.unserved():
                made = in_view(cloud, self._frustum()) if name == "cloud" else cloud
                self._outputs.publish_late(name, made, self._perception.stamp_ns)
        finally:
            self._asked = False

    def _frustum(self) -> Frustum:
        camera, pose = self._perception.viewpoint()
        return Frustum(camera, pose, self._perception.config.mapping.range_m)


def in_view(cloud: Cloud, frustum: Frustum) -> Cloud:
    """The points of a cloud that a camera has before it."""
    normals, offsets = frustum.planes()
    rows = (cloud.xyz @ normals.T + offsets >= 0).all(1)
    return Cloud(*(getattr(cloud, one.name)[rows] for one in dataclasses.fields(cloud)))
