# SPDX-License-Identifier: Apache-2.0
"""Which arrays a map file consists of, and whether those of a file are they."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import CorruptError
from f4x_ros.core.field import past_columns
from f4x_ros.core.objects import history, target

NOT_STORED = frozenset({"adam_m", "adam_v", "steps", "contradictions", "moved_s"})
"""Columns of the present Gaussians that a file does not hold: those of what is going on."""


class _Array(NamedTuple):
    shape: tuple[int | str, ...]  # a name stands for a size that is the same all over the group
    kind: str  # of numpy's dtype


def _layout(latent_dim: int, cameras: int) -> dict[str, dict[str, _Array]]:
    columns = past_columns(latent_dim)
    gaussians = {
        name: _Array(("N", *c.shape), "f" if c.dtype.is_floating_point else "i")
        for name, c in columns.items()
    }
    number = {"next_id": _Array((), "i"), "last_ns": _Array((), "i")}
    exposures = {"times_s": _Array(("M",), "f"), "values": _Array(("M", 2, 3), "f")}
    path = {
        "stamps_ns": _Array(("M",), "i"),
        "T_map_camera": _Array(("M", 4, 4), "f"),
        "origin_ns": _Array((), "i"),
    }
    more = {f"exposures_{number}": exposures for number in range(1, cameras)} | {
        f"trajectory_{number}": path for number in range(1, cameras)
    }
    return {
        "present": gaussians,
        "past": gaussians,
        "codec": {
            "basis": _Array((latent_dim, "F"), "f"),
            "scales": _Array(("H",), "f"),
            "moment": _Array(("F", "F"), "f"),
            "weights": _Array(("H",), "f"),
            "counts": _Array((2,), "i"),
            "cosines": _Array(("H",), "f"),
        },
        "exposures": exposures,
        "trajectory": path,
        **more,
        "bodies": {
            "body": _Array(("P",), "i"),
            "time_s": _Array(("P",), "f"),
            "place": _Array(("P", 3), "f"),
            "quat": _Array(("P", 4), "f"),
        },
        "tracks": {
            **{name: _Array(("T", *shape), kind) for name, (shape, kind) in target.LAYOUT.items()},
            **{name: _Array(shape, kind) for name, (shape, kind) in history.LAYOUT.items()},
            **number,
        },
    }


def checked_groups(
    path: Path, arrays: Mapping[str, NDArray[Any]], latent_dim: int, cameras: int
) -> dict[str, dict[str, NDArray[Any]]]:
    """The arrays `group/name` of a file by group and name, with those of so many cameras.

    Raises:
        ValueError: one is missing, or has another shape or type than it should; names the file,
            the array and what was expected.
    """
    groups = {}
    for group, layout in _layout(latent_dim, cameras).items():
        if not any(name.startswith(f"{group}/") for name in arrays):
            raise CorruptError(f"{path} is not a whole map file: it has no '{group}'")
        sizes: dict[str, int] = {}
        for name, expected in layout.items():
            _check(path, f"{group}/{name}", arrays.get(f"{group}/{name}"), expected, sizes)
        groups[group] = {name: arrays[f"{group}/{name}"] for name in layout}
    return groups


def _check(
    path: Path, name: str, array: NDArray[Any] | None, expected: _Array, sizes: dict[str, int]
) -> None:
    """ValueError unless the array is as expected; `sizes` holds the named sizes met so far."""
    if array is None:
        raise CorruptError(f"{path} is not a whole map file: it has no '{name}'")
    if array.ndim == len(expected.shape):
        for axis, size in zip(expected.shape, array.shape, strict=True):
            if isinstance(axis, str):
                sizes.setdefault(axis, size)
    shape = tuple(sizes.get(a, 0) if isinstance(a, str) else a for a in expected.shape)
    if array.shape != shape or array.dtype.kind != expected.kind:
        kind = np.dtype({"f": float, "i": int, "b": bool, "U": str}[expected.kind]).name
        raise CorruptError(
            f"{path} is not a whole map file: its '{name}' has shape {array.shape} and type "
            f"{array.dtype}, expected {shape} {kind}"
        )
