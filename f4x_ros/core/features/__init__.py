# SPDX-License-Identifier: Apache-2.0
"""2D models as plug-ins: dense features, words in the same space, and the latents between."""

from __future__ import annotations

from f4x_ros.core.features.base import (
    FeatureExtractor,
    Masks,
    PromptedExtractor,
    has_points,
    has_text,
)
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.features.registry import (
    ExtractorStatus,
    describe,
    extractor_names,
    make_extractor,
    parse_options,
)

__all__ = [
    "ExtractorStatus",
    "FeatureExtractor",
    "LatentCodec",
    "Masks",
    "PromptedExtractor",
    "describe",
    "extractor_names",
    "has_points",
    "has_text",
    "make_extractor",
    "parse_options",
]
