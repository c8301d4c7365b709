# SPDX-License-Identifier: Apache-2.0
"""Shapes of questions in plain form: patterns with slots, and the call of a tool that each is.

A slot such as `{a}` is a description of a thing, `{list}` several. `<be>` and others in angle
brackets stand for the words in `MACROS`. The first shape that fits, with slots that are
descriptions, counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from f4x_ros.core.ask.dialogue.nouns import REL

MACROS = {
    "be": r"(?:is|are|was|were|be|been|will be|would be|has been|have been)",
    "do": r"(?:do|does|did)",
    "can": r"(?:can|could|do|did|does)",
    "see": r"(?:see|find|spot|detect|notice|know of|have)",
    "wh": r"(?:what|which (?:thing|things|object|objects|item|items|one|ones|piece of furniture|"
    r"pieces of furniture)|which|who)",
    "thing": r"(?:(?:thing|things|object|objects|item|items|one) )?",
    "near": r"(?:nearest|closest|nearer|closer|the nearest|the closest|nearest by)",
    "far": r"(?:farthest|furthest|the farthest|the furthest|farther|further|most distant|"
    r"the most distant)",
    "stand": r"(?:(?:stand|stands|standing|stood|lie|lies|lying|lay|sit|sits|sitting|sat|rest|"
    r"rests|resting|placed|located|hang|hangs|hanging|kept|be|been|found) )?",
    "rel": rf"(?P<rel>{REL})",
    "go": r"(?:move|moves|moved|moving|go|goes|going|went|drive|drives|driven|drove|driving|walk|"
    r"walks|walked|walking|roll|rolls|rolled|rolling|travel|travels|travelled|traveled|travelling|"
    r"run|runs|running|fly|flies|flying|flew|head|heads|heading|gone|come|coming|came)",
    "stop": r"(?:stop|stopped|stops|stopping|halt|halted|come to a halt|came to a halt|"
    r"come to rest|came to rest|stop moving|stopped moving|come to a stop|came to a stop|"
    r"stand still|stood still)",
    "start": r"(?:(?:start|started|starts|begin|began|begun)(?: to)?(?: move| moving| walking| "
    r"driving| rolling| go| going| walk| drive| roll)?|set off)",
    "appear": r"(?:appear|appeared|appears|appearing|arrive|arrived|come in|came in|show up|"
    r"showed up|turn up|turned up|was put there|was added|(?:was|is|were|are) (?:put|placed|"
    r"brought|added)(?: there| in| down)?)",
    "leave": r"(?:disappear|disappeared|disappears|disappearing|leave|left|vanish|vanished|"
    r"go away|went away|gone|was taken away|taken away|was removed|removed|"
    r"(?:was|is|were|are) (?:taken away|removed|taken|gone))",
}
"""Words that patterns share."""


@dataclass(frozen=True)
class Shape:
    """One shape.

    Attributes:
        pattern: of the whole question.
        tool: the tool it calls.
        slots: argument of the tool to slot of the pattern.
        words: other arguments.
        view: whether the tool looks from somewhere: a viewer that is named is no thing of it.
        expects: see `Request`.
    """

    pattern: str
    tool: str
    slots: dict[str, str]
    words: dict[str, str]
    view: bool = False
    expects: str = ""


@cache
def compiled(pattern: str, *, greedy: bool = False) -> re.Pattern[str]:
    """A pattern with its macros and slots; greedy ones end as late as they can."""
    for name, words in MACROS.items():
        pattern = pattern.replace(f"<{name}>", words)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>.+)" if greedy else r"(?P<\1>.+?)", pattern)
    return re.compile(pattern.replace(" , ", r"\s*,\s*").replace(" ,? ", r"\s*,?\s*"))


def shapes(tool: str, *rows: str, view: bool = False, **constants: str) -> list[Shape]:
    """Shapes of one tool; a row is a pattern, with `a=thing` and so on after a `|||`."""
    made = []
    for row in rows:
        pattern, _, rest = row.partition(" ||| ")
        slots, words = {}, dict(constants)
        for pair in rest.split():
            name, value = pair.split("=")
            if value.startswith("'"):
                words[name] = value.strip("'").replace("_", " ")
            else:
                slots[name] = value
        expects = words.pop("expects", "")
        made.append(Shape(pattern.strip(), tool, slots, words, view, expects))
    return made
