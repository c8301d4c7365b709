# SPDX-License-Identifier: Apache-2.0
"""Which pixels of a frame are of what: of the map at rest, of bodies, of something new."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose
from f4x_ros.core.motion.bodies.picture import Image, Mask, RgbdPicture
from f4x_ros.core.motion.bodies.shape import Shape

_ALPHA = 0.5  # of the drawn map where it says what is there
_FAR = np.float32(1e3)
_SHARE = 0.1  # of a connected patch that a body must explain for all of it to be the body's


class AtRest(NamedTuple):
    """What the map without its followed bodies says of a frame, masks [H, W]."""

    settled: Mask  # the reading lies on its surface, which has been there for a while
    moving: Mask  # it lies on a surface of what came lately, or of a thing that was seen to move
    front: Mask  # it lies before its surface: something has come


def at_rest(
    picture: RgbdPicture, depth: Image, alpha: Image, lately: Image, tolerance: float
) -> AtRest:
    """Compare a frame with the map.

    Args:
        picture: the frame.
        depth: [H, W] metres of the map, drawn from the frame's camera.
        alpha: [H, W] how much of it is there.
        lately: [H, W] share of it, times alpha, that is on its way.
        tolerance: depth error of the sensor, share of the depth.
    """
    read, solid = picture.depth, picture.known & (alpha > _ALPHA)
    margin = np.maximum(tolerance * read, 4 * picture.noise_m(read))
    explained = solid & (np.abs(read - depth) < margin)
    front = solid & (read < depth - margin)
    moving = explained & (lately > 0.5 * alpha)
    return AtRest(explained & ~moving, moving, front)


def footprint(shape: Shape, T_camera_body: Pose, picture: RgbdPicture) -> Image:
    """[H, W] metres of a shape's surface seen from the camera, 0 = it is not there.

    Points are drawn as squares of their voxel's size; what faces away is left out.
    """
    height, width = picture.depth.shape
    out = np.full((height, width), _FAR, np.float32)
    there = shape.points @ T_camera_body[:3, :3].T + T_camera_body[:3, 3]
    facing = np.einsum("nc,nc->n", shape.normals @ T_camera_body[:3, :3].T, there) < 0
    there = there[facing]
    rows, columns, inside = picture.pixels(there)
    if not inside.any():
        return np.zeros((height, width), np.float32)
    there, at = there[inside], (rows[inside], columns[inside])
    np.minimum.at(out, at, there[:, 2].astype(np.float32))
    spacing = shape.voxel_m * picture.camera.fx / float(np.median(there[:, 2]))
    size = 2 * int(np.ceil(0.75 * spacing)) + 1
    near = cv2.erode(out, np.ones((size, size), np.uint8))
    return np.where(near < _FAR, near, 0).astype(np.float32)


def widened(mask: Mask, pixels: int) -> Mask:
    """A mask [H, W] and what is so near to it."""
    if pixels < 1:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def patches(mask: Mask, picture: RgbdPicture) -> tuple[int, NDArray[np.int32]]:
    """Connected parts [H, W] of a mask, cut where depth jumps: 0 = none, and how many there are.

    Pixels on the near side of a jump are given to the part beside them.
    """
    inner = (mask & ~picture.jumps).astype(np.uint8)
    count, parts = cv2.connectedComponents(inner, connectivity=4)
    rim = mask & picture.jumps
    if rim.any():
        near = cv2.dilate(parts.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
        parts = np.where(rim, near, parts)
    return count - 1, parts.astype(np.int32)


def claimed(own: Mask, new: Mask, picture: RgbdPicture) -> Mask:
    """What is of a body: what it explains, and the patches of new surface that grow out of that.

    Args:
        own: [H, W] pixels that lie on its surface.
        new: [H, W] pixels near it that nothing explains.
        picture: the frame.
    """
    count, parts = patches(own | new, picture)
    if not count:
        return own
    total = np.bincount(parts.ravel(), minlength=count + 1)
    explained = np.bincount(parts[own], minlength=count + 1)
    mine = explained > _SHARE * total
    mine[0] = False
    return np.asarray(own | mine[parts])
