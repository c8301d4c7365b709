# SPDX-License-Identifier: Apache-2.0
"""The field at one time: what is drawn and asked, without what only optimisation needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.data import PinholeCamera, Pose, RenderedView, viewmat
from f4x_ros.core.field.field import GaussianField
from f4x_ros.core.field.paths import BodyPaths
from f4x_ros.core.observe import apply
from f4x_ros.core.render import RenderOutput, render

MIN_OPACITY = 0.3  # fainter Gaussians are neither points of a cloud nor parts of an object
EMPTY_ALPHA = 0.05  # below this a pixel has no depth


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Gaussians that are there at a time; N rows each."""

    means: Tensor  # [N, 3] metres, map frame
    quats: Tensor  # [N, 4] wxyz
    scales: Tensor  # [N, 3] metres
    opacities: Tensor  # [N] 0..1
    colors: Tensor  # [N, 3] 0..1
    latents: Tensor  # [N, D] float32
    latent_weights: Tensor  # [N] pixels behind the latent, 0 = never observed
    latent_vars: Tensor  # [N] mean squared distance of their latents from it; all is about 1
    object_ids: Tensor  # [N] int32, 0 = none
    piece_ids: Tensor  # [N] int32, 0 = none yet, see `objects.pieces`
    body_ids: Tensor  # [N] int32, 0 = none, see `field.paths`
    birth_s: Tensor  # [N] seconds of the field, -inf: it was always there
    seen_s: Tensor  # [N] seconds of the field

    def __len__(self) -> int:
        return len(self.means)

    def render(
        self, channels: Tensor, camera: PinholeCamera, T_map_camera: Pose, backend: str
    ) -> RenderOutput:
        """Draw per-Gaussian channels [N, C] from a camera."""
        device = self.means.device
        return render(
            self.means,
            self.quats,
            self.scales,
            self.opacities,
            channels,
            viewmat(T_map_camera, device),
            camera.K_tensor(device),
            camera.width,
            camera.height,
            backend=backend,
        )


_COLUMNS = (
    "means",
    "quats",
    "log_scales",
    "logit_opacities",
    "colors",
    "latents",
    "latent_weights",
    "latent_vars",
    "object_ids",
    "piece_ids",
    "body_ids",
    "birth_s",
    "seen_s",
)


def take_snapshot(
    field: GaussianField, time_s: float | None = None, *, blocks: Iterable[int] | None = None
) -> Snapshot:
    """The field now (`None`: all that is present), or as it was at a time in the past.

    Args:
        field: its working set is taken whole.
        time_s: seconds of the field.
        blocks: of the blocks at rest, those that are taken, too, by their codes; None = all.
    """
    rest = field.rest
    names = _COLUMNS if time_s is None else (*_COLUMNS, "death_s", "placed_s")
    parts = []
    for table in field.parts[: 1 if time_s is None else 2]:
        parts.append({name: table[name] for name in names})
    for block in rest if blocks is None else (rest[code] for code in blocks):
        for packed in rest.packed(block)[: 1 if time_s is None else 2]:
            parts.append(rest.current(packed, block.edition, names))
    columns = (
        parts[0]
        if len(parts) == 1
        else {name: torch.cat([part[name] for part in parts]) for name in names}
    )
    if time_s is not None:
        columns = _placed(_valid(columns, time_s), field.paths, time_s)
    return Snapshot(
        scales=columns.pop("log_scales").exp(),
        opacities=torch.sigmoid(columns.pop("logit_opacities")),
        latents=columns.pop("latents").float(),
        **columns,
    )


def _valid(rows: dict[str, Tensor], time_s: float) -> dict[str, Tensor]:
    """Those of some rows that are there at a time, without the column that only says when."""
    valid = (rows["birth_s"] < time_s) & (time_s < rows.pop("death_s"))
    there = valid.nonzero()[:, 0]  # once, not for each column
    return {name: column[there] for name, column in rows.items()}


def _placed(rows: dict[str, Tensor], paths: BodyPaths, time_s: float) -> dict[str, Tensor]:
    """The same rows where their bodies were at a time, without the column that only says when."""
    moved = paths.motion(rows["body_ids"], rows.pop("placed_s"), [time_s])[0]
    if moved is not None:
        rows["means"], rows["quats"] = moved.means(rows["means"]), moved.turned(rows["quats"])
    return rows


def some_of(snapshot: Snapshot, rows: Tensor) -> Snapshot:
    """Some Gaussians of a snapshot (mask [N] bool or indices)."""
    if rows.dtype == torch.bool:
        rows = rows.nonzero()[:, 0]
    return Snapshot(**{one.name: getattr(snapshot, one.name)[rows] for one in fields(snapshot)})


def brought_here(snapshot: Snapshot) -> Snapshot:
    """The same Gaussians on the CPU."""
    names = [one.name for one in fields(snapshot)]
    arrays = on_host(*(getattr(snapshot, name) for name in names))
    return Snapshot(**{n: torch.from_numpy(one) for n, one in zip(names, arrays, strict=True)})


def to_picture(out: RenderOutput, exposure: Tensor) -> RenderedView:
    """The first three channels as a picture taken with an exposure [2, 3], with depth and alpha."""
    color = apply(exposure, out.image[..., :3], out.alpha).clamp(0, 1)
    depth = torch.where(out.alpha > EMPTY_ALPHA, out.expected_depth, 0)
    whole, depth_m, alpha = on_host((color * 255).round().to(torch.uint8), depth, out.alpha)
    return RenderedView(color=whole, depth=depth_m.astype(np.float32), alpha=alpha)
