# SPDX-License-Identifier: Apache-2.0
"""Questions, from vectors to whole answers: one relevancy and one render for all of them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.config import Config
from f4x_ros.core.describe import semantic_cloud
from f4x_ros.core.distil import Distiller
from f4x_ros.core.frame import Cloud, QueryResult
from f4x_ros.core.query.answer import answer
from f4x_ros.core.query.prompts import PromptSet, relevancy
from f4x_ros.core.query.scene import QueryScene

_SOLID_ALPHA = 0.5  # below this a pixel's probability fades with its alpha


@torch.no_grad()
def ask(
    distiller: Distiller,
    scene: QueryScene,
    prompts: PromptSet,
    config: Config,
    backend: str,
    *,
    want_cloud: bool = True,
    max_results: int = 0,
) -> list[QueryResult]:
    """Answer every prompt of a set; arguments and errors are those of `Perception.query_all`."""
    if max_results < 0:
        raise ValueError(f"max_results is {max_results}, expected >= 0 (0 = all)")
    min_weight = config.query.min_weight
    scores = relevancy(scene.snapshot, distiller, prompts, min_weight)
    masks = _masks(scene, scores, backend)
    results = []
    for index, text in enumerate(prompts.texts):
        own = scores[:, index].contiguous()
        found = answer(
            scene, distiller, prompts, index, own, config.tracks, max_results=max_results
        )
        results.append(
            QueryResult(
                prompt=text,
                presence=found.presence,
                score=found.score,
                threshold=prompts.thresholds[index],
                encoder=distiller.words.name,
                message=found.message,
                stamp_ns=scene.stamp_ns,
                frame_id=scene.frame_id,
                map_frame=scene.map_frame,
                camera=scene.camera,
                T_map_camera=scene.T_map_camera,
                mask=masks[index],
                cloud=_cloud(scene, found.selected, own, min_weight) if want_cloud else None,
                tracks=found.tracks,
            )
        )
    return results


def _masks(scene: QueryScene, scores: Tensor, backend: str) -> NDArray[np.float32]:
    """Probability [P, H, W] that a pixel shows what was asked for."""
    if not scores.shape[1]:
        return np.zeros((0, scene.camera.height, scene.camera.width), np.float32)
    out = scene.snapshot.render(scores, scene.camera, scene.T_map_camera, backend)
    probability = out.image / out.alpha.clamp(min=_SOLID_ALPHA)[..., None]
    masks: NDArray[np.float32] = probability.clamp(0, 1).permute(2, 0, 1).contiguous().cpu().numpy()
    return masks


def _cloud(scene: QueryScene, selected: Tensor, scores: Tensor, min_weight: float) -> Cloud:
    whole = semantic_cloud(scene.snapshot, selected.long(), scores, scene.time_s, min_weight)
    return whole.where(1)
