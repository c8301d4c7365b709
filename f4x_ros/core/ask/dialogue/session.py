# SPDX-License-Identifier: Apache-2.0
"""What was said before: what "it", "then", "before" and "and the bottle?" mean."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace

from f4x_ros.core.ask.dialogue.moments import without_time
from f4x_ros.core.ask.dialogue.normal import normal
from f4x_ros.core.ask.dialogue.nouns import NotANounError, noun
from f4x_ros.core.ask.dialogue.parser import CAN_ANSWER, parse
from f4x_ros.core.ask.dialogue.request import Filter, Ref, Request, When
from f4x_ros.core.ask.tools import ToolResult
from f4x_ros.core.errors import NotUnderstoodError

_FOLLOWS = re.compile(r"^(?:and|what about|how about|or)\b[ ,]*(?:what about |how about )?")
_FINDS = ("nearest", "closer", "support", "hidden_by", "related", "compare", "changed", "find")
"""Tools whose answer is a thing: what "it" means afterwards."""

_SUBJECTS = ("thing", "a")


MAX_SESSIONS = 100
"""Conversations that are kept; the one that was silent longest is forgotten first."""


@dataclass
class Session:
    """One conversation.

    Attributes:
        request: the last one that was understood, its pronouns replaced.
        focus: what "it" means: a description, or `#id` of an answer.
    """

    request: Request | None = None
    focus: Ref | None = None

    def read(self, text: str) -> Request:
        """A question as a request, in the light of what was said before.

        Raises:
            NotUnderstoodError: it is no question, or says "it" where nothing was said before.
        """
        plain = normal(text)
        follows = _FOLLOWS.match(plain)
        shorter = plain[follows.end() :] if follows else plain
        try:
            request = parse(shorter if follows else text)
        except NotUnderstoodError:
            if not follows or self.request is None:
                raise
            request = self._changed(text, shorter)
        request = self._with_focus(text, request)
        return replace(request, when=self._when(request.when))

    def note(self, request: Request, result: ToolResult | None) -> None:
        """Take in what came of a request."""
        self.request = request
        if result is not None and request.tool in _FINDS and len(result.ids) >= 1:
            self.focus = Ref(f"#{result.ids[0]}")
            return
        for name in _SUBJECTS:
            if name in request.refs:
                ids = result.ids if result is not None else ()
                known = len(ids) == 1 and request.refs[name].filters
                self.focus = Ref(f"#{ids[0]}") if known else request.refs[name]
                return

    def _changed(self, text: str, shorter: str) -> Request:
        """The last request about another moment or another thing."""
        assert self.request is not None
        rest, when = without_time(shorter)
        request = self.request
        if when.given:
            request = replace(request, when=_like(when, request))
        if rest:
            try:
                other = noun(rest)
            except NotANounError as error:
                raise NotUnderstoodError(
                    text, str(error), f"expected a question about {CAN_ANSWER}"
                ) from None
            name = next((one for one in _SUBJECTS if one in request.refs), None)
            if name is None:
                raise NotUnderstoodError(text, rest, "expected a whole question")
            request = replace(request, refs={**request.refs, name: other})
        return request

    def _with_focus(self, text: str, request: Request) -> Request:
        """The request with what "it" means."""

        def meant(ref: Ref) -> Ref:
            if not ref.pronoun:
                return replace(ref, filters=tuple(_filter(one, meant) for one in ref.filters))
            if self.focus is None:
                raise NotUnderstoodError(text, "it", "expected a name, as nothing was said before")
            return self.focus

        return replace(
            request,
            refs={name: meant(ref) for name, ref in request.refs.items()},
            lists={name: tuple(map(meant, refs)) for name, refs in request.lists.items()},
            events=tuple((meant(ref), event) for ref, event in request.events),
        )

    def _when(self, when: When) -> When:
        if when.word != "then" or self.request is None:
            return when
        return replace(self.request.when, word="") if self.request.when.given else When()


def _filter(one: Filter, meant: object) -> Filter:
    to = meant(one.to) if one.to is not None else None  # type: ignore[operator]
    to2 = meant(one.to2) if one.to2 is not None else None  # type: ignore[operator]
    return replace(one, to=to, to2=to2)


def _like(when: When, request: Request) -> When:
    """A moment as the begin of a span, where the request is about spans."""
    spans = request.tool in ("travelled", "changed", "when", "order")
    if spans and when.at is not None:
        return When(since=when.at)
    return when


class Sessions:
    """Conversations by name, the most recently used kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Session] = OrderedDict()  # the least recently used first

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, name: str) -> Session:
        """The conversation of a name; without one it is new and not kept."""
        if not name:
            return Session()
        session = self._kept.pop(name, None) or Session()
        self._kept[name] = session
        while len(self._kept) > MAX_SESSIONS:
            self._kept.popitem(last=False)
        return session
