# SPDX-License-Identifier: Apache-2.0
"""What the parser makes of a question: one call of a tool whose things are still descriptions."""

from __future__ import annotations

from dataclasses import dataclass, field

SUPERLATIVES = ("biggest", "smallest", "tallest", "shortest", "fastest", "slowest")


@dataclass(frozen=True)
class Filter:
    """What narrows a description down.

    Attributes:
        kind: "relation" (on, next to, ...), "nearest", "farthest", "event" (moved, appeared, ...),
            or one of `SUPERLATIVES`.
        word: the relation or event; empty for others.
        to: what a relation or nearness is to.
        to2: the second thing of "between".
    """

    kind: str
    word: str = ""
    to: Ref | None = None
    to2: Ref | None = None

    def __str__(self) -> str:
        if self.kind == "event":
            return f"that {self.word}"
        if self.kind in ("nearest", "farthest"):
            return f"{self.kind} {'to' if self.kind == 'nearest' else 'from'} {self.to}"
        both = f"{self.to} and {self.to2}" if self.to2 else str(self.to)
        return f"{self.word} {both}"


@dataclass(frozen=True)
class Ref:
    """A description of things.

    Attributes:
        words: name as it is looked for, without articles; empty for a pronoun.
        filters: what narrows it down.
        plural: whether several may be meant.
        pronoun: what was said earlier is meant: "it".
    """

    words: str
    filters: tuple[Filter, ...] = ()
    plural: bool = False
    pronoun: bool = False

    def __str__(self) -> str:
        if self.pronoun:
            return "it"
        before = " ".join(f.kind for f in self.filters if f.kind in SUPERLATIVES)
        after = " ".join(str(f) for f in self.filters if f.kind not in SUPERLATIVES)
        return " ".join(part for part in (before, self.words, after) if part)


@dataclass(frozen=True)
class When:
    """The moment or span of a question, seconds as tools take them.

    Attributes:
        at: a moment.
        since: begin of a span.
        until: end of a span.
        word: "then" and "before" are relative to what was said earlier; else empty.
    """

    at: float | None = None
    since: float | None = None
    until: float | None = None
    word: str = ""

    @property
    def given(self) -> bool:
        """Whether anything was said about time."""
        return self != When()


@dataclass(frozen=True)
class Request:
    """One call of a tool.

    Attributes:
        tool: its name.
        refs: descriptions by argument.
        lists: lists of descriptions by argument.
        words: other arguments.
        events: things and events, in order.
        when: the time.
        expects: a word that the question offers as its answer ("is it approaching?": towards), or
            "" where it is open; what the answer begins with, yes or no, depends on it.
    """

    tool: str
    refs: dict[str, Ref] = field(default_factory=dict)
    lists: dict[str, tuple[Ref, ...]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    events: tuple[tuple[Ref, str], ...] = ()
    when: When = When()
    expects: str = ""
