# SPDX-License-Identifier: Apache-2.0
"""The boxes of tracks, in the map and in the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose, Track, from_quaternion, inverse

_NEAR_M = 0.05
_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
# Pairs of corners that differ in one coordinate.
_EDGES = np.array(
    [(i, j) for i in range(8) for j in range(i + 1, 8) if (_SIGNS[i] != _SIGNS[j]).sum() == 1]
)


def corners(track: Track) -> NDArray[np.float64]:
    """Corners [8, 3] of the track's box in the map frame, metres."""
    T_map_object = from_quaternion(track.position, track.orientation)
    local = 0.5 * _SIGNS * np.asarray(track.size, float)
    return np.asarray(local @ T_map_object[:3, :3].T + T_map_object[:3, 3])


def edges(track: Track) -> NDArray[np.float64]:
    """Both ends [12, 2, 3] of the edges of the track's box in the map frame, metres."""
    return np.asarray(corners(track)[_EDGES])


def projected_edges(track: Track, camera: PinholeCamera, T_map_camera: Pose) -> NDArray[np.float64]:
    """The edges [E, 2, 2] of the track's box in pixels, pixel centres at integers as OpenCV draws.

    E is 12, less where edges lie behind the camera; those that pass it are cut off just before it.
    """
    return _edges(corners(track), camera, T_map_camera)


def corner_edges(
    low: NDArray[np.float64], high: NDArray[np.float64], camera: PinholeCamera, T_map_camera: Pose
) -> NDArray[np.float64]:
    """The same of a box along the map's axes between two corners [3], metres."""
    return _edges((low + high) / 2 + 0.5 * _SIGNS * (high - low), camera, T_map_camera)


def _edges(
    box: NDArray[np.float64], camera: PinholeCamera, T_map_camera: Pose
) -> NDArray[np.float64]:
    """The edges in pixels of a box with corners [8, 3] in the map frame."""
    T_camera_map = inverse(T_map_camera)
    points = box @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
    edges = points[_EDGES]  # [12, 2, 3]
    edges = edges[(edges[:, :, 2] > _NEAR_M).any(1)]
    a, b = edges[:, 0], edges[:, 1]
    for near, far in ((a, b), (b, a)):
        cut = near[:, 2] < _NEAR_M
        share = (_NEAR_M - near[cut, 2]) / (far[cut, 2] - near[cut, 2])
        near[cut] += share[:, None] * (far[cut] - near[cut])
    pixels = camera.project(np.stack([a, b], 1).reshape(-1, 3)) - 0.5
    return pixels.reshape(-1, 2, 2)
