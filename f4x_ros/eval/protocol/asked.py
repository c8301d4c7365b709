# SPDX-License-Identifier: Apache-2.0
"""Questions about space and time: drawn from a world, asked of its truth and of a map."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from f4x_ros.core.ask.dialogue import Answer, Dialogue
from f4x_ros.core.ask.tools import TOOLS, Scene, Toolbox
from f4x_ros.eval.protocol.asked_facts import Facts
from f4x_ros.eval.protocol.asked_kinds import KINDS
from f4x_ros.eval.protocol.asked_question import Asked, chance_of
from f4x_ros.sim import World

PER_KIND = 3
"""Questions of one kind that are drawn from one world."""

_TRIES = 60  # draws for one question
_INVENTED = (
    "How far is the {a} from the {b}?", "What colour is the {a}?", "Where is the {a}?",
    "Is the {a} left or right of the {b}?", "How fast was the {a} at 2 s?", "How tall is the {a}?",
    "What is on the {a}?", "When did the {a} stop?", "Is the {a} visible?",
    "Which way is the {a} moving?",
)  # fmt: skip


def draw_questions(world: World, per_kind: int = PER_KIND) -> list[Asked]:
    """Questions of all kinds that a world has, the same at each call, none twice."""
    facts = Facts(world)
    made: list[Asked] = []
    for kind, draw in KINDS.items():
        rng = np.random.default_rng([zlib.crc32(f"{world.name} {kind}".encode()), world.seed])
        texts: set[str] = set()
        for _ in range(per_kind * _TRIES):
            if len(texts) == per_kind:
                break
            one = draw(facts, rng)
            if one is not None and one.text not in texts:
                texts.add(one.text)
                made.append(one)
    return made


def invented_questions(world: World, number: int) -> list[str]:
    """Questions about things that are not there, at most so many."""
    there = [label.name for label in Facts(world).things.values()]
    rng = np.random.default_rng([zlib.crc32(world.name.encode()), world.seed, 1])
    phrases = [text for text in world.absent_phrases if not text.endswith(" thing")]
    chosen = [str(text) for text in rng.permutation(phrases)[:number]]
    return [
        str(rng.choice(list(_INVENTED))).format(a=text, b=str(rng.choice(there))) for text in chosen
    ]


@dataclass
class Tally:
    """What came of some questions.

    Attributes:
        asked: questions with their answers.
        invented: answers about things that are not there.
    """

    asked: list[tuple[Asked, Answer]] = field(default_factory=list)
    invented: list[Answer] = field(default_factory=list)

    def right(self, kind: str | None = None) -> float | None:
        """Share that is right, of all or of a kind; None without any."""
        rows = [(q, a) for q, a in self.asked if kind in (None, q.kind)]
        return sum(q.is_right(a) for q, a in rows) / len(rows) if rows else None

    def kinds(self) -> list[str]:
        """Kinds that were asked, in the order of the table."""
        asked = {question.kind for question, _ in self.asked}
        return [kind for kind in KINDS if kind in asked]

    def answered_invented(self) -> int:
        """Questions about things that are not there that were answered as if they were."""
        return sum(answer.outcome == "value" for answer in self.invented)

    def numbers(self) -> dict[str, Any]:
        """As in the report: shares 0..1, by kind with the chance of a guess."""
        held = [
            (question.kind, inside) for question, answer in self.asked
            if (inside := question.in_interval(answer)) is not None
        ]  # fmt: skip
        outcomes = [answer.outcome for _, answer in self.asked]
        return {
            "right": self.right(),
            "asked": len(self.asked),
            "in_interval": sum(one for _, one in held) / len(held) if held else None,
            "in_interval_per_kind": {
                kind: {
                    "held": sum(one for name, one in held if name == kind),
                    "asked": sum(name == kind for name, _ in held),
                }
                for kind in dict.fromkeys(name for name, _ in held)
            },
            "unsure": sum(one in ("unsure", "not present") for one in outcomes) / len(outcomes)
            if outcomes else None,
            "not_understood": sum(one == "not understood" for one in outcomes) / len(outcomes)
            if outcomes else None,
            "invented": self.answered_invented() if self.invented else None,
            "invented_asked": len(self.invented),
            "per_kind": {
                kind: {
                    "right": self.right(kind),
                    "chance": chance_of([q for q, _ in self.asked if q.kind == kind]),
                    "asked": sum(q.kind == kind for q, _ in self.asked),
                }
                for kind in self.kinds()
            },
        }  # fmt: skip


def ask_all(scene: Scene, questions: Iterable[Asked], invented: Iterable[str] = ()) -> Tally:
    """Ask a scene, each question in a conversation of its own."""
    tools = Toolbox(scene, TOOLS)
    return Tally(
        [(question, Dialogue(tools).ask(question.text)) for question in questions],
        [Dialogue(tools).ask(text) for text in invented],
    )
