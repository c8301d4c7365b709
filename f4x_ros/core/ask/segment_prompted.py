# SPDX-License-Identifier: Apache-2.0
"""Clicks and boxes answered by a model for them, such as SAM 2, from features out of the field."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.ask.segment_clicks import Clicks, carried_back
from f4x_ros.core.features.distil import Distiller

_SOLID_ALPHA = 0.5
_SEEN_PX = 0.05  # a Gaussian that draws less of the view is not told by its mask


def members_by_model(
    distiller: Distiller, scene: QueryScene, clicks: Clicks, backend: str
) -> tuple[Tensor, float, Tensor]:
    """Probability [N] of each Gaussian, the model's own guess of its IoU, and the mask [H, W].

    The model's mask decoder reads an embedding that is drawn from the field, so that it answers for
    any time and view. A Gaussian is as much part of the object as the pixels it draws are.
    """
    model = distiller.prompted
    assert model is not None
    snapshot, camera, pose = scene.snapshot, scene.camera, scene.T_map_camera
    out = snapshot.render(snapshot.latents.float(), camera, pose, backend)
    latents = out.image / out.alpha.clamp(min=_SOLID_ALPHA)[..., None]
    embedding = distiller.decode(latents, model.name).permute(2, 0, 1)
    points, labels, boxes = _as_prompt(clicks)
    found = model.decode(
        embedding,
        size=(camera.height, camera.width),
        points=points,
        labels=labels,
        boxes=boxes,
    )
    mask = torch.sigmoid(found.logits[0]).to(out.alpha.device)
    mask = torch.where(out.alpha >= _SOLID_ALPHA, mask, 0)
    share, weight = carried_back(snapshot, camera, pose, mask, backend)
    return torch.where(weight >= _SEEN_PX, share, 0), float(found.iou[0].clamp(0, 1)), mask


def _as_prompt(clicks: Clicks) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Points [1, K, 2], labels [1, K], boxes [1, 4], as `Sam2Extractor.decode` takes them."""
    boxes = None if clicks.box is None else torch.tensor([clicks.box])
    if not len(clicks.points):
        return None, None, boxes
    points = torch.from_numpy(clicks.points)[None].float()
    return points, torch.from_numpy(clicks.inside.astype("int64"))[None], boxes
