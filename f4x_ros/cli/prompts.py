# SPDX-License-Identifier: Apache-2.0
"""Prompts from the command line, from a file, or what is done where none are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.perception import Perception

_COLORS = tuple(f"{c} thing" for c in ("red", "blue", "green", "yellow", "orange", "purple"))

EXAMPLES = {
    "embedded": ("chair", "table", "sofa", "bookshelf", "potted plant", "mug", "bottle", "book"),
    "color": _COLORS,
}
"""What may be asked of an extractor in any room."""

NAMES_ITSELF = ("embedded",)
"""Extractors that know how sure they are: where nothing is asked, what is surely seen is named."""

DEMO = {
    "embedded": (
        "red mug", "teddy bear", "orange toy car", "purple ball", "blue globe", "potted plant",
        "sofa",
    ),
    "color": _COLORS,
}  # fmt: skip
"""What is asked in the demo world."""

ABSENT = {"embedded": "guitar", "color": "pink thing"}
"""What is not in the demo world."""

KNOWS = {
    "embedded": (
        "The extractor 'embedded' finds common things by name, colour and material: in drawn rooms "
        "what it learned there, in photographs what COCO and ImageNet have."
    ),
    "color": (
        "The extractor 'color' only knows colours and textures: it finds what looks red or "
        "striped, not what is a mug."
    ),
}
"""What is said of an extractor before it is used."""


def speaker(extractor: str) -> str:
    """The extractor that the examples are for, of those that `features.extractor` names."""
    names = [name.strip() for name in extractor.split(",")]
    return next((name for name in names if name in EXAMPLES), names[0])


def _prompts_of(file: str) -> list[str]:
    from f4x_ros.core.ask import read_prompts

    return read_prompts(file)


def chosen_prompts(
    given: Sequence[str], file: str | None, configured: Sequence[str] | None, extractor: str
) -> list[str]:
    """Those given and those of the file; else those configured, though there may be none.

    Where none of them says anything (`configured` is None): "auto", or examples for an extractor
    that names nothing of itself; said aloud.

    Raises:
        ValueError: the file cannot be read, or nothing is known to ask the extractor.
    """
    from f4x_ros.core.ask import AUTO

    prompts = [*given, *(_prompts_of(file) if file else [])]
    if prompts:
        return prompts
    if configured is not None and tuple(configured) != AUTO:
        return list(configured)
    if speaker(extractor) in NAMES_ITSELF:
        print("No prompts given: what is surely seen is named (--prompt TEXT looks for something).")
        return list(AUTO)
    examples = EXAMPLES.get(speaker(extractor))
    if examples is None:
        raise BadInputError(
            f"extractor '{extractor}' needs prompts: give --prompt or --prompts-file"
        )
    print(f"No prompts given, asking for: {', '.join(examples)}.")
    return list(examples)


def use_prompts(perception: Perception, prompts: Sequence[str], *, keep_all: bool) -> None:
    """Make these the standing prompts, and say which of them are not understood, and why.

    Those do not stop the others: nothing will be found for them. `keep_all` (for a file, a list
    made for more than one run): nor does it end anything if none is understood.

    Raises:
        NotUnderstoodError: none is understood.
        ValueError: see `Perception.set_prompts`.
    """
    from f4x_ros.core.ask import AUTO

    if tuple(prompts) == AUTO:
        perception.set_prompts(AUTO)
        return
    unknown = perception.misunderstood(prompts)
    perception.set_prompts(prompts, keep_unknown=keep_all or len(unknown) < len(prompts))
    for text in unknown.values():
        print(f"{text[0].upper()}{text[1:]}.")
