# SPDX-License-Identifier: Apache-2.0
"""How much of anything is taken from outside: by services, parameters, files and arguments.

Whoever takes something in checks it against these before any work is done with it; the comments of
`srv` and `msg` say the same numbers, and a test compares them. Imports no torch.
"""

from __future__ import annotations

from f4x_ros.core.errors import BadInputError, NotUnderstoodError, shown

MAX_PROMPTS = 1000
"""Prompts at a time: each is a channel of every rendered picture."""

MAX_PROMPT_LETTERS = 200
"""Characters of one prompt."""

MAX_LETTERS = 20_000
"""Characters of all prompts together: encoding them takes seconds."""

MAX_PHRASES = 1500
"""Different words and phrases of all prompts together, what they exclude included."""

MAX_CLICKS = 100
"""Clicks of one question: each is a pass over the map."""

MIN_EXAMPLE_PX, MAX_EXAMPLE_PX = 8, 4096
"""Side of an example picture, the least and the most."""

EXAMPLE_SIDE_PX = 640
"""Longer side that a larger example is reduced to before anything else is done with it."""

MAX_STATES, USUAL_STATES, MAX_ALL_STATES = 2000, 200, 20_000
"""States of one thing in an answer about its history, at most and unless told; and of all."""

MAX_HISTORIES, MAX_EVENTS = 100, 1000
"""Things, and events, of one such answer."""

MIN_STEP_S, MAX_STEP_S = 0.001, 3600.0
"""Seconds between the states of such an answer."""

MAX_PICTURE_PX = 2048
"""Side of a picture of the map."""

MAX_PICTURE_PROMPTS = 20
"""Prompts of its labels: each is encoded and drawn."""

MAX_ORBIT_RAD = 6.3
"""Farthest that a view is turned about what is in its middle, either way."""

MAX_POINTS, MAX_POINT_STAMPS, USUAL_POINT_STAMPS = 1000, 1000, 200
"""Points that are followed at a time, and moments they are asked for, at most and unless told."""

MAX_POINT_PLACES, MAX_POINT_PICTURES = 100_000, 200
"""Points times moments of one answer; moments of one that says what was in sight."""

MAX_FRAME_NAME_LETTERS = 255
"""Characters in the name of a frame."""

MAX_SOURCE_LETTERS = 255
"""Characters of what a report calls its input; they are drawn, too."""

MAX_TRANSFORMS = 5000
"""Pairs of parent and child whose transforms are kept."""

MAX_COORDINATE_M = 1e6
"""Farthest viewpoint from the origin of its frame, along each axis."""

MAX_CAMERA_M = 5e4
"""Farthest camera from the origin of the map, along each axis: single precision is 4 mm there."""

MAX_QUATERNION = 1e6
"""Longest quaternion of a viewpoint; the shortest is one by this."""

MAX_PROMPTS_FILE_BYTES = 4 * MAX_LETTERS + 2**20
"""Of a file of prompts; the rest is room for comments."""


def check_length(name: str, text: str, most: int) -> None:
    """ValueError if a text has more than so many characters, or is no Unicode; names it."""
    if len(text) > most:
        raise BadInputError(
            f"{name} {shown(text)} has {len(text)} characters, expected at most {most}"
        )
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise BadInputError(f"{name} {shown(text)} is not valid UTF-8, expected text")


def check_frame_name(name: str, frame_id: str) -> None:
    """ValueError if a frame cannot have this name; `name` is that of the field it stands in."""
    check_length(name, frame_id, MAX_FRAME_NAME_LETTERS)
    if not frame_id.isprintable():
        raise BadInputError(f"{name} is {shown(frame_id)}, expected letters that can be printed")


def is_frame_name(frame_id: str) -> bool:
    """True if a frame can have this name: not empty, printable, not too long."""
    return 0 < len(frame_id) <= MAX_FRAME_NAME_LETTERS and frame_id.isprintable()


def check_letters(prompt: str) -> None:
    """NotUnderstoodError for a character that is part of no word of any language.

    Such are control characters, but for blanks and line ends, and U+FFFD, which stands for bytes
    that were no text.
    """
    for letter in prompt:
        control = (letter < " " or "\x7f" <= letter < "\xa0") and not letter.isspace()
        if control or letter == "\ufffd":
            raise NotUnderstoodError(prompt, f"U+{ord(letter):04X}", "expected words")
