# SPDX-License-Identifier: Apache-2.0
"""A question in words, from the text to the whole answer."""

from __future__ import annotations

import torch

from f4x_ros.core.config import Config
from f4x_ros.core.describe import semantic_cloud
from f4x_ros.core.distil import Distiller
from f4x_ros.core.frame import QueryResult
from f4x_ros.core.query.answer import answer
from f4x_ros.core.query.prompts import check_threshold, make_prompts, relevancy
from f4x_ros.core.query.scene import QueryScene


@torch.no_grad()
def ask(
    distiller: Distiller,
    scene: QueryScene,
    text: str,
    config: Config,
    backend: str,
    *,
    threshold: float = 0.0,
    want_cloud: bool = True,
    max_results: int = 0,
) -> QueryResult:
    """Answer one question; the arguments and errors are those of `Perception.query`."""
    check_threshold(threshold)
    if max_results < 0:
        raise ValueError(f"max_results is {max_results}, expected >= 0 (0 = all)")
    default = config.query.threshold or distiller.words.threshold
    prompt = make_prompts(distiller, [text], [threshold], default)
    min_weight = config.query.min_weight
    found = answer(
        scene.snapshot,
        relevancy(scene.snapshot, distiller, prompt.vectors, min_weight)[:, 0],
        prompt,
        scene.camera,
        scene.T_map_camera,
        config.tracks,
        scene.tracks,
        backend,
        stamp_ns=scene.stamp_ns,
        max_results=max_results,
    )
    cloud = None
    if want_cloud:
        selected = found.selected.long()
        cloud = semantic_cloud(scene.snapshot, selected, found.scores, scene.time_s, min_weight)
        cloud = cloud.where(1)
    return QueryResult(
        prompt=text,
        present=found.present,
        score=found.score,
        threshold=prompt.thresholds[0],
        encoder=distiller.words.name,
        message=found.message,
        stamp_ns=scene.stamp_ns,
        frame_id=scene.frame_id,
        map_frame=scene.map_frame,
        camera=scene.camera,
        T_map_camera=scene.T_map_camera,
        mask=found.mask,
        cloud=cloud,
        tracks=found.tracks,
    )
