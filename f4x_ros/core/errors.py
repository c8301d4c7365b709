# SPDX-License-Identifier: Apache-2.0
"""The one family of errors that tell a caller what is wrong with what it gave or asked.

Each message has the name, the value and what was expected. The borders (command line, ROS) turn
exactly these, and the system's OSError, into messages; whatever else is raised is a defect, and is
shown with its traceback. All are ValueErrors, so that callers need not know the family.
"""

from __future__ import annotations

_SHOWN_LETTERS = 120


def shown(text: str) -> str:
    """A text from outside in quotes, for a message: cut where it is long, nothing unprintable."""
    cut = text if len(text) <= _SHOWN_LETTERS else text[: _SHOWN_LETTERS - 3] + "..."
    return repr(cut.encode("utf-8", "backslashreplace").decode())


class F4xError(ValueError):
    """Something a caller can put right; its text says what and how."""


class BadInputError(F4xError):
    """A value, a file or a message is not as expected."""


class BadSampleError(BadInputError):
    """One sample of many (a picture, a message, a pose) cannot be used; the others can.

    Attributes:
        reason: under which it is counted, see `core.base.LeftOut`.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class NotUnderstoodError(BadInputError):
    """A prompt has a part that nobody can make sense of: an answer to it would be a guess.

    Args:
        prompt: as it was asked.
        part: of it, that was not understood.
        expected: what would be, or what else there is to say.

    Attributes:
        part: as given.
        expected: as given.
    """

    def __init__(self, prompt: str, part: str, expected: str) -> None:
        what = "" if part in ("", prompt) else f": {shown(part)}"
        super().__init__(f"prompt {shown(prompt)}{what} is not understood: {expected}")
        self.part, self.expected = part, expected


class NotReadyError(F4xError):
    """What is asked needs something that has not come yet, such as a first frame."""


class UnsupportedError(F4xError):
    """This installation or this model cannot do what is asked; the text says what would."""


class CorruptError(F4xError):
    """A file of ours is damaged, cut off or of another version."""


class OverBudgetError(F4xError):
    """What is asked does not fit into the memory it may take."""
