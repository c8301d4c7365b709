# SPDX-License-Identifier: Apache-2.0
"""The answer to one question: is it there, where, how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.camera import PinholeCamera
from f4x_ros.core.config import TracksConfig
from f4x_ros.core.frame import Track, TrackState
from f4x_ros.core.motion.objects import MIN_OPACITY, components_of, dominant_id
from f4x_ros.core.poses import Pose
from f4x_ros.core.query.components import Component
from f4x_ros.core.query.prompts import PromptSet
from f4x_ros.core.snapshot import Snapshot

_UNKNOWN = 1.0  # standard deviation (m, rad, m/s, rad/s) of what a single look does not tell
_BOX_SIGMA = 0.05  # of a box centre, share of its size
_EVIDENCE = 0.9  # quantile of the relevancies that stands for a scene without an object


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found in a snapshot of N Gaussians."""

    present: bool
    score: float
    message: str
    mask: NDArray[np.float32]  # [H, W] probability
    selected: Tensor  # [N] bool
    scores: Tensor  # [N]
    tracks: tuple[Track, ...]  # best first


def answer(
    snapshot: Snapshot,
    scores: Tensor,
    prompt: PromptSet,
    camera: PinholeCamera,
    T_map_camera: Pose,
    config: TracksConfig,
    tracks: Sequence[Track],
    backend: str,
    *,
    stamp_ns: int,
    max_results: int,
) -> Answer:
    """Answer `prompt` (a set of one) from the relevancy [N] of every Gaussian to it.

    Something is present if at least one object of enough connected Gaussians passes the threshold;
    its score is the mean relevancy of the best one. Without any, the score is what the
    most relevant Gaussians reach, which tells how near a miss it was.
    """
    threshold = prompt.thresholds[0]
    selected = (scores >= threshold) & (snapshot.opacities >= MIN_OPACITY)
    components = components_of(snapshot, scores, selected, config)
    components.sort(key=lambda c: -c.score)
    mask = _mask(snapshot, scores, camera, T_map_camera, backend)
    if not components:
        near = _best_relevancy(scores, config.min_gaussians)
        text = f"not present: best relevancy {near:.2f}, threshold {threshold:.2f}"
        return Answer(False, near, text, mask, selected & False, scores, ())
    inside = torch.zeros_like(selected)
    inside[torch.from_numpy(np.concatenate([c.members for c in components]))] = True
    count = max_results or len(components)
    known = {t.id: t for t in tracks}
    objects = tuple(
        _as_track(c, snapshot, prompt.texts[0], known, stamp_ns) for c in components[:count]
    )
    text = f"{len(components)} object{'s' if len(components) > 1 else ''}"
    return Answer(True, components[0].score, text, mask, inside, scores, objects)


def _mask(
    snapshot: Snapshot, scores: Tensor, camera: PinholeCamera, pose: Pose, backend: str
) -> NDArray[np.float32]:
    out = snapshot.render(scores[:, None], camera, pose, backend)
    probability = out.image[..., 0] / out.alpha.clamp(min=0.5)
    mask: NDArray[np.float32] = probability.clamp(0, 1).cpu().numpy()
    return mask


def _best_relevancy(scores: Tensor, count: int) -> float:
    """High quantile of the `count` most relevant Gaussians, 0 in an empty field."""
    top = scores.topk(min(count, len(scores))).values
    return float(top.quantile(1 - _EVIDENCE)) if len(top) else 0.0


def _as_track(
    component: Component,
    snapshot: Snapshot,
    label: str,
    known: dict[int, Track],
    stamp_ns: int,
) -> Track:
    """The standing track these Gaussians belong to with this label and box, or an untracked one."""
    track = known.get(dominant_id(snapshot.object_ids, component.members))
    if track is not None:
        return replace(
            track,
            label=label,
            score=component.score,
            position=component.center,
            size=component.size,
            last_seen_ns=min(track.last_seen_ns, stamp_ns),
        )
    sigma = _BOX_SIGMA * float(np.linalg.norm(component.size))
    unknown = _UNKNOWN**2 * np.eye(6)
    pose_covariance = unknown.copy()
    pose_covariance[:3, :3] = sigma**2 * np.eye(3)
    return Track(
        id=0,
        label=label,
        score=component.score,
        state=TrackState.TENTATIVE,
        moving=False,
        position=component.center,
        orientation=np.array([0.0, 0.0, 0.0, 1.0]),
        pose_covariance=pose_covariance,
        velocity=np.zeros(3),
        angular_velocity=np.zeros(3),
        twist_covariance=unknown,
        size=component.size,
        first_seen_ns=stamp_ns,
        last_seen_ns=stamp_ns,
    )
