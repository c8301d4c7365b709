# SPDX-License-Identifier: Apache-2.0
"""2D models as plug-ins: dense features, what can be asked of them, and the latents between.

In: pictures, words, clicks, examples. Out: features, vectors, masks, and latents for the field. An
extractor of another package derives from the classes exported here.
"""

from __future__ import annotations

from f4x_ros.core.base import option
from f4x_ros.core.features.base import (
    Clicks,
    CosineWords,
    Examples,
    FeatureExtractor,
    Masks,
    Traits,
    Words,
)
from f4x_ros.core.features.calibrated import Calibrated, PeakLine, PeakLines, PresenceCalibration
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.features.registry import (
    ExtractorStatus,
    describe,
    extractor_class,
    extractor_names,
    language_of,
    make_extractor,
    parse_options,
)

__all__ = [
    "Calibrated",
    "Clicks",
    "CosineWords",
    "Examples",
    "ExtractorStatus",
    "FeatureExtractor",
    "LatentCodec",
    "Masks",
    "PeakLine",
    "PeakLines",
    "PresenceCalibration",
    "Traits",
    "Words",
    "describe",
    "extractor_class",
    "extractor_names",
    "language_of",
    "make_extractor",
    "option",
    "parse_options",
]
