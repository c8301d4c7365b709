# SPDX-License-Identifier: Apache-2.0
"""Gaussians as a page draws them: 32 bytes each, ready for a texture of the graphics card."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from f4x_ros.core.field import Snapshot

WORDS = 8
"""Words of 32 bits that one Gaussian takes."""

MAX_SPLATS = 500_000
"""Gaussians that a page is sent, 16 MB; of more, those that cover least are left out."""

_SHARE = 1e4  # half floats lose what is below 6e-8: covariances go in cm²
_MOST = 6e4  # of a half float


def packed(snapshot: Snapshot, most: int = MAX_SPLATS) -> NDArray[np.uint32]:
    """Gaussians as words [N, 8] of 32 bits, in the order of the snapshot.

    Three floats for the middle (m, map frame); red, green, blue, opacity in a byte each; six half
    floats for the upper triangle of the covariance (cm², map frame); the id of the object (int32,
    0 = none).

    Args:
        snapshot: on the CPU.
        most: of more Gaussians, those go that cover least (opacity times their two largest axes).
    """
    snapshot_rows = _largest(snapshot, most)
    means = snapshot.means[snapshot_rows].float()
    out = np.zeros((len(means), WORDS), np.uint32)
    out[:, :3] = np.ascontiguousarray(means.numpy()).view(np.uint32)
    looks = torch.cat([snapshot.colors, snapshot.opacities[:, None]], 1)[snapshot_rows]
    looks = (looks.float().clamp(0, 1) * 255).round().to(torch.uint8)
    out[:, 3] = np.ascontiguousarray(looks.numpy()).view(np.uint32)[:, 0]
    cov = _covariances(snapshot.quats[snapshot_rows], snapshot.scales[snapshot_rows])
    halves = (cov * _SHARE).clamp(-_MOST, _MOST).half().numpy()
    out[:, 4:7] = np.ascontiguousarray(halves).view(np.uint32)
    out[:, 7] = snapshot.object_ids[snapshot_rows].numpy().view(np.uint32)
    return out


def _largest(snapshot: Snapshot, most: int) -> torch.Tensor | slice:
    """The rows to send, in order."""
    if len(snapshot) <= most:
        return slice(None)
    axes = snapshot.scales.sort(dim=1).values
    cover = snapshot.opacities * axes[:, 1] * axes[:, 2]
    return cover.topk(most).indices.sort().values


def _covariances(quats: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """xx, xy, xz, yy, yz, zz [N, 6] in m² of wxyz [N, 4] and axes [N, 3] in m."""
    w, x, y, z = torch.nn.functional.normalize(quats.float(), dim=1).unbind(1)
    rotation = torch.stack(
        [
            *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        ],
        1,
    ).reshape(-1, 3, 3)
    half = rotation * scales.float()[:, None, :]
    whole = half @ half.transpose(1, 2)
    rows, columns = torch.triu_indices(3, 3)
    return whole[:, rows, columns]
