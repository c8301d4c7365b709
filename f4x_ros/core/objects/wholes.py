# SPDX-License-Identifier: Apache-2.0
"""What moves as a whole is one object, whatever its parts are called.

Words find a shirt and trousers, or half a car; the body they move with is the person, or the car.
A moving body is one object, of the prompt that most of it answers to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.objects.components import Component, box_of

_PART = 0.5  # share of a component's Gaussians that are of a body, for it to be a part of that
_FOLLOWED = 0.3  # share of a body that must be of tracks of one prompt ...
_STILL = 0.3  # ... that is kept while so many answer to it, against those of the best one
_NAMED = 0.15  # share of a body's Gaussians that answer to its prompt, at least


class Wholes:
    """The moving bodies among Gaussians.

    Args:
        owners: [N] body of each Gaussian, 0 = none.
        labels: [N] 0 none, p + 1 prompt p.
        moving: the bodies that move.
        followed: [N] label of the track whose id each Gaussian carries, 0 = none: what was called
            something goes on being called that, as long as a part of it answers to it.
    """

    def __init__(
        self,
        owners: NDArray[np.int32],
        labels: NDArray[np.integer],
        moving: Collection[int],
        followed: NDArray[np.integer],
    ) -> None:
        self._owners, self._moving = owners, frozenset(moving)
        self._label: dict[int, int] = {}
        self._rows: dict[int, NDArray[np.int64]] = {}
        for body in self._moving:
            rows = np.flatnonzero(owners == body)
            if not len(rows):
                continue
            counts = np.bincount(labels[rows], minlength=2)
            best = 1 + int(counts[1:].argmax())
            before = most(followed[rows], _FOLLOWED)
            if before and before < len(counts) and counts[before] >= _STILL * counts[best]:
                best = before
            self._rows[body] = rows
            self._label[body] = best if counts[best] >= _NAMED * len(rows) else 0

    def of(
        self, found: Iterable[Component], label: int, positions: NDArray[np.float32]
    ) -> Iterator[Component]:
        """The components of a label, with each moving body once, as a whole, or not at all."""
        given = set()
        for component in found:
            body = most(self._owners[component.members], _PART)
            if body not in self._rows:
                yield component
            elif self._label[body] == label and body not in given:
                given.add(body)
                members = np.union1d(component.members, self._rows[body]).astype(np.int64)
                yield Component(members, *box_of(positions[members]), component.score)


def most(ids: NDArray[np.integer], share: float = 0.5) -> int:
    """The id that such a share of some Gaussians carry at least, 0 if none."""
    values, counts = np.unique(ids, return_counts=True)
    best = int(counts.argmax())
    return int(values[best]) if counts[best] >= share * len(ids) else 0
