# SPDX-License-Identifier: Apache-2.0
"""What a frame shows, out of the field: masks, tracks, cloud and pictures of one stamp."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.ask import (
    Asker,
    Labelling,
    PromptSet,
    labels_of,
    moving_mask,
    moving_now,
    prompts_at_once,
    score_of,
    semantic_cloud,
)
from f4x_ros.core.base import StageClock
from f4x_ros.core.data import Frame, Outputs, Percept
from f4x_ros.core.field import take_snapshot, to_picture
from f4x_ros.core.render import RenderOutput
from f4x_ros.core.world.memory import Memory


@torch.no_grad()
def percept_of(
    memory: Memory,
    asker: Asker,
    prompts: PromptSet,
    frame: Frame,
    outputs: Outputs,
    clock: StageClock,
) -> Percept:
    """The last frame that a memory took in, as the field has it; the tracks advance to it.

    Args:
        memory: with the frame.
        asker: of the standing prompts.
        prompts: the standing prompts.
        frame: with a pose.
        outputs: what to compute.
        clock: of the stages.
    """
    assert frame.T_map_camera is not None
    time_s = memory.seconds(frame.stamp_ns)
    snapshot = take_snapshot(memory.field, blocks=())  # what is at rest is not in view
    with clock("query"):
        relevancies, scores = asker.standing(
            memory.distiller, snapshot, prompts, memory.best_at_rest(prompts)
        )
        labels, _ = labels_of(scores, prompts.thresholds)
        best = score_of(relevancies, labels)
    with clock("track"):  # asked for or not: a question later is to know the tracks
        memory.follow(snapshot, labels, best, prompts.texts)
    with clock("render"):
        channels = [snapshot.colors]
        if outputs.moving:
            since_s = time_s - memory.recent_s
            channels += [
                moving_now(snapshot, memory.tracker.tracks(), since_s, memory.bodies.moving)[
                    :, None
                ]
            ]
        wanted = scores if outputs.masks or outputs.labels else scores[:, :0]
        first, *others = torch.split(wanted, prompts_at_once(*frame.camera.shape), 1)
        place = frame.T_map_camera

        def drawn(parts: list[Tensor]) -> RenderOutput:
            return snapshot.render(torch.cat(parts, 1), frame.camera, place, asker.backend)

        out = drawn([*channels, first])
        picture = to_picture(out, memory.cameras.named(frame.camera_name).exposures.at(time_s))
        masks = label_image = certainty = None
        if outputs.masks or outputs.labels:
            labelling = Labelling(out.alpha, prompts.thresholds, keep=outputs.masks)
            labelling.add(out.image[..., 3 + outputs.moving :])
            for more in others:
                labelling.add(drawn([more]).image)
            masks, label_image, certainty = labelling.result()
    with clock("cloud"):
        min_weight = asker.min_weight
        cloud = (
            semantic_cloud(snapshot, labels, best, time_s, min_weight) if outputs.cloud else None
        )
    return Percept(
        stamp_ns=frame.stamp_ns,
        frame_id=frame.frame_id,
        map_frame=frame.map_frame,
        camera=frame.camera,
        T_map_camera=frame.T_map_camera,
        prompts=prompts.texts,
        thresholds=prompts.thresholds,
        encoder=memory.distiller.words.name,
        masks=masks,
        labels=label_image,
        certainty=certainty,
        tracks=memory.tracker.tracks() if outputs.tracks else (),
        cloud=cloud,
        color=picture.color,
        depth=picture.depth,
        alpha=picture.alpha,
        moving=moving_mask(out.image[..., 3], out.alpha) if outputs.moving else None,
        camera_name=frame.camera_name,
    )
