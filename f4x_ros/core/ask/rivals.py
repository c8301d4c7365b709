# SPDX-License-Identifier: Apache-2.0
"""What else a thing might be: canonical kinds and colours that a question competes with.

As LERF's canonical negatives (Kerr et al. 2023), but things with names: a kettle that is asked for
has to look more like a kettle than like a mug, and a red mug more red than blue.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.features.phrases import COLORS

KINDS = (
    "floor", "wall", "ceiling", "window", "door", "picture", "rug", "table", "chair", "stool",
    "bench", "sofa", "bed", "pillow", "bookshelf", "cabinet", "drawer", "box", "crate", "basket",
    "bucket", "barrel", "trash can", "potted plant", "vase", "candle", "desk lamp", "floor lamp",
    "clock", "globe", "mug", "bowl", "plate", "pan", "bottle", "teapot", "kettle", "can", "apple",
    "banana", "pear", "tangerine", "laptop", "monitor", "keyboard", "computer mouse", "phone",
    "remote control", "book", "shoe", "hat", "umbrella", "backpack", "suitcase", "guitar",
    "hammer", "ladder", "fire extinguisher", "traffic cone", "pallet", "pallet rack", "hand truck",
    "forklift", "bicycle", "robot", "robot vacuum", "toy car", "toy airplane", "rubber duck",
    "teddy bear", "ball", "football", "person", "dog", "cat",
)  # fmt: skip
"""Things of homes, offices and warehouses."""


class Rivals(NamedTuple):
    """Vectors of what a question competes with.

    Attributes:
        kinds: [K, C] of `KINDS`.
        colors: [12, C] of "red thing" and so on, in the order of `COLORS`.
    """

    kinds: Tensor
    colors: Tensor

    @classmethod
    def of(cls, encoder: TextVectors) -> Rivals | None:
        """Encoded once; None if the extractor does not know all these words."""
        try:
            return cls(
                encoder.encode(KINDS), encoder.encode([f"{color} thing" for color in COLORS])
            )
        except ValueError:
            return None
