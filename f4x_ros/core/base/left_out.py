# SPDX-License-Identifier: Apache-2.0
"""What of an input was not used, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class LeftOut:
    """Counts by reason, with the stamp of the first of each; never negative, in order of arrival.

    A reason is a short name in words joined by "_" that says what it counts, such as
    `images_without_pose`.
    """

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        self._counts: dict[str, int] = {}
        self._first_ns: dict[str, int] = {}
        for reason, count in (counts or {}).items():
            self.add(reason, count)

    def add(self, reason: str, count: int = 1, stamp_ns: int | None = None) -> None:
        """So many more, the first of them at a stamp if it is known; 0 changes nothing."""
        if count <= 0:
            return
        self._counts[reason] = self._counts.get(reason, 0) + count
        if stamp_ns is not None:
            known = self._first_ns.get(reason, stamp_ns)
            self._first_ns[reason] = min(known, stamp_ns)

    def extend(self, other: LeftOut) -> None:
        """All that another has counted, too."""
        for reason, count, stamp_ns in other:
            self.add(reason, count, stamp_ns)

    def __getitem__(self, reason: str) -> int:
        return self._counts.get(reason, 0)

    def __iter__(self) -> Iterator[tuple[str, int, int | None]]:
        """Reason, count and stamp of the first (ns, None = not known)."""
        for reason, count in self._counts.items():
            yield reason, count, self._first_ns.get(reason)

    def __bool__(self) -> bool:
        return bool(self._counts)

    @property
    def counts(self) -> dict[str, int]:
        """Count by reason."""
        return dict(self._counts)

    @property
    def first_ns(self) -> dict[str, int]:
        """Stamp of the first by reason, where it is known."""
        return dict(self._first_ns)
