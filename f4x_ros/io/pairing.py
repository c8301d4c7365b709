# SPDX-License-Identifier: Apache-2.0
"""Finding what belongs together in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Stamps that are times of recording lie apart by what a message takes: this part of a period.
SLOP_OF_PERIOD = 0.4


def nearest_stamps(wanted: ArrayLike, offered: ArrayLike) -> NDArray[np.int64]:
    """Index ``[N]`` of the offered stamp nearest to each wanted one, -1 if none is offered.

    Stamps are int64 nanoseconds in any order; of two equally near ones the earlier is taken.
    """
    want, offer = np.asarray(wanted, np.int64), np.asarray(offered, np.int64)
    if not offer.size:
        return np.full(want.shape, -1, np.int64)
    order = np.argsort(offer, kind="stable")
    ordered = offer[order]
    after = np.clip(np.searchsorted(ordered, want), 0, len(ordered) - 1)
    before = np.maximum(after - 1, 0)
    take_before = want - ordered[before] <= np.abs(ordered[after] - want)
    return order[np.where(take_before & (before != after), before, after)]


def pair_stamps(wanted: ArrayLike, offered: ArrayLike, slop_ns: int) -> NDArray[np.int64]:
    """Like `nearest_stamps`, but -1 beyond ``slop_ns``; of two that want one, the nearer wins."""
    want, offer = np.asarray(wanted, np.int64), np.asarray(offered, np.int64)
    index = nearest_stamps(want, offer)
    distance = np.where(index >= 0, np.abs(want - offer[index]) if offer.size else 0, slop_ns + 1)
    index = np.where(distance <= slop_ns, index, -1)
    # Go through the pairs from the closest to the farthest; who comes second goes without.
    order = np.lexsort((want, distance))
    taken = order[index[order] >= 0]
    _, first = np.unique(index[taken], return_index=True)
    unique = np.full(want.shape, -1, np.int64)
    unique[taken[first]] = index[taken[first]]
    return unique
