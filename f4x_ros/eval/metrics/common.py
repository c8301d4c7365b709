# SPDX-License-Identifier: Apache-2.0
"""Numbers that compare what the map shows with what the camera saw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import RenderedView
from f4x_ros.core.errors import BadInputError

SOLID_ALPHA = 0.5
"""Below this the map is taken to be empty at a pixel, so its depth there is no claim."""

_DEPTH_SAMPLES = 50_000  # of one picture: more do not change a median


def psnr_db(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures of one shape, dB; infinite if equal.

    10 log10(255^2 / MSE) over all pixels and channels.

    Raises:
        ValueError: shapes or types differ, or there is no pixel.
    """
    if picture.shape != truth.shape or picture.dtype != np.uint8 or truth.dtype != np.uint8:
        raise BadInputError(
            f"pictures are {picture.shape} {picture.dtype} and {truth.shape} {truth.dtype}, "
            "expected two uint8 pictures of one shape"
        )
    if not truth.size:
        raise BadInputError(f"pictures have shape {truth.shape}, expected at least one pixel")
    mse = float(np.mean((picture.astype(np.float32) - truth.astype(np.float32)) ** 2))
    return math.inf if mse == 0 else 10 * math.log10(255**2 / mse)


def depth_errors_m(view: RenderedView, truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Absolute depth errors [n] in metres, where both depths exist and alpha is above 0.5.

    Of large pictures an evenly spaced part of at least 50 000 of them, so that the errors of many
    pictures fit into memory.

    Args:
        view: the map seen by the camera.
        truth: [H, W] measured depth in metres, 0 = no reading.

    Raises:
        ValueError: the sizes differ.
    """
    if view.depth.shape != truth.shape:
        raise BadInputError(
            f"depths have shapes {view.depth.shape} and {truth.shape}, expected one"
        )
    both = (truth > 0) & (view.depth > 0) & (view.alpha > SOLID_ALPHA)
    errors = np.abs(view.depth[both] - truth[both])
    return np.asarray(errors, np.float32)[:: max(1, len(errors) // _DEPTH_SAMPLES)]


def depth_ratios(view: RenderedView, truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Depth of the map by measured depth [n], where `depth_errors_m` has errors; raises like it."""
    if view.depth.shape != truth.shape:
        raise BadInputError(
            f"depths have shapes {view.depth.shape} and {truth.shape}, expected one"
        )
    both = (truth > 0) & (view.depth > 0) & (view.alpha > SOLID_ALPHA)
    ratios = view.depth[both] / truth[both]
    return np.asarray(ratios, np.float32)[:: max(1, len(ratios) // _DEPTH_SAMPLES)]


def median_or_none(parts: Sequence[NDArray[np.float32]]) -> float | None:
    """The median of all numbers of all arrays; None if there is none."""
    together = np.concatenate(parts) if parts else np.zeros(0)
    return float(np.median(together)) if len(together) else None


def mean_or_none(values: Sequence[float]) -> float | None:
    """The mean; None if there are no values."""
    return float(np.mean(values)) if len(values) else None


def percentile_or_none(values: Sequence[float], percent: float) -> float | None:
    """The percentile (0..100, linear between neighbours); None if there are no values."""
    return float(np.percentile(np.asarray(values), percent)) if len(values) else None
