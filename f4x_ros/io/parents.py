# SPDX-License-Identifier: Apache-2.0
"""Which parent a frame has, of several that are broadcast."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

#: Frames that do not move, the best first (REP-105).
FIXED_FRAMES = ("map", "odom", "world")
_SPARSE = 10


def choose_parent(
    child: str, samples: Mapping[str, Mapping[str, int]], fixed: Sequence[str] = FIXED_FRAMES
) -> str:
    """The one parent of a frame that is used: the same for the same transforms, in any order.

    First those that lead to the best of the fixed frames; of these, none that has less than a tenth
    of the samples of another; then the one that leads there in the fewest steps, that has the most
    samples, that comes first in the alphabet.

    Args:
        child: the frame.
        samples: how many samples each parent of each frame has, by child and parent; 0 = static.
        fixed: the frames that poses are wanted in, the best first.
    """
    parents = samples[child]
    most = max(parents.values())

    def badness(parent: str) -> tuple[int, bool, int, int, str]:
        rank, steps = _way_up(parent, child, samples, fixed)
        sparse = 0 < parents[parent] * _SPARSE < most
        return rank, sparse, steps, -parents[parent], parent

    return min(parents, key=badness)


def _way_up(
    start: str, without: str, samples: Mapping[str, Collection[str]], fixed: Sequence[str]
) -> tuple[int, int]:
    """The best fixed frame above a frame (its number; as many as there are if none), and steps."""
    best = (len(fixed), 0)
    seen, level, steps = {without}, [start], 0
    while level:
        seen.update(level)
        best = min([best, *((fixed.index(name), steps) for name in level if name in fixed)])
        level = [p for name in level for p in samples.get(name, ()) if p not in seen]
        steps += 1
    return best


def two_parents(child: str, used: str, parents: Mapping[str, int]) -> str:
    """The remark on a frame that has several; `parents` has the number of samples of each."""
    names = [f"{p!r} ({f'{n} samples' if n else 'static'})" for p, n in sorted(parents.items())]
    return (
        f"frame {child!r} has {len(parents)} parents: {' and '.join(names)}; {used!r} is used "
        "throughout, the other is left out"
    )


def in_a_circle(names: Sequence[str]) -> str:
    """The remark on transforms without a root; `names` from a frame upwards to one met before."""
    first = names.index(names[-1])
    return (
        f"the transforms go in a circle, each frame in the next: {' in '.join(names[first:])}; "
        "one of them should not be sent"
    )
