# SPDX-License-Identifier: Apache-2.0
"""Opening a source by its name or path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from f4x_ros.datasets.rgbd_folder import RgbdFolder, is_rgbd_folder
from f4x_ros.datasets.source import Source


def open_source(spec: str | Path, **options: Any) -> Source:
    """Open a source of frames.

    Args:
        spec: a folder laid out like `RgbdFolder`.
        options: passed to the source's constructor, e.g. ``rate_hz=15.0``.

    Raises:
        ValueError: nothing is there, the layout is unknown, or an option does not fit; the message
            names the path or option and what was expected.
    """
    path = Path(spec).expanduser()
    if is_rgbd_folder(path):
        return _construct(RgbdFolder, path, options)
    raise ValueError(
        f"source {str(spec)!r}: " + ("layout not recognised" if path.exists() else "no such path")
        + ", expected an RGB-D folder (images/, K.txt)"
    )


def _construct(kind: type[Source], path: Path, options: dict[str, Any]) -> Source:
    """Call the constructor and turn an unknown option into a ValueError."""
    try:
        return kind(path, **options)  # type: ignore[call-arg]
    except TypeError as error:
        raise ValueError(f"options {sorted(options)} of {kind.__name__}: {error}") from error
