# SPDX-License-Identifier: Apache-2.0
"""Recordings of which somebody said, in words, what is there and what is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from f4x_ros.core.ask import Evidence
from f4x_ros.core.base import LeftOut
from f4x_ros.core.data import Frame, Outputs
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.perception import Perception
from f4x_ros.eval.protocol.calibration import Case
from f4x_ros.eval.subjects.feed import Feed, Frames
from f4x_ros.eval.subjects.subject import understood_by

_NOTHING = Outputs(masks=False, cloud=False, tracks=False, moving=False)


class Marks(NamedTuple):
    """What is in a recording.

    Attributes:
        present: words for what is in clear sight at some time and still there at the end.
        absent: words for what is nowhere in it.
        other_words: less usual words for what is there; they count only where refusing is judged.
    """

    present: tuple[str, ...]
    absent: tuple[str, ...]
    other_words: tuple[str, ...] = ()


def read_marks(path: Path) -> dict[str, Marks]:
    """Marks by the names of recordings, from JSON: `{"NAME": {"present": [...], "absent": [...]}}`.

    Raises:
        ValueError: the file is something else; says what of it, and what was expected.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(f"words {path} cannot be read: {error}") from error
    if not isinstance(stored, dict) or not stored:
        raise BadInputError(
            f'words {path} hold {type(stored).__name__}, expected {{"RECORDING": {{"present": '
            '["cup", ...], "absent": ["bicycle", ...]}}}'
        )
    return {name: _marks(f"words {path}, {name!r}", given) for name, given in stored.items()}


def marks_of(marks: Mapping[str, Marks], spec: str) -> Marks:
    """Those of a recording, by its path as given or by the last part of it."""
    name = Path(spec).expanduser().resolve().name
    found = marks.get(spec) or marks.get(name)
    if found is None:
        raise BadInputError(
            f"there are no words for recording {spec!r}, expected {name!r} among "
            f"{', '.join(repr(key) for key in marks) or 'none'}"
        )
    return found


class Thinned:
    """Every n-th frame of a source, with what `Feed` reads of one."""

    def __init__(self, source: Frames, every: int) -> None:
        self.name: str = source.name
        self.left_out: LeftOut = source.left_out
        self._source, self._range = source, range(0, len(source), every)
        self.frames_there: int = len(self) + source.frames_there - len(source)

    def __len__(self) -> int:
        return len(self._range)

    def __getitem__(self, index: int) -> Frame:
        return self._source[self._range[index]]


def recording_cases(
    feed: Feed,
    name: str,
    marks: Marks,
    perception: Perception,
    progress: Callable[[int], object] = lambda done: None,
) -> tuple[list[Case], list[str]]:
    """Map a recording, then ask for what is marked.

    Args:
        feed: of its frames; one that cannot be used costs itself.
        name: of the recording.
        marks: what is there.
        perception: fresh.
        progress: called after each frame with how many there were.

    Returns the cases, and the words that the encoder does not understand.

    Raises:
        ValueError: none of the words is understood, or no frame can be used.
    """
    asked = [(text, True, False) for text in marks.present]
    asked += [(text, False, False) for text in marks.absent]
    asked += [(text, True, True) for text in marks.other_words]
    known = set(understood_by(perception, [text for text, *_ in asked]))
    refused = [text for text, *_ in asked if text not in known]
    asked = [row for row in asked if row[0] in known]
    if not asked:
        raise BadInputError(f"none of the words for {name!r} is understood: {', '.join(refused)}")
    perception.set_prompts([])
    feed.run(lambda frame: perception.process(frame, _NOTHING), progress)
    evidence = perception.evidence([text for text, *_ in asked])
    columns = len(Evidence._fields)
    cases = [
        Case(name, text, there, np.array(found).reshape(-1, columns), other_words)
        for (text, there, other_words), found in zip(asked, evidence, strict=True)
    ]
    return cases, refused


def _marks(what: str, given: Any) -> Marks:
    if not isinstance(given, dict) or not set(given) <= set(Marks._fields):
        raise BadInputError(
            f"{what}: {given!r}, expected lists called {', '.join(Marks._fields)} and no others"
        )
    lists = {key: _words(f"{what}, {key}", given.get(key, [])) for key in Marks._fields}
    both = {*lists["present"], *lists["other_words"]} & {*lists["absent"]}
    if both:
        raise BadInputError(f"{what}: {', '.join(sorted(both))} both there and absent")
    if not (lists["present"] or lists["absent"]):
        raise BadInputError(f"{what}: no words, expected some in present or absent")
    return Marks(**lists)


def _words(what: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(w, str) and w.strip() for w in given):
        raise BadInputError(f"{what}: {given!r}, expected a list of words")
    return tuple(dict.fromkeys(word.strip() for word in given))
