# SPDX-License-Identifier: Apache-2.0
"""What is exactly so at one frame of a world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.sim.motion import Pose, velocity_of
from f4x_ros.sim.raycast import Drawing
from f4x_ros.sim.scene import Scene


@dataclass(frozen=True, eq=False)
class WorldTruth:
    """What is exactly so at one frame.

    Dictionaries are keyed by instance id; an object that does not exist at that moment is in none.

    Attributes:
        stamp_ns: stamp of the frame.
        T_map_camera: ``[4, 4]`` optical frame to map.
        depth: ``[H, W]`` float32, metres along the optical axis, 0 = nothing hit.
        instances: ``[H, W]`` uint16 instance id of the pixel's centre, 0 = nothing hit.
        classes: ``[H, W]`` uint16 class id (`CLASS_IDS`), 0 = nothing hit.
        T_map_object: ``[4, 4]`` object frame to map; the object frame's origin is the centre of
            the object's base, the middle of a ball, the middle of a picture or window.
        T_map_center: ``[4, 4]`` the same axes with the origin in the middle of the object's box.
        moving: whether the object, or a limb of it, moves at this instant.
        velocity: ``[3]`` m/s of the middle of the box, map frame.
        angular_velocity: ``[3]`` rad/s, map frame.
        visibility: visible share 0..1 of the object's silhouette, see `visibility.seen_share`.
    """

    stamp_ns: int
    T_map_camera: Pose
    depth: NDArray[np.float32]
    instances: NDArray[np.uint16]
    classes: NDArray[np.uint16]
    T_map_object: dict[int, Pose]
    T_map_center: dict[int, Pose]
    moving: dict[int, bool]
    velocity: dict[int, NDArray[np.float64]]
    angular_velocity: dict[int, NDArray[np.float64]]
    visibility: dict[int, float]

    @property
    def moving_mask(self) -> NDArray[np.bool_]:
        """``[H, W]`` pixels of everything that moves at this instant."""
        return np.isin(self.instances, [number for number, moves in self.moving.items() if moves])

    def mask(self, instances: frozenset[int] | set[int]) -> NDArray[np.bool_]:
        """``[H, W]`` pixels of any of these instances."""
        return np.isin(self.instances, list(instances))


def truth_of(
    scene: Scene, drawing: Drawing, t: float, stamp_ns: int, T_map_camera: Pose
) -> WorldTruth:
    """The truth about a drawing made at time ``t`` [s] from ``T_map_camera``."""
    there = [made for made in scene.objects if made.exists(t)]
    centers, velocity, angular = {}, {}, {}
    for made in there:
        number, to_center = made.label.id, np.eye(4)
        to_center[:3, 3] = made.label.center
        centers[number] = made.pose(t) @ to_center
        velocity[number], angular[number] = velocity_of(
            lambda s, made=made, to_center=to_center: made.pose(s) @ to_center, t
        )
    class_of = np.array([0, *(made.label.class_id for made in scene.objects)], np.uint16)
    return WorldTruth(
        stamp_ns=stamp_ns,
        T_map_camera=T_map_camera,
        depth=drawing.depth,
        instances=drawing.instances,
        classes=class_of[drawing.instances],
        T_map_object={made.label.id: made.pose(t) for made in there},
        T_map_center=centers,
        moving={made.label.id: made.moves(t) for made in there},
        velocity=velocity,
        angular_velocity=angular,
        visibility={made.label.id: float(drawing.visibility[made.label.id]) for made in there},
    )
