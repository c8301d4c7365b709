# SPDX-License-Identifier: Apache-2.0
"""Drawing a scene on the CPU: Embree finds what a ray hits, numpy shades it. No OpenGL.

Depth and instance ids come from one ray through each pixel's centre and are exact. Colour adds
four rays to pixels where neighbours differ, so that edges are smooth without tracing everything
five times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera
from f4x_ros.sim.embree import triangles
from f4x_ros.sim.mesh import Mesh
from f4x_ros.sim.motion import Pose
from f4x_ros.sim.scene import Scene
from f4x_ros.sim.shading import Hits, Shader, to_srgb
from f4x_ros.sim.visibility import seen_share

if TYPE_CHECKING:
    from embreex.rtcore_scene import EmbreeScene

# Four places inside a pixel, no two in one row or column (a rotated grid).
_SUBPIXELS = ((-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375))
_NOWHERE_M = -1000.0  # a point has no surface: rays cannot hit it
_CONTRAST = 0.03  # sRGB difference between neighbours above which a pixel gets more rays


class Drawing(NamedTuple):
    """One frame of a scene."""

    rgb: NDArray[np.uint8]  # [H, W, 3]
    depth: NDArray[np.float32]  # [H, W] metres along the optical axis, 0 = nothing hit
    instances: NDArray[np.uint16]  # [H, W] object id, 0 = nothing hit
    visibility: NDArray[np.float32]  # [objects + 1] by id, see `visibility.seen_shares`


class Raycaster:
    """Draws a scene at any time from any camera."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._shader = Shader(scene)
        bodies = [(made, body) for made in scene.objects for body in made.bodies]
        counts = [len(body.mesh.vertices) for _, body in bodies]
        starts = np.cumsum([0, *counts[:-1]])
        self._faces = np.concatenate(
            [body.mesh.faces + start for (_, body), start in zip(bodies, starts, strict=True)]
        ).astype(np.int32)
        ids = [made.label.id for made, _ in bodies]
        self._face_id = np.repeat(ids, [len(b.mesh.faces) for _, b in bodies]).astype(np.uint16)

    def draw(self, camera: PinholeCamera, T_map_camera: Pose, t: float, seed: int) -> Drawing:
        """Draw at time ``t`` [s]; ``seed`` decides the grain of soft shadows."""
        poses = [made.body_poses(t) for made in self._scene.objects]
        placed = self._placed(poses, t)
        light, hits = self._light(camera, T_map_camera, placed, poses, seed)
        shape = (camera.height, camera.width)
        instances = np.where(hits.found, self._face_id[hits.face], 0).astype(np.uint16)
        instances = instances.reshape(shape)
        # Rays have z = 1 in the optical frame, so their length parameter is the depth.
        depth = np.where(hits.found, hits.distance, 0).astype(np.float32).reshape(shape)
        seen = np.zeros(len(placed) + 1, np.float32)
        for made, vertices in zip(self._scene.objects, placed, strict=True):
            if made.exists(t):
                mesh = Mesh(vertices, made.mesh.faces)
                number = made.label.id
                seen[number] = seen_share(camera, T_map_camera, mesh, instances == number)
        rgb = (to_srgb(light) * 255 + 0.5).astype(np.uint8)
        return Drawing(rgb.reshape(*shape, 3), depth, instances, seen)

    def _light(
        self,
        camera: PinholeCamera,
        T_map_camera: Pose,
        placed: list[NDArray[np.float32]],
        poses: list[list[Pose]],
        seed: int,
    ) -> tuple[NDArray[np.float32], Hits]:
        """Linear light of each pixel ``[H * W, 3]``, and what the rays of their centres hit."""
        world = triangles(np.concatenate(placed), self._faces)
        rng = np.random.default_rng(seed)
        rays = camera.pixel_rays().reshape(-1, 3)
        origin = T_map_camera[:3, 3].astype(np.float32)
        turn = T_map_camera[:3, :3].astype(np.float32)
        bodies = np.stack([pose for of in poses for pose in of])

        def shade(directions: NDArray[np.float32]) -> tuple[NDArray[np.float32], Hits]:
            hits = trace(world, np.broadcast_to(origin, directions.shape), directions @ turn.T)
            return self._shader.shade(world, bodies, hits, rng), hits

        light, hits = shade(rays)
        shape = (camera.height, camera.width)
        ids = np.where(hits.found, self._face_id[hits.face], 0).reshape(shape)
        busy = np.flatnonzero(_busy_pixels(to_srgb(light).reshape(*shape, 3), ids))
        for du, dv in _SUBPIXELS:
            offset = np.array([du / camera.fx, dv / camera.fy, 0], np.float32)
            light[busy] += shade(rays[busy] + offset)[0]
        light[busy] /= np.float32(1 + len(_SUBPIXELS))
        return light, hits

    def _placed(self, poses: list[list[Pose]], t: float) -> list[NDArray[np.float32]]:
        """Vertices of each object in the map frame; what does not exist is far under the floor."""
        placed = []
        for made, of in zip(self._scene.objects, poses, strict=True):
            parts = [
                body.mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
                for body, pose in zip(made.bodies, of, strict=True)
            ]
            vertices = np.concatenate(parts).astype(np.float32)
            placed.append(vertices if made.exists(t) else np.full_like(vertices, _NOWHERE_M))
        return placed


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


def _busy_pixels(
    srgb: NDArray[np.float32], instances: NDArray[np.integer[Any]]
) -> NDArray[np.bool_]:
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
