# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one drawn world through one subject: what each sees, measured for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from f4x_ros.eval.protocol.costs import Costs
from f4x_ros.eval.protocol.frame_scores import FrameScores
from f4x_ros.eval.protocol.questions import Vocabulary
from f4x_ros.eval.subjects.report import Report
from f4x_ros.eval.subjects.subject import Subject
from f4x_ros.sim import Rig


def evaluate_rig(
    rig: Rig, subject: Subject, progress: Callable[[int], None] = lambda done: None
) -> tuple[dict[str, Any], Report]:
    """Feed all frames of a rig to a subject; the groups of numbers, and the report of its run.

    "cameras" has of each camera: frames, PSNR of its held-out frames out of the finished map, mIoU
    of its published masks and J of what moves in them.

    Args:
        rig: several cameras in one world.
        subject: fresh, given poses.
        progress: called with the number of frames done.
    """
    first = next(iter(rig.worlds.values()))
    standing = Vocabulary.of(first, subject).standing()
    subject.begin([phrase.text for phrase in standing])
    scores = {name: FrameScores(world, standing) for name, world in rig.worlds.items()}
    costs = Costs()
    for index in range(len(rig)):
        frame, truth = rig[index], rig.truth(index)
        observed = subject.process(frame)
        costs.add(observed)
        scores[frame.camera_name].add(truth, observed)
        progress(index + 1)
    run = subject.finish()
    psnr, count = run.get("psnr_heldout_db_of"), run.get("frames_of")
    cameras: dict[str, Any] = {}
    for name, own in scores.items():
        cameras[f"{name}_frames"] = count.get(name) if isinstance(count, dict) else None
        cameras[f"{name}_psnr_past_db"] = psnr.get(name) if isinstance(psnr, dict) else None
        cameras[f"{name}_miou_live"] = own.masks.result().miou
        cameras[f"{name}_moving_j"] = own.moving()[0].j
    masks = [v for name in scores if (v := cameras[f"{name}_miou_live"]) is not None]
    numbers = {
        "cameras": cameras,
        "query": {"miou_live": float(np.mean(masks)) if masks else None},
        "render": {"psnr_past_db": run.get("psnr_heldout_db")},
        "geometry": {"depth_median_m": run.get("depth_median_error_m")},
        "cost": costs.numbers(run),
    }
    return numbers, run
