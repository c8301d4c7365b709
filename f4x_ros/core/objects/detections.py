# SPDX-License-Identifier: Apache-2.0
"""From per-Gaussian labels to detections, and track ids back onto the Gaussians."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.config import TracksConfig
from f4x_ros.core.field import MIN_OPACITY, Snapshot
from f4x_ros.core.motion.bodies import BodyMotion
from f4x_ros.core.objects.components import Component, find_components
from f4x_ros.core.objects.tracker import Detection, Tracker
from f4x_ros.core.objects.wholes import Wholes, most


def components_of(
    snapshot: Snapshot, scores: Tensor, selected: Tensor, config: TracksConfig
) -> list[Component]:
    """Objects among the selected Gaussians (mask [N]), scored by `scores` [N]."""
    solid = selected & (snapshot.opacities >= MIN_OPACITY)
    positions, relevancy, chosen = on_host(snapshot.means, scores, solid)
    return _components(positions, relevancy, chosen, config)


def _components(
    positions: NDArray[np.float32],
    scores: NDArray[np.float32],
    solid: NDArray[np.bool_],
    config: TracksConfig,
) -> list[Component]:
    return find_components(
        positions,
        scores,
        solid,
        link_distance_m=config.link_distance_m,
        min_members=config.min_gaussians,
        max_components=config.max_objects,
    )


def track_objects(
    tracker: Tracker,
    snapshot: Snapshot,
    labels: Tensor,  # [N] 0 none, p + 1 prompt p
    scores: Tensor,  # [N] of the label
    prompts: Sequence[str],
    config: TracksConfig,
    *,
    time_s: float,
    stamp_ns: int,
    recent_s: float,
    elsewhere: Collection[int] = (),
    bodies: Mapping[int, BodyMotion] | None = None,
    since_ns: int | None = None,
) -> NDArray[np.int32]:
    """Advance the tracker by one frame; returns the track id of every Gaussian [N].

    A Gaussian counts as new if a view within the last `recent_s` seconds saw its place empty.
    So does one of the `bodies` that move; those say how objects move and turn. The snapshot may be
    any part of the map; `elsewhere` are the tracks with Gaussians in the rest. What that rest still
    carries of `Tracker.lost_ids` is for the caller to make `GIVEN_UP`. What was seen since
    `since_ns`, perhaps by another camera, is in sight; None = in this frame.
    """
    solid = torch.where(snapshot.opacities >= MIN_OPACITY, labels, 0)
    new = snapshot.birth_s >= time_s - recent_s
    known = bodies or {}
    moving = [one.id for one in known.values() if one.moving]
    new |= torch.isin(snapshot.body_ids, snapshot.body_ids.new_tensor(moving))
    positions, relevancy, solid_labels, carried, seen_s, born, owners = on_host(
        snapshot.means, scores, solid, snapshot.object_ids, snapshot.seen_s, new, snapshot.body_ids
    )
    ids, seen = carried.astype(np.int64), seen_s >= time_s
    called = tracker.labels(ids, prompts)
    detections, wholes = [], Wholes(owners, solid_labels, moving, called)
    for index, prompt in enumerate(prompts):
        found = _components(positions, relevancy, solid_labels == index + 1, config)
        for component in wholes.of(found, index + 1, positions):
            m = component.members
            body = known.get(most(owners[m]))
            detections.append(
                Detection(
                    prompt,
                    component,
                    tracker.ids_now(ids[m]),
                    float(seen[m].mean()),
                    stamp_ns - round((time_s - float(seen_s[m].max())) * 1e9),
                    float(born[m].mean()),
                    positions[m],
                    body,
                    0.0 if body is None else float((owners[m] == body.id).mean()),
                )
            )
    track_ids = tracker.update(detections, stamp_ns, elsewhere, since_ns)
    out = np.zeros(len(ids), np.int32)
    for detection, track_id in zip(detections, track_ids, strict=True):
        out[detection.component.members] = track_id
    return out


def dominant_id(object_ids: Tensor, members: NDArray[np.int64]) -> int:
    """The track id most of a component's Gaussians carry, 0 if none carries half of them."""
    return most(object_ids[torch.from_numpy(members).to(object_ids.device)].cpu().numpy())
