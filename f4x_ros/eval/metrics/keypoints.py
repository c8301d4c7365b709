# SPDX-License-Identifier: Apache-2.0
"""PCK: the share of keypoints found near enough to where they truly are.

As in the literature (Yang and Ramanan 2013; PCK@0.1 with the object's box, as on PF-PASCAL and
SPair-71k): a keypoint counts if it lies within 0.1 times the largest side of the target object's
true box from its true place. In 3D that is the box of the object in its own frame [m], in 2D that
of its outline in the picture [px].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError

PCK_SHARE = 0.1
"""Of the largest side of the box."""


@dataclass(frozen=True, eq=False)
class KeypointErrors:
    """Of one object, as shares of the largest side of its box.

    Attributes:
        errors: [K] distance; infinite where nothing was found, NaN where it does not count.
    """

    errors: NDArray[np.float64]

    @property
    def counted(self) -> int:
        """Keypoints that count."""
        return int((~np.isnan(self.errors)).sum())

    def within(self, share: float = PCK_SHARE) -> int:
        """Keypoints found within a share of the box."""
        return int((self.errors <= share).sum())


def keypoint_errors(
    found: NDArray[np.float64],  # [K, D]; NaN: not found
    equivalents: NDArray[np.float64],  # [S, K, D]
    size: float,
    counted: NDArray[np.bool_] | None = None,  # [K]
) -> KeypointErrors:
    """Compare found keypoints of one object with the truth, in 3D [m] or 2D [px].

    A symmetric object has S equally true namings of its keypoints; the one that fits best as a
    whole is taken, never one for each keypoint.

    Raises:
        ValueError: shapes that do not fit, or a size that is not positive.
    """
    if equivalents.ndim != 3 or equivalents.shape[1:] != found.shape or not len(equivalents):
        raise BadInputError(
            f"equivalents has shape {equivalents.shape}, expected (S, *{found.shape}), S >= 1"
        )
    if not size > 0:
        raise BadInputError(f"size is {size}, expected > 0")
    errors = np.linalg.norm(equivalents - found[None], axis=2) / size  # [S, K]
    errors = np.where(np.isnan(errors), np.inf, errors)
    if counted is not None:
        if counted.shape != found.shape[:1]:
            raise BadInputError(f"counted has shape {counted.shape}, expected {found.shape[:1]}")
        errors = np.where(counted[None], errors, np.nan)
    hits = (errors <= PCK_SHARE).sum(1)
    far = np.nan_to_num(errors, nan=0.0, posinf=1e9).sum(1)
    best = np.lexsort((far, -hits))[0]
    return KeypointErrors(errors[best])


def pck(objects: Sequence[KeypointErrors], share: float = PCK_SHARE) -> float | None:
    """Share of all keypoints of all objects that were found; None if none counts."""
    total = sum(one.counted for one in objects)
    return sum(one.within(share) for one in objects) / total if total else None


def mean_pck(
    by_class: Sequence[Sequence[KeypointErrors]], share: float = PCK_SHARE
) -> float | None:
    """Mean over classes of their `pck`, so that a class with many keypoints counts no more."""
    values = [value for one in by_class if (value := pck(one, share)) is not None]
    return float(np.mean(values)) if values else None
