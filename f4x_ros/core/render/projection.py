# SPDX-License-Identifier: Apache-2.0
"""EWA projection and compositing rules in torch: what the two torch backends share.

Zwicker et al. 2001, clamped as in gsplat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

ALPHA_MIN = 1.0 / 255.0  # a smaller contribution is skipped
ALPHA_MAX = 0.999
TRANSMITTANCE_MIN = 1e-4  # a pixel stops before it would fall to this


@dataclass
class Projected:
    """Visible Gaussians on the image plane, front to back; M of them."""

    ids: Tensor  # [M] int64, index of the Gaussian
    means2d: Tensor  # [M, 2] pixels
    conics: Tensor  # [M, 3] inverse covariance (xx, xy, yy), 1 / px^2
    depths: Tensor  # [M] z, metres
    opacities: Tensor  # [M]
    extents: (
        Tensor  # [M, 2] half size of the box around the pixels with alpha >= 1/255; no gradient
    )


def rotation_matrices(quats: Tensor) -> Tensor:
    """[N, 4] wxyz of any length -> [N, 3, 3]."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def project(
    means: Tensor,  # [N, 3]
    quats: Tensor,  # [N, 4]
    scales: Tensor,  # [N, 3]
    opacities: Tensor,  # [N]
    viewmat: Tensor,  # [4, 4]
    K: Tensor,  # [3, 3]
    width: int,
    height: int,
    near: float,
    eps2d: float,
) -> Projected:
    """Project, drop what cannot be seen (behind `near`, faint, not finite), sort by depth."""
    R, t = viewmat[:3, :3], viewmat[:3, 3]
    K = K.detach()
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    with torch.no_grad():
        z_all = means @ R[2] + t[2]
        ids = ((z_all >= near) & (opacities * 255 > 1)).nonzero().squeeze(1)
        ids = ids[z_all[ids].argsort(stable=True)]
    x, y, z = (means[ids] @ R.T + t).unbind(-1)  # [M] camera frame
    xn, yn = x / z, y / z
    # the Jacobian is held where the ray leaves the image by more than 15 %
    margin_x, margin_y = 0.15 * width / fx, 0.15 * height / fy
    xl = torch.maximum(torch.minimum(xn, (width - cx) / fx + margin_x), -(cx / fx + margin_x))
    yl = torch.maximum(torch.minimum(yn, (height - cy) / fy + margin_y), -(cy / fy + margin_y))
    row_x = (fx / z)[:, None] * (R[0] - xl[:, None] * R[2])  # [M, 3] rows of J R
    row_y = (fy / z)[:, None] * (R[1] - yl[:, None] * R[2])
    root = (
        rotation_matrices(quats[ids]) * scales[ids][:, None, :]
    )  # [M, 3, 3] square root of the covariance
    u = (row_x[:, None, :] @ root).squeeze(1)
    v = (row_y[:, None, :] @ root).squeeze(1)
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    # Lagrange's identity for (uu + eps)(vv + eps) - uv^2: no cancellation for thin Gaussians
    det = torch.linalg.cross(u, v).square().sum(-1) + eps2d * (uu + vv + eps2d)
    conics = torch.stack([(vv + eps2d) / det, -uv / det, (uu + eps2d) / det], -1)
    means2d = torch.stack([fx * xn + cx, fy * yn + cy], -1)
    opacity = opacities[ids]
    with torch.no_grad():
        reach = (2 * torch.log(opacity * 255)).clamp(min=0).sqrt()
        extents = torch.stack([reach * (uu + eps2d).sqrt(), reach * (vv + eps2d).sqrt()], -1) + 0.01
        size = torch.tensor([width, height], dtype=means.dtype, device=means.device)
        inside = ((means2d + extents > 0.5) & (means2d - extents < size - 0.5)).all(-1)
        keep = (inside & (det > 0) & torch.isfinite(det)).nonzero().squeeze(1)
    return Projected(ids[keep], means2d[keep], conics[keep], z[keep], opacity[keep], extents[keep])


def falloff(dx: Tensor, dy: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """exp(-d^T conic d / 2) for offsets pixel - mean; the arguments broadcast."""
    s = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    return torch.exp(-s.clamp(min=0))


def composite_weights(alpha: Tensor, dim: int) -> Tensor:
    """Compositing weights from alphas ordered front to back along `dim`, by gsplat's rules."""
    alpha = alpha.clamp(max=ALPHA_MAX)
    alpha = torch.where(alpha >= ALPHA_MIN, alpha, 0.0)
    after = torch.cumprod(1 - alpha, dim)
    # the Gaussian that would bring the transmittance to 1e-4 and all behind it are left out
    alpha = torch.where(after > TRANSMITTANCE_MIN, alpha, 0.0)
    first = torch.ones_like(after.narrow(dim, 0, 1))
    before = torch.cat([first, after.narrow(dim, 0, after.shape[dim] - 1)], dim)
    return alpha * before
