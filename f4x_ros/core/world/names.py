# SPDX-License-Identifier: Apache-2.0
"""Standing prompts that a map gives itself: words for what it is sure of, and steady.

A word comes in where the map is sure of it and goes only where little speaks for it any more (two
thresholds, as Canny 1986 for edges). Whoever reads labels has to learn their meaning anew with each
change, so the words are looked through rarely: at first after half a second, then after twice as
long each time, at last every eight seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from f4x_ros.core.ask import Namer, PromptSet
from f4x_ros.core.data import Track
from f4x_ros.core.field import take_snapshot
from f4x_ros.core.world.memory import Memory

MOST_NAMES = 20
"""Words at a time: each is a channel of every rendered picture."""

_FIRST_S, _LAST_S = 0.5, 8.0  # seconds of the field from one look through the words to the next
_AT_REST = 0.5  # relevancy of what is out of sight that keeps a word


class StandingNames:
    """The words in force.

    Args:
        namer: who finds them.

    Attributes:
        words: those in force, in the order in which they came.
    """

    def __init__(self, namer: Namer) -> None:
        self._namer = namer
        self.restart()

    def restart(self) -> None:
        """A new map begins: nothing is known."""
        self.words: tuple[str, ...] = ()
        self._next_s, self._pause_s = _FIRST_S, _FIRST_S

    def look(self, memory: Memory, prompts: PromptSet) -> bool:
        """Look through the words, if it is time to; returns whether they have changed.

        Args:
            memory: with the frame of now.
            prompts: the words in force as prompts.
        """
        time_s = memory.seconds(memory.stamp_ns)
        if time_s < self._next_s:
            return False
        self._pause_s = min(2 * self._pause_s, _LAST_S)
        self._next_s = time_s + self._pause_s
        seen = self._namer.seen(take_snapshot(memory.field, blocks=()), memory.distiller)
        tracks = memory.tracker.tracks()
        hidden = {one.label for one in tracks if one.last_seen_ns < memory.stamp_ns}
        stay = seen.likely | hidden | _at_rest(memory, prompts)
        found = revised(self.words, seen.sure, stay, tracks)
        changed, self.words = found != self.words, found
        return changed


def _at_rest(memory: Memory, prompts: PromptSet) -> set[str]:
    """The words in force for what is out of sight."""
    best = memory.best_at_rest(prompts)
    if best is None:
        return set()
    known = (best.amax(0) >= _AT_REST).tolist()
    return {text for text, one in zip(prompts.texts, known, strict=True) if one}


def revised(
    words: Sequence[str], sure: Sequence[str], stay: Collection[str], tracks: Sequence[Track]
) -> tuple[str, ...]:
    """The words that stay, and behind them those that come, `MOST_NAMES` at most.

    Args:
        words: in force until now.
        sure: what is sure now, the surest first.
        stay: what is likely enough to stay.
        tracks: what was seen longest ago makes room.
    """
    kept = [word for word in words if word in stay or word in sure]
    new = [word for word in sure if word not in kept]
    for word in sorted(kept, key=lambda one: _last_seen_ns(one, tracks)):
        if len(kept) + len(new) > MOST_NAMES and word not in sure:
            kept.remove(word)
    return tuple([*kept, *new][:MOST_NAMES])


def _last_seen_ns(word: str, tracks: Sequence[Track]) -> int:
    return max((one.last_seen_ns for one in tracks if one.label == word), default=0)
