# SPDX-License-Identifier: Apache-2.0
"""Depth whose bytes are in the other order than its message says, told by its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError

_ROWS = 32  # that are looked at
_LEAST = 100  # pairs of neighbours, or readings, that tell
_STEP = 256  # units by which neighbours differ at least if the low byte is taken for the high
_ROUGHER = 8.0  # times the difference of neighbours in the right order
_SENSIBLE_M = (1e-3, 1e5)  # readings in metres, or in millimetres by mistake
_OFTEN, _SELDOM = 0.8, 0.3  # share of such readings in the right order, and in the wrong one


def check_byte_order(pixels: NDArray[Any], is_bigendian: bool, what: str) -> None:
    """Refuse depth [H, W] that makes sense in the other byte order only.

    Args:
        pixels: as they were read.
        is_bigendian: as the message says.
        what: begins the message.

    Raises:
        ValueError: the readings are smooth, or of metres, in the other order and not in this one.
    """
    some = pixels[:: max(1, len(pixels) // _ROWS)]
    other = some.byteswap()
    if pixels.dtype.kind == "f":
        wrong = _sensible(some) < _SELDOM < _OFTEN < _sensible(other)
    else:
        given, swapped = _roughness(some), _roughness(other)
        wrong = given >= _STEP and given > _ROUGHER * swapped
    if wrong:
        raise BadInputError(
            f"{what} whose readings only make sense in the other byte order: is_bigendian is "
            f"{int(is_bigendian)}, expected {int(not is_bigendian)}"
        )


def _roughness(pixels: NDArray[Any]) -> float:
    """Median difference of neighbours in a row that differ and have readings; 0 where few do."""
    left, right = pixels[:, :-1].astype(np.int64), pixels[:, 1:].astype(np.int64)
    apart = np.abs(right - left)[(left != right) & (left != 0) & (right != 0)]
    return float(np.median(apart)) if len(apart) >= _LEAST else 0.0


def _sensible(pixels: NDArray[Any]) -> float:
    """Share of the readings that are not zero that a camera could have; 1 of few."""
    with np.errstate(invalid="ignore"):
        read = np.abs(pixels[(pixels != 0) & ~np.isnan(pixels)].astype(np.float64))
    low, high = _SENSIBLE_M
    return float(((read >= low) & (read <= high)).mean()) if len(read) >= _LEAST else 1.0
