# SPDX-License-Identifier: Apache-2.0
"""Bringing together what belongs together in time.

One small implementation serves everywhere: message_filters is not on PyPI, drops silently, and
knows no topic that may be published once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
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
    before_leap: int | None = None  # newest before the last message, if that leapt ahead
    suspect: tuple[int, Any] | None = None  # the last message, if it leapt back

    def insert(self, ns: int, message: Any, jump_ns: int) -> bool:
        """Keep a message; False if it replaced one with the same stamp."""
        self.last = ns
        leapt = self.newest >= 0 and ns > self.newest + jump_ns
        self.before_leap = self.newest if leapt else None
        at = bisect_left(self.stamps, ns)
        if at < len(self.stamps) and self.stamps[at] == ns:
            self.messages[at] = message
            return False
        self.stamps.insert(at, ns)
        self.messages.insert(at, message)
        self.newest = max(self.newest, ns)
        return True

    def continues(self, ns: int, jump_ns: int) -> bool:
        """True if a stamp goes on from before the last message, which leapt ahead alone."""
        return self.before_leap is not None and abs(ns - self.before_leap) <= jump_ns

    def drop_last(self) -> bool:
        """Take out what came last; False if it has been paired."""
        at = bisect_left(self.stamps, self.last)
        waits = at < len(self.stamps) and self.stamps[at] == self.last
        if waits:
            del self.stamps[at], self.messages[at]
        return waits

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
    message nearest in time however old, as it may be published only once; those that are `optional`
    are waited for only while they are expected, see `expect`. A message waits while a better
    partner may still come, at most until `queue_size` messages wait; what never finds its partners
    is counted in `unpaired`. One stamp that leaps, after which time goes on as before, costs its
    own message only; two, or those of a whole set, are a jump of time. Not thread-safe: call it
    from one executor.

    `on_lost` is told topic, stamp and cause ("unpaired" or "repeated") of each message that goes.

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
        optional: Sequence[str] = (),
        slop_s: float = 0.02,
        queue_size: int = 30,
        jump_s: float = 1.0,
        on_lost: Callable[[str, int, str], None] = lambda topic, ns, cause: None,
    ) -> None:
        """Raises ValueError for a negative slop or a queue size below 1."""
        if not slop_s >= 0:
            raise BadInputError(f"slop_s is {slop_s}, expected at least 0 seconds")
        if queue_size < 1:
            raise BadInputError(f"queue_size is {queue_size}, expected at least 1")
        self._main, self._partners = main, tuple(partners)
        self._latched = (*latched, *optional)
        self._needed = set(latched)
        self._on_lost = on_lost
        self._slop_ns, self._jump_ns = int(slop_s * _NS), int(jump_s * _NS)
        self._queue_size = queue_size
        self._pending = {name: _Pending() for name in (main, *partners, *self._latched)}
        self._share = 0.0
        self._periods: deque[int] = deque(maxlen=30)  # between messages of the main topic
        self.unpaired = dict.fromkeys((main, *partners), 0)
        self.duplicates = 0
        self.jumps = 0
        self.nearest_miss_s: float | None = None

    def add(self, topic: str, ns: int, message: Any) -> list[dict[str, Any]]:
        """Take one message; return the sets (by topic) that are complete now, ascending in time."""
        pending = self._pending[topic]
        if topic not in self._latched and not self._goes_on(topic, ns, message):
            return self._take_ready()
        if topic == self._main and 0 <= pending.newest < ns:
            self._periods.append(ns - pending.newest)
        if topic == self._main and ns < pending.newest:
            # Out of order: partners of this one may still come after later ones.
            for name in self._partners:
                self._pending[name].newest = -1
        if not pending.insert(ns, message, self._jump_ns) and topic not in self._latched:
            self.duplicates += 1
            self._on_lost(topic, ns, "repeated")
        ready = self._take_ready()
        self._bound()
        return ready

    def _goes_on(self, topic: str, ns: int, message: Any) -> bool:
        """Judge a stamp against those before it; False if the message is kept elsewhere."""
        pending = self._pending[topic]
        if ns >= pending.newest - self._jump_ns:
            if pending.suspect is not None:  # time goes on as before
                self._lose(topic, pending.suspect[0])
                pending.suspect = None
            return True
        if pending.continues(ns, self._jump_ns):
            assert pending.before_leap is not None
            leapt_ns = pending.last
            if pending.drop_last():
                self._lose(topic, leapt_ns)
            pending.newest = pending.before_leap
            return True
        first = pending.suspect is None  # the next one tells whether time has jumped
        if first:
            pending.suspect = (ns, message)
        if not first or self._agreed():
            self._jump()
        return not first

    def expect(self, name: str, expected: bool) -> None:
        """Whether sets wait for the first message of an optional topic."""
        if expected:
            self._needed.add(name)
        else:
            self._needed.discard(name)

    def loosen(self, share: float) -> None:
        """Stamps are times of receipt: pair up to this share of the main topic's period apart."""
        self._share = share

    def _slop(self) -> int:
        if not self._share or len(self._periods) < 1:
            return self._slop_ns
        return max(self._slop_ns, int(self._share * median(self._periods)))

    def give_up(self) -> None:
        """Nothing more will come: what waits is unpaired. Calibration stays in force."""
        for name, pending in self._pending.items():
            pending.newest, pending.before_leap = -1, None
            if name in self._latched:
                pending.keep_last()  # the calibration stays in force
            else:
                self._lose_first(name, len(pending.stamps))
                if pending.suspect is not None:
                    self._lose(name, pending.suspect[0])
                    pending.suspect = None

    def _agreed(self) -> bool:
        """True if a whole set came of another time."""
        suspects = [self._pending[name].suspect for name in (self._main, *self._partners)]
        stamps = [suspect[0] for suspect in suspects if suspect is not None]
        return len(stamps) == len(suspects) and max(stamps) - min(stamps) <= self._slop()

    def _jump(self) -> None:
        """Begin anew, with what has come of the new time."""
        self.jumps += 1
        suspects = {name: p.suspect for name, p in self._pending.items() if p.suspect is not None}
        for name in suspects:
            self._pending[name].suspect = None
        self.give_up()
        for name, (ns, message) in suspects.items():
            self._pending[name].insert(ns, message, self._jump_ns)

    def _take_ready(self) -> list[dict[str, Any]]:
        """Decide the oldest main messages, as long as they can be decided."""
        ready = []
        main = self._pending[self._main]
        while main.stamps:
            ns = main.stamps[0]
            if any(not self._pending[name].stamps for name in self._needed):
                break
            verdicts = [self._decided(name, ns) for name in self._partners]
            if any(verdict is None for verdict in verdicts):
                break
            if all(verdicts):
                ready.append(self._take(ns))
                main.drop_first(1)
            else:
                self._lose_first(self._main, 1)
        return ready

    def _decided(self, name: str, ns: int) -> bool | None:
        """True: the nearest partner is there; False: none will come; None: wait."""
        pending = self._pending[name]
        index = pending.nearest(ns)
        distance = None if index is None else abs(pending.stamps[index] - ns)
        if distance == 0:
            return True
        newest = pending.newest if pending.before_leap is None else pending.before_leap
        if newest <= ns:  # what comes next may be nearer
            return None
        if distance is not None and distance <= self._slop():
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
            self._lose_first(name, index)
            pending.drop_first(1)
        for name in self._latched:
            index = self._pending[name].nearest(ns)
            if index is not None:  # (an optional one)
                taken[name] = self._pending[name].messages[index]
        return taken

    def _bound(self) -> None:
        for name, pending in self._pending.items():
            excess = len(pending.stamps) - self._queue_size
            if excess > 0:
                if name in self.unpaired:
                    self._lose_first(name, excess)
                else:
                    pending.drop_first(excess)

    def _lose_first(self, name: str, count: int) -> None:
        pending = self._pending[name]
        for ns in pending.stamps[:count]:
            self._lose(name, ns)
        pending.drop_first(count)

    def _lose(self, name: str, ns: int) -> None:
        self.unpaired[name] += 1
        self._on_lost(name, ns, "unpaired")
