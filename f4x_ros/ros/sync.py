# SPDX-License-Identifier: Apache-2.0
"""Bringing together what belongs together in time.

One small implementation serves everywhere: message_filters is not on PyPI, drops silently, and
knows no topic that may be published once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from f4x_ros.core.errors import BadInputError

_NS = 1_000_000_000


@dataclass
class _Pending:
    """Messages of one topic that wait for their partners, ascending by stamp."""

    stamps: list[int] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    newest: int = -1  # stamp ever seen since the last jump
    last: int = -1  # stamp of what came last

    def insert(self, ns: int, message: Any) -> bool:
        """Keep a message; False if it replaced one with the same stamp."""
        self.last = ns
        at = bisect_left(self.stamps, ns)
        if at < len(self.stamps) and self.stamps[at] == ns:
            self.messages[at] = message
            return False
        self.stamps.insert(at, ns)
        self.messages.insert(at, message)
        self.newest = max(self.newest, ns)
        return True

    def nearest(self, ns: int) -> int | None:
        """Index of the message nearest in time, the earlier of two."""
        at = bisect_left(self.stamps, ns)
        around = [i for i in (at - 1, at) if 0 <= i < len(self.stamps)]
        return min(around, key=lambda i: abs(self.stamps[i] - ns), default=None)

    def keep_last(self) -> None:
        """Drop all but what came last."""
        at = bisect_left(self.stamps, self.last)
        self.stamps, self.messages = self.stamps[at : at + 1], self.messages[at : at + 1]

    def drop_first(self, count: int) -> None:
        del self.stamps[:count], self.messages[:count]


class StampPairing:
    """Pairs the messages of a main topic with those nearest in time of other topics.

    `partners` pair within `slop_s`, each message once. `latched` topics (calibration) give the
    message nearest in time however old, as it may be published only once. A message waits while a
    better partner may still come, at most until `queue_size` messages wait; what never finds its
    partners is counted in `unpaired`. Not thread-safe: call it from one executor.

    Attributes:
        unpaired: messages dropped without partner, by topic.
        duplicates: messages that replaced a waiting one with the same stamp.
        jumps: jumps back in time by more than `jump_s`, each of which empties the queues.
        nearest_miss_s: time between the last dropped message and the best offer; None if none was.
    """

    def __init__(
        self,
        main: str,
        partners: Sequence[str],
        latched: Sequence[str] = (),
        *,
        slop_s: float = 0.02,
        queue_size: int = 30,
        jump_s: float = 1.0,
    ) -> None:
        """Raises ValueError for a negative slop or a queue size below 1."""
        if not slop_s >= 0:
            raise BadInputError(f"slop_s is {slop_s}, expected at least 0 seconds")
        if queue_size < 1:
            raise BadInputError(f"queue_size is {queue_size}, expected at least 1")
        self._main, self._partners, self._latched = main, tuple(partners), tuple(latched)
        self._slop_ns, self._jump_ns = int(slop_s * _NS), int(jump_s * _NS)
        self._queue_size = queue_size
        self._pending = {name: _Pending() for name in (main, *partners, *latched)}
        self.unpaired = dict.fromkeys((main, *partners), 0)
        self.duplicates = 0
        self.jumps = 0
        self.nearest_miss_s: float | None = None

    def add(self, topic: str, ns: int, message: Any) -> list[dict[str, Any]]:
        """Take one message; return the sets (by topic) that are complete now, ascending in time."""
        pending = self._pending[topic]
        if ns < pending.newest - self._jump_ns and topic not in self._latched:
            self._jump()
        if topic == self._main and ns < pending.newest:
            # Out of order: partners of this one may still come after later ones.
            for name in self._partners:
                self._pending[name].newest = -1
        if not pending.insert(ns, message) and topic not in self._latched:
            self.duplicates += 1
        ready = self._take_ready()
        self._bound()
        return ready

    def give_up(self) -> None:
        """Nothing more will come: what waits is unpaired. Calibration stays in force."""
        for name, pending in self._pending.items():
            pending.newest = -1
            if name in self._latched:
                pending.keep_last()  # the calibration stays in force
            else:
                self.unpaired[name] += len(pending.stamps)
                pending.drop_first(len(pending.stamps))

    def _jump(self) -> None:
        self.jumps += 1
        self.give_up()

    def _take_ready(self) -> list[dict[str, Any]]:
        """Decide the oldest main messages, as long as they can be decided."""
        ready = []
        main = self._pending[self._main]
        while main.stamps:
            ns = main.stamps[0]
            if any(not self._pending[name].stamps for name in self._latched):
                break
            verdicts = [self._decided(name, ns) for name in self._partners]
            if any(verdict is None for verdict in verdicts):
                break
            if all(verdicts):
                ready.append(self._take(ns))
            else:
                self.unpaired[self._main] += 1
            main.drop_first(1)
        return ready

    def _decided(self, name: str, ns: int) -> bool | None:
        """True: the nearest partner is there; False: none will come; None: wait."""
        pending = self._pending[name]
        index = pending.nearest(ns)
        distance = None if index is None else abs(pending.stamps[index] - ns)
        if distance == 0:
            return True
        if pending.newest <= ns:  # what comes next may be nearer
            return None
        if distance is not None and distance <= self._slop_ns:
            return True
        if distance is not None:
            self.nearest_miss_s = distance / _NS
        return False

    def _take(self, ns: int) -> dict[str, Any]:
        """The set around a main message; partners up to the taken ones leave the queue."""
        taken = {self._main: self._pending[self._main].messages[0]}
        for name in self._partners:
            pending = self._pending[name]
            index = pending.nearest(ns)
            assert index is not None  # _decided has found it
            taken[name] = pending.messages[index]
            self.unpaired[name] += index
            pending.drop_first(index + 1)
        for name in self._latched:
            index = self._pending[name].nearest(ns)
            assert index is not None
            taken[name] = self._pending[name].messages[index]
        return taken

    def _bound(self) -> None:
        for name, pending in self._pending.items():
            excess = len(pending.stamps) - self._queue_size
            if excess > 0:
                pending.drop_first(excess)
                if name in self.unpaired:
                    self.unpaired[name] += excess
