# SPDX-License-Identifier: Apache-2.0
"""Light on surfaces: ambient, soft-shadowed lamps, Blinn-Phong highlights, then tone mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.sim.materials import Material
from f4x_ros.sim.scene import Light, Scene

if TYPE_CHECKING:
    from embreex.rtcore_scene import EmbreeScene

Vectors = NDArray[np.float32]  # [N, 3]
Scalars = NDArray[np.float32]  # [N]

_OFFSET_M = 2e-3  # shadow rays start this far from the surface


class Hits(NamedTuple):
    """Rays and what they hit."""

    origins: Vectors
    directions: Vectors  # of any length
    found: NDArray[np.bool_]  # [N]
    face: NDArray[np.integer[Any]]  # [N] triangle, 0 where nothing was hit
    distance: Scalars  # [N] in lengths of the direction
    uv: Vectors  # [N, 2] barycentric weights of the second and third corner


class _Surface(NamedTuple):
    """What the light needs to know at each point."""

    points: Vectors
    normals: Vectors  # unit, on the side of the viewer
    to_eye: Vectors  # unit
    albedo: Vectors
    specular: Scalars
    shininess: Scalars
    emission: Scalars


class Shader:
    """Turns hits on a scene into linear light."""

    def __init__(self, scene: Scene) -> None:
        self._spec = scene.spec
        self._materials: list[Material] = []
        bodies = [body for made in scene.objects for body in made.bodies]
        face_material, face_body = [], []
        for number, body in enumerate(bodies):
            face_material.append(body.face_material + len(self._materials))
            face_body.append(np.full(len(body.mesh.faces), number))
            self._materials += body.materials
        self._face_material = np.concatenate(face_material)
        self._face_body = np.concatenate(face_body)
        self._normals = np.concatenate([body.normals for body in bodies])

    def shade(
        self,
        world: EmbreeScene,
        poses: NDArray[np.float64],  # [bodies, 4, 4] T_map_body
        hits: Hits,
        rng: np.random.Generator,
    ) -> Vectors:
        """Linear light ``[N, 3]`` that comes back along each ray; black where nothing was hit."""
        out = np.zeros(hits.directions.shape, np.float32)
        found = np.flatnonzero(hits.found)
        if found.size:
            surface = self._surface(poses, hits, found)
            out[found] = self._lit(world, surface, rng)
        return out

    def _surface(self, poses: NDArray[np.float64], hits: Hits, found: NDArray[np.intp]) -> _Surface:
        """Look up normals and materials, one group of equal material at a time."""
        face, directions = hits.face[found], hits.directions[found]
        points = hits.origins[found] + directions * hits.distance[found, None]
        u, v = hits.uv[found, :1], hits.uv[found, 1:]
        corners = self._normals[face]
        local = corners[:, 0] * (1 - u - v) + corners[:, 1] * u + corners[:, 2] * v

        normals, albedo = np.empty_like(points), np.empty_like(points)
        looks = np.empty((3, len(points)), np.float32)
        material = self._face_material[face]
        order = np.argsort(material, kind="stable")
        starts = np.flatnonzero(np.diff(material[order], prepend=-1))
        for group in np.split(order, starts[1:]):
            which = self._materials[material[group[0]]]
            pose = poses[self._face_body[face[group[0]]]]
            turn = pose[:3, :3].astype(np.float32)
            own_points = (points[group] - pose[:3, 3].astype(np.float32)) @ turn
            normals[group] = local[group] @ turn.T
            albedo[group] = which.texture(own_points, local[group])
            looks[:, group] = np.array([[which.specular], [which.shininess], [which.emission]])

        _normalise(normals)
        to_eye = -directions
        _normalise(to_eye)
        normals[_dot(normals, to_eye) < 0] *= -1
        return _Surface(points, normals, to_eye, albedo, *looks)

    def _lit(self, world: EmbreeScene, surface: _Surface, rng: np.random.Generator) -> Vectors:
        up = np.float32(0.62) + np.float32(0.38) * surface.normals[:, 2]
        diffuse = up[:, None] * np.asarray(self._spec.ambient, np.float32)
        highlight = np.zeros_like(diffuse)
        for light in self._spec.lights:
            strength, to_light = _reaching(world, surface, light, rng)
            color = np.asarray(light.color, np.float32)
            diffuse += strength[:, None] * color
            shiny = np.flatnonzero((surface.specular > 0) & (strength > 0))
            half = to_light[shiny] + surface.to_eye[shiny]
            _normalise(half)
            gloss = np.maximum(_dot(surface.normals[shiny], half), 0) ** surface.shininess[shiny]
            highlight[shiny] += (strength[shiny] * gloss * surface.specular[shiny])[:, None] * color
        reflected = diffuse * surface.albedo * (1 - surface.emission[:, None]) + highlight
        own = surface.emission[:, None] * surface.albedo * np.float32(1.2)
        return (reflected + own) * np.float32(self._spec.exposure)


def _reaching(
    world: EmbreeScene, surface: _Surface, light: Light, rng: np.random.Generator
) -> tuple[Scalars, Vectors]:
    """How much of a light reaches each point, and the unit direction towards it.

    Each point looks at another point of the lamp, which gives shadows soft edges.
    """
    start = surface.points + surface.normals * np.float32(_OFFSET_M)
    to_light = np.asarray(light.position, np.float32) - start
    to_light += (rng.random(to_light.shape, np.float32) - 0.5) * np.float32(2 * light.radius_m)
    squared = _dot(to_light, to_light)
    facing = _dot(surface.normals, to_light) / np.sqrt(squared)
    strength: Scalars = np.maximum(facing, 0) * (np.float32(4) / (1 + squared))
    lit = np.flatnonzero(strength > 0)
    found = world.run(start[lit], to_light[lit], output=True)
    blocked = (found["primID"] >= 0) & (found["tfar"] < 0.999)
    strength[lit[blocked]] = 0
    to_light /= np.sqrt(squared)[:, None]
    return strength, to_light


def to_srgb(light: Vectors) -> Vectors:
    """Compress highlights and encode as sRGB in 0..1."""
    x = light / (1 + np.float32(0.18) * light)
    low, high = x * np.float32(12.92), np.maximum(x, np.float32(1e-8)) ** np.float32(1 / 2.4)
    return np.clip(
        np.where(x <= 0.0031308, low, np.float32(1.055) * high - np.float32(0.055)), 0, 1
    )


def _dot(a: Vectors, b: Vectors) -> Scalars:
    return np.asarray(np.einsum("ni,ni->n", a, b), np.float32)


def _normalise(vectors: Vectors) -> None:
    """Scale to unit length, in place."""
    vectors /= np.sqrt(_dot(vectors, vectors) + np.float32(1e-12))[:, None]
