# SPDX-License-Identifier: Apache-2.0
"""New Gaussians for the pixels that the field does not explain."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from f4x_ros.core.config import MappingConfig
from f4x_ros.core.data import quats_wxyz_from_xyzw
from f4x_ros.core.observe import View

_TEXTURE = 0.25  # Sobel response (0..1 grey) above which the fine spacing is used
_INITIAL_LOGIT_OPACITY = 1.5  # 0.82
_FLATNESS = 0.3  # thickness of a new Gaussian along the surface normal, share of its width
_COLOR_ERROR = 0.05  # mean absolute error that confirms a contradiction in depth
_LARGE = 3.0  # ... and the multiple of the depth tolerance from which none is needed
_NORMAL_SIGMA_PX = 2.0
_TRUSTED_ALPHA = 0.9  # from here on the field's own depth fills a hole of the sensor


def unexplained(
    view: View, color: Tensor, depth: Tensor, alpha: Tensor, config: MappingConfig
) -> tuple[Tensor, Tensor]:
    """Pixels that need Gaussians: (empty, in front), masks [H, W] bool.

    In front is what was measured clearly nearer than the field has it. A small contradiction counts
    if the colour differs, too; a large one counts as such (a grey box before a grey wall), if it is
    five pixels wide: at the edges of things the field's depth is a mixture of near and far.

    Args:
        view: the new image.
        color: the field's picture of it [H, W, 3], exposure applied.
        depth: the field's depth [H, W], metres.
        alpha: the field's opacity [H, W].
        config: thresholds.
    """
    empty = alpha < config.min_alpha
    error = (color - view.rgb).abs().mean(-1)
    contradiction = (depth - view.depth) / view.depth.clamp(min=1e-3)
    measured = ~empty & (view.depth > 0)
    small = measured & (contradiction > config.depth_tolerance)
    large = measured & (contradiction > _LARGE * config.depth_tolerance)
    return empty, (small & (error > _COLOR_ERROR)) | _wide(large)


def _wide(mask: Tensor) -> Tensor:
    """The parts of a mask [H, W] that hold a block of 5x5 pixels (morphological opening)."""
    pixels = mask.cpu().numpy().astype(np.uint8)
    opened = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return torch.from_numpy(opened > 0).to(mask.device)


def filled_depth(view: View, depth: Tensor, alpha: Tensor) -> Tensor:
    """Depth [H, W] for every pixel: measured, else the field's, else spread from the neighbours.

    Without any reading and with an empty field it is all zero, and nothing can be inserted.
    """
    known = torch.where(view.depth > 0, view.depth, torch.where(alpha > _TRUSTED_ALPHA, depth, 0))
    values = known.cpu().numpy()
    has = values > 0
    if has.all() or not has.any():
        return known
    inverse = np.where(has, 1 / np.where(has, values, 1), 0).astype(np.float32)
    return torch.from_numpy(1 / _push_pull(inverse, has.astype(np.float32))).to(view.depth)


def _push_pull(values: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill where the weight is 0 from ever coarser averages (Grossman and Dally, 1998).

    On inverse depth, which is linear in the image of a plane, so walls and floors stay flat.
    """
    if weight.min() > 0:
        return values
    half = (max(1, values.shape[1] // 2), max(1, values.shape[0] // 2))
    mass = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    total = cv2.resize(values * weight, half, interpolation=cv2.INTER_AREA)
    mean = (total / np.maximum(mass, 1e-12)).astype(np.float32)
    coarse = _push_pull(mean, (mass > 1e-6).astype(np.float32))
    size = (values.shape[1], values.shape[0])
    spread = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)
    return np.where(weight > 0, values, spread).astype(np.float32)


def choose_pixels(view: View, needed: Tensor, config: MappingConfig) -> tuple[Tensor, Tensor]:
    """Rows and columns [M, 2] to place Gaussians at, and their spacing in pixels [M].

    A fine grid where the image has texture, a coarse one elsewhere.
    """
    grey = view.rgb.mean(-1).cpu().numpy()
    edges = np.abs(cv2.Sobel(grey, -1, 1, 0)) + np.abs(cv2.Sobel(grey, -1, 0, 1))
    textured = cv2.dilate(edges, np.ones((5, 5), np.uint8)) > _TEXTURE
    fine = _grid(grey.shape, config.fine_px) & textured
    coarse = _grid(grey.shape, config.coarse_px) & ~textured
    chosen = torch.from_numpy(fine | coarse).to(needed.device) & needed
    pixels = chosen.nonzero()
    is_fine = torch.from_numpy(textured).to(needed.device)[pixels[:, 0], pixels[:, 1]]
    spacing = torch.where(is_fine, float(config.fine_px), float(config.coarse_px))
    return pixels, spacing


def _grid(shape: tuple[int, ...], spacing: int) -> NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    mask[spacing // 2 :: spacing, spacing // 2 :: spacing] = True
    return mask


def surface_normals(view: View, depth: Tensor) -> Tensor:
    """Unit normals [H, W, 3] in the map frame from smoothed depth [H, W]."""
    smooth = cv2.GaussianBlur(depth.cpu().numpy(), (0, 0), _NORMAL_SIGMA_PX).astype(np.float32)
    points = torch.from_numpy(view.camera.unproject(smooth)).to(depth)
    dx = torch.zeros_like(points)
    dy = torch.zeros_like(points)
    dx[:, 1:-1] = points[:, 2:] - points[:, :-2]
    dy[1:-1] = points[2:] - points[:-2]
    normals = torch.linalg.cross(dx, dy)
    flat = normals.norm(dim=-1, keepdim=True) < 1e-12
    facing = normals.new_tensor([0.0, 0.0, 1.0])
    normals = normalize(torch.where(flat, facing, normals), dim=-1)
    return normals @ _rotation(view).T


def new_gaussians(view: View, depth: Tensor, pixels: Tensor, spacing: Tensor) -> dict[str, Tensor]:
    """Columns for the chosen pixels: discs on the surface, as wide as their spacing.

    Args:
        view: the image they come from.
        depth: depth [H, W] metres, > 0 at the chosen pixels.
        pixels: rows and columns [M, 2].
        spacing: distance to the next Gaussian [M] in pixels.
    """
    rows, cols = pixels.unbind(-1)
    z = depth[rows, cols]
    rays = torch.from_numpy(view.camera.pixel_rays()).to(depth)[rows, cols]
    T = torch.as_tensor(view.T_map_camera, dtype=torch.float32, device=depth.device)
    means = (rays * z[:, None]) @ T[:3, :3].T + T[:3, 3]
    normals = surface_normals(view, depth)[rows, cols]
    width = spacing * z / view.camera.fx
    scales = torch.stack([width, width, _FLATNESS * width], -1)
    return {
        "means": means,
        "quats": _quats_with_z(normals),
        "log_scales": scales.log(),
        "logit_opacities": torch.full_like(z, _INITIAL_LOGIT_OPACITY),
        "colors": _unexposed(view)[rows, cols],
        "seen_s": torch.full((len(z),), view.time_s, dtype=torch.float64, device=z.device),
    }


def _unexposed(view: View) -> Tensor:
    """The view's colours [H, W, 3] with its exposure taken out."""
    gain, offset = view.exposure.values[0], view.exposure.values[1]
    return ((view.rgb - offset) / gain.clamp(min=0.1)).clamp(0, 1)


def _quats_with_z(normals: Tensor) -> Tensor:
    """Quaternions [M, 4] wxyz whose z axis is the normal [M, 3]."""
    x_axis = normals.new_tensor([1.0, 0.0, 0.0])
    y_axis = normals.new_tensor([0.0, 1.0, 0.0])
    helper = torch.where(normals[:, :1].abs() < 0.9, x_axis, y_axis)
    x = normalize(torch.linalg.cross(helper, normals), dim=-1)
    y = torch.linalg.cross(normals, x)
    return _quats_of(torch.stack([x, y, normals], -1))


def _quats_of(rotations: Tensor) -> Tensor:
    """Quaternions [M, 4] wxyz of rotations [M, 3, 3], on their device, without waiting for it.

    Markley 2008 (Unit quaternion from rotation matrix): of the rows of 4 q q^T the one with the
    largest diagonal is normalised. As roma does it, to the bit; importing roma imports torch's
    compiler, a third of what the node needs to start.
    """
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in rotations.unbind(-2))
    rows = torch.stack(  # xyzw
        [
            torch.stack([1 + a - e - i, d + b, g + c, h - f], -1),
            torch.stack([d + b, 1 + e - i - a, h + f, c - g], -1),
            torch.stack([g + c, h + f, 1 + i - a - e, d - b], -1),
            torch.stack([h - f, c - g, d - b, 1 + a + e + i], -1),
        ],
        -2,
    )
    best = rows.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = rows.gather(-2, best[:, None, None].expand(-1, 1, 4))[:, 0]
    return quats_wxyz_from_xyzw(row / torch.linalg.vector_norm(row, dim=-1, keepdim=True))


def _rotation(view: View) -> Tensor:
    return torch.as_tensor(view.T_map_camera[:3, :3], dtype=torch.float32, device=view.depth.device)
