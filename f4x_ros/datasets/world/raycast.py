# SPDX-License-Identifier: Apache-2.0
"""Drawing a scene on the CPU: Embree finds what a ray hits, numpy shades it. No OpenGL.

Depth and instance ids come from one ray through each pixel's centre and are exact. Colour adds
four rays to pixels where neighbours differ, so that edges are smooth without tracing everything
five times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from f4x_ros.core.camera import PinholeCamera
from f4x_ros.datasets.world.motion import Pose
from f4x_ros.datasets.world.scene import Scene
from f4x_ros.datasets.world.shading import Hits, Shader, to_srgb

# Four places inside a pixel, no two in one row or column (a rotated grid).
_SUBPIXELS = ((-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375))
_CONTRAST = 0.03  # sRGB difference between neighbours above which a pixel gets more rays


class Drawing(NamedTuple):
    """One frame of a scene."""

    rgb: NDArray[np.uint8]  # [H, W, 3]
    depth: NDArray[np.float32]  # [H, W] metres along the optical axis, 0 = nothing hit
    instances: NDArray[np.uint16]  # [H, W] object id, 0 = nothing hit


class Raycaster:
    """Draws a scene at any time from any camera."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._shader = Shader(scene)
        counts = [len(o.mesh.vertices) for o in scene.objects]
        starts = np.cumsum([0, *counts[:-1]])
        self._faces = np.concatenate(
            [o.mesh.faces + start for o, start in zip(scene.objects, starts, strict=True)]
        ).astype(np.int32)
        ids = [o.label.id for o in scene.objects]
        self._face_id = np.repeat(ids, [len(o.mesh.faces) for o in scene.objects]).astype(np.uint16)

    def draw(self, camera: PinholeCamera, T_map_camera: Pose, t: float, seed: int) -> Drawing:
        """Draw at time ``t`` [s]; ``seed`` decides the grain of soft shadows."""
        poses = np.stack([o.pose(t) for o in self._scene.objects])
        world = self._geometry(poses)
        rng = np.random.default_rng(seed)
        rays = camera.pixel_rays().reshape(-1, 3)
        origin = T_map_camera[:3, 3].astype(np.float32)
        turn = T_map_camera[:3, :3].astype(np.float32)

        def shade(directions: NDArray[np.float32]) -> tuple[NDArray[np.float32], Hits]:
            hits = trace(world, np.broadcast_to(origin, directions.shape), directions @ turn.T)
            return self._shader.shade(world, poses, hits, rng), hits

        light, hits = shade(rays)
        shape = (camera.height, camera.width)
        instances = np.where(hits.found, self._face_id[hits.face], 0).astype(np.uint16)
        instances = instances.reshape(shape)
        # Rays have z = 1 in the optical frame, so their length parameter is the depth.
        depth = np.where(hits.found, hits.distance, 0).astype(np.float32).reshape(shape)

        busy = np.flatnonzero(_busy_pixels(to_srgb(light).reshape(*shape, 3), instances))
        for du, dv in _SUBPIXELS:
            offset = np.array([du / camera.fx, dv / camera.fy, 0], np.float32)
            light[busy] += shade(rays[busy] + offset)[0]
        light[busy] /= np.float32(1 + len(_SUBPIXELS))
        rgb = (to_srgb(light) * 255 + 0.5).astype(np.uint8)
        return Drawing(rgb.reshape(*shape, 3), depth, instances)

    def _geometry(self, poses: NDArray[np.float64]) -> EmbreeScene:
        """The scene's triangles in the map frame, ready to be searched."""
        vertices = [
            o.mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
            for o, pose in zip(self._scene.objects, poses, strict=True)
        ]
        world = EmbreeScene()
        TriangleMesh(world, np.concatenate(vertices).astype(np.float32), self._faces)
        return world


def trace(
    world: EmbreeScene, origins: NDArray[np.float32], directions: NDArray[np.float32]
) -> Hits:
    """Nearest hit of each ray ``[N, 3]``; distances are in lengths of the direction."""
    origins = np.ascontiguousarray(origins, np.float32)
    directions = np.ascontiguousarray(directions, np.float32)
    found = world.run(origins, directions, output=True)
    face = found["primID"]
    return Hits(
        origins=origins,
        directions=directions,
        found=face >= 0,
        face=np.maximum(face, 0),
        distance=found["tfar"],
        uv=np.stack([found["u"], found["v"]], 1),
    )


def _busy_pixels(srgb: NDArray[np.float32], instances: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Pixels ``[H, W]`` that differ from a neighbour in colour or object."""
    busy = np.zeros(instances.shape, bool)
    for axis in (0, 1):
        contrast = np.abs(np.diff(srgb, axis=axis)).max(-1) > _CONTRAST
        differ = contrast | (np.diff(instances.astype(np.int32), axis=axis) != 0)
        first = [slice(None), slice(None)]
        second = [slice(None), slice(None)]
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        busy[tuple(first)] |= differ
        busy[tuple(second)] |= differ
    return busy
