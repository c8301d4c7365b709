# SPDX-License-Identifier: Apache-2.0
"""Words, clicks, examples and marks to answers at one moment.

In: a `QueryScene` (a snapshot, its tracks, a camera) and what is wanted. Out: `QueryResult`s.
"""

from __future__ import annotations

from f4x_ros.core.ask.asking import Asker
from f4x_ros.core.ask.clicks import segment
from f4x_ros.core.ask.describe import (
    Labelling,
    moving_mask,
    moving_now,
    prompts_at_once,
    semantic_cloud,
)
from f4x_ros.core.ask.lift import Operator, PosedImage, Quantity, drawn_images, images_of, lift
from f4x_ros.core.ask.marks import MarkedObject, TransferResult, transfer_marks
from f4x_ros.core.ask.namer import AUTO, Namer
from f4x_ros.core.ask.presence import Evidence
from f4x_ros.core.ask.prompt_file import read_prompts
from f4x_ros.core.ask.prompts import PromptSet, Wanted, labels_of, score_of
from f4x_ros.core.ask.scene import QueryScene

__all__ = [
    "AUTO",
    "Asker",
    "Evidence",
    "Labelling",
    "MarkedObject",
    "Namer",
    "Operator",
    "PosedImage",
    "PromptSet",
    "Quantity",
    "QueryScene",
    "TransferResult",
    "Wanted",
    "drawn_images",
    "images_of",
    "labels_of",
    "lift",
    "moving_mask",
    "moving_now",
    "prompts_at_once",
    "read_prompts",
    "score_of",
    "segment",
    "semantic_cloud",
    "transfer_marks",
]
