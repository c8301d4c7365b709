# SPDX-License-Identifier: Apache-2.0
"""What one open page asks of the map. All of it runs on the one thread that owns the map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

from f4x_ros.core.ask.dialogue import Session
from f4x_ros.core.ask.dialogue.parser import MAX_QUESTION_LETTERS
from f4x_ros.core.base.limits import MAX_PROMPT_LETTERS
from f4x_ros.core.data import Presence, QueryResult
from f4x_ros.core.errors import BadInputError, F4xError, shown
from f4x_ros.core.perception import Perception
from f4x_ros.viz.palette import prompt_colors
from f4x_ros.web import wanted as asked
from f4x_ros.web.splats import packed
from f4x_ros.web.things import described, things_at
from f4x_ros.web.tints import jpeg, tinted_png

MAX_TEXTS = 8
"""Things that a page looks for at a time."""

_PATH_PLACES = 150  # of the camera's way
_CLICKED = (255, 196, 0)

Details = Callable[[], Mapping[str, object]]
Wanted = Mapping[str, Any]


def no_details() -> Mapping[str, object]:
    """Of a map that nobody is working on."""
    return {}


@dataclass(frozen=True)
class Reply:
    """An answer: what is written as JSON, and bytes that go along with it."""

    value: dict[str, Any]
    data: bytes = b""


class Talk:
    """One page's side of the conversation with the map.

    Args:
        perception: the map.
        details: more numbers about it for people, such as rates.

    To let a page ask something else, add a method that takes what the page sent and returns a
    `Reply`, and its name to `_answers`; what it raises of `F4xError` is shown on the page.
    """

    def __init__(self, perception: Perception, details: Details = no_details) -> None:
        self._perception, self._details = perception, details
        self._session = Session()
        self._answers: dict[str, Callable[[Wanted], Reply]] = {
            "about": lambda _: Reply(about(perception, details)),
            "moment": self._moment,
            "splats": self._splats,
            "find": self._find,
            "click": self._click,
            "ask": self._ask,
            "picture": self._picture,
        }

    def answer(self, wanted: Wanted) -> Reply:
        """Answer one message, `do` with what belongs to it; doc/page.md has them all.

        Raises:
            F4xError: something in it is not as expected, or there is no map yet.
        """
        what = wanted.get("do")
        if not isinstance(what, str) or what not in self._answers:
            raise BadInputError(
                f"do is {shown(str(what))}, expected one of {', '.join(self._answers)}"
            )
        return self._answers[what](wanted)

    def _stamp(self, wanted: Wanted) -> int:
        return asked.stamp_ns(wanted, self._perception.span_ns)

    # --- what is there -------------------------------------------------------------------------

    def _moment(self, wanted: Wanted) -> Reply:
        """The camera and the objects at a moment."""
        perception = self._perception
        stamp = self._stamp(wanted)
        first, last = perception.span_ns
        camera, pose = perception.viewpoint(None, stamp)
        then = stamp or last
        return Reply(
            {
                "at": (then - first) / 1e9,
                "T_map_camera": pose.ravel().tolist(),
                "fov_y": float(np.degrees(2 * np.arctan(camera.height / 2 / camera.fy))),
                "aspect": camera.width / camera.height,
                "things": things_at(perception.lives, then, first, perception.prompts),
            }
        )

    def _splats(self, wanted: Wanted) -> Reply:
        """The Gaussians at a moment."""
        snapshot = self._perception.snapshot(self._stamp(wanted))
        words = packed(snapshot)
        return Reply({"count": len(words), "all": len(snapshot)}, words.tobytes())

    def _picture(self, wanted: Wanted) -> Reply:
        """The map's own picture of a view, by the rasteriser that it learns with."""
        camera, pose = asked.view(wanted)
        seen = self._perception.render(camera, pose, self._stamp(wanted))
        return Reply({"type": "image/jpeg"}, jpeg(seen.color))

    # --- questions -----------------------------------------------------------------------------

    def _find(self, wanted: Wanted) -> Reply:
        """Masks of some words in a view, and whether each is there."""
        texts = asked.texts(wanted, "texts", MAX_TEXTS, MAX_PROMPT_LETTERS)
        camera, pose = asked.view(wanted)
        stamp = self._stamp(wanted)
        colors = prompt_colors(texts)
        why_not = self._perception.misunderstood(texts)
        understood = [text for text in texts if text not in why_not]
        results: dict[str, QueryResult] = {}
        if understood:
            answers = self._perception.query_all(
                understood, stamp_ns=stamp, view=pose, camera=camera, want_cloud=False
            )
            results = dict(zip(understood, answers, strict=True))
        value = []
        for text, color in zip(texts, colors, strict=True):
            said: dict[str, Any] = {"text": text, "color": list(color)}
            if text in why_not:
                said |= {"presence": "not understood", "message": why_not[text], "things": []}
            else:
                said |= self._told(results[text])
            value.append(said)
        shown_results = [
            (result, color)
            for text, color in zip(texts, colors, strict=True)
            if (result := results.get(text)) is not None
            and result.presence is not Presence.NOT_PRESENT
        ]
        mask = b""
        if shown_results:
            mask = tinted_png(
                [result.mask for result, _ in shown_results],
                [color for _, color in shown_results],
                [result.present for result, _ in shown_results],
            )
        return Reply({"answers": value}, mask)

    def _told(self, result: QueryResult) -> dict[str, Any]:
        prompts = self._perception.prompts
        return {
            "presence": result.presence.name.lower().replace("_", " "),
            "score": round(float(result.score), 3),
            "message": result.message,
            "things": [described(track, prompts) for track in result.tracks],
        }

    def _click(self, wanted: Wanted) -> Reply:
        """The thing under some clicks."""
        camera, pose = asked.view(wanted)
        points, labels = asked.clicks(wanted, camera)
        stamp = self._stamp(wanted)
        result = self._perception.segment(
            points, labels, stamp_ns=stamp, view=pose, camera=camera, want_cloud=False
        )
        mask = b"" if not result.present else tinted_png([result.mask], [_CLICKED], [True])
        return Reply(self._told(result), mask)

    def _ask(self, wanted: Wanted) -> Reply:
        """A question in words; what was asked before on this page is remembered."""
        question = asked.text(wanted, "question", MAX_QUESTION_LETTERS)
        answer = self._perception.ask(question, self._session)
        first = self._perception.span_ns[0]
        steps = [
            {
                "tool": step.tool,
                "arguments": {name: str(value) for name, value in step.arguments.items()},
                "text": step.text,
                "evidence": list(step.evidence),
            }
            for step in answer.steps
        ]
        result = answer.result
        return Reply(
            {
                "outcome": answer.outcome,
                "text": answer.text,
                "steps": steps,
                "things": list(result.ids) if result else [],
                "moments": [(ns - first) / 1e9 for ns in result.stamps_ns] if result else [],
            }
        )


def about(perception: Perception, details: Details = no_details) -> dict[str, Any]:
    """What the map is, and the numbers that change while it grows; on the map's own thread.

    Before the first frame it has no `seconds`.
    """
    said: dict[str, Any] = {
        "gaussians": perception.gaussians,
        "map_bytes": perception.map_bytes,
        "process_bytes": psutil.Process().memory_info().rss,
        "prompts": list(perception.prompts),
        "not_understood": perception.not_understood,
        "encoder": perception.encoder,
        "backend": perception.backend,
        "device": str(perception.device),
        "details": {name: str(value) for name, value in details().items()},
    }
    try:
        first, last = perception.span_ns
    except F4xError:  # no frame yet
        return said
    stamps = [first + (last - first) * k // _PATH_PLACES for k in range(_PATH_PLACES + 1)]
    places = [perception.viewpoint(None, ns)[1][:3, 3] for ns in stamps]
    return said | {
        "first_ns": str(first),  # (more digits than a number of JavaScript has)
        "last_ns": str(last),
        "seconds": (last - first) / 1e9,
        "map_frame": perception.map_frame,
        "path": np.round(np.array(places), 3).tolist(),
    }
