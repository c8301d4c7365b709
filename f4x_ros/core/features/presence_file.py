# SPDX-License-Identifier: Apache-2.0
"""Where the calibration of presence is kept: in the weights, or in a file beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from f4x_ros.core.base import atomic_write
from f4x_ros.core.config import FeaturesConfig
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import Words
from f4x_ros.core.features.calibrated import PresenceCalibration
from f4x_ros.core.features.heads import make_heads
from f4x_ros.core.features.registry import language_of

_SUFFIX = ".f4x.json"


def calibration_of(words: Words) -> PresenceCalibration | None:
    """An extractor's own calibration; where it has none, that of the file beside its `checkpoint`.

    Raises:
        ValueError: the file is there but is no calibration.
    """
    own, path = words.calibrated.presence, file_beside(words)
    if own is not None or path is None or not path.is_file():
        return own
    return read_presence(path)


def file_beside(words: Words) -> Path | None:
    """`<checkpoint>.f4x.json`; None for an extractor that says no `checkpoint`."""
    checkpoint = words.calibrated.checkpoint
    return None if checkpoint is None else Path(f"{checkpoint}{_SUFFIX}")


def read_presence(path: Path) -> PresenceCalibration:
    """What `write_presence` wrote; ValueError names the file if it is something else."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return PresenceCalibration.of(stored["presence"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{path} is no calibration of presence: {error}") from error


def write_presence(path: Path, learned: PresenceCalibration, about: Mapping[str, Any]) -> Path:
    """Write a calibration and how it was learned as JSON; returns the path."""
    with atomic_write(path) as file:
        text = json.dumps({"presence": learned.as_dict(), "about": dict(about)}, indent=1)
        file.write(text.encode() + b"\n")
    return path


def store_presence(
    config: FeaturesConfig, learned: PresenceCalibration, about: Mapping[str, Any]
) -> Path:
    """Put a calibration where the extractor that is asked in words will find it.

    Returns the file that was changed.

    Raises:
        ValueError: the extractor has no words, or neither weights that hold one nor a `checkpoint`.
        OSError: the file cannot be written.
    """
    words = language_of(make_heads(config).words)
    kept = words.keep_presence(learned)
    if kept is not None:
        return kept
    path = file_beside(words)
    if path is None:
        raise BadInputError(
            f"extractor {words.name!r} has no weights beside which a calibration could be kept"
        )
    return write_presence(path, learned, about)
