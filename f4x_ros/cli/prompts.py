# SPDX-License-Identifier: Apache-2.0
"""Prompts from the command line, from a file, or those the demo asks."""

from __future__ import annotations

from collections.abc import Sequence

from f4x_ros.core.query.prompt_file import read_prompts

DEFAULT_PROMPTS = tuple(
    f"{c} thing" for c in ("red", "blue", "green", "yellow", "orange", "purple")
)

COLOR_ONLY = (
    "The extractor 'color' only knows colours and textures: it finds what looks red or striped, "
    "not what is a mug."
)


def chosen_prompts(
    given: Sequence[str], file: str | None, configured: Sequence[str], extractor: str
) -> list[str]:
    """Those given and those of the file; else those configured; else the default ones, said aloud.

    Raises:
        ValueError: the file cannot be read, or nothing is known to ask the extractor.
    """
    prompts = [*given, *(read_prompts(file) if file else [])] or list(configured)
    if prompts:
        return prompts
    if extractor != "color":
        raise ValueError(f"extractor '{extractor}' needs prompts: give --prompt or --prompts-file")
    print(f"No prompts given, asking for: {', '.join(DEFAULT_PROMPTS)}.")
    return list(DEFAULT_PROMPTS)
