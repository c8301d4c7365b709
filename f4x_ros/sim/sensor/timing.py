# SPDX-License-Identifier: Apache-2.0
"""When frames are taken, and which of them arrive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from f4x_ros.sim.sensor.seeded import generator

#: How much later than colour depth is taken; a third of a frame, as two unsynchronised 30 Hz
#: streams have it on average when the nearest stamps are paired [microseconds].
DEPTH_DELAY_US = 11_000

_LENGTHS = (1, 2, 3)  # frames lost in one go
_SHARES = (0.85, 0.10, 0.05)  # how often
_LOST = 0.04  # share of all frames


def arriving(frames: int, seed: int) -> NDArray[np.int64]:
    """Numbers of the frames that arrive out of ``frames``, growing; the first always does.

    4 % are lost, one at a time or in bursts of 2 or 3, as a loaded bus loses them. What happens to
    a frame does not depend on how many follow.
    """
    mean_length = float(np.dot(_LENGTHS, _SHARES))
    # Bursts may overlap, hence the logarithm: a frame arrives if none of those before began one.
    begins_one = generator("drops begin", seed).random(frames) < -np.expm1(
        np.log1p(-_LOST) / mean_length
    )
    length = np.searchsorted(np.cumsum(_SHARES), generator("drops length", seed).random(frames))
    lost = np.zeros(frames, bool)
    for extra in range(len(_LENGTHS)):
        hit = begins_one & (length >= extra)
        lost[extra:] |= hit[: frames - extra]
    lost[:1] = False
    return np.flatnonzero(~lost).astype(np.int64)
