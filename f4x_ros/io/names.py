# SPDX-License-Identifier: Apache-2.0
"""Names of files: their order as people count, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from f4x_ros.core.errors import BadInputError

# A stamp in seconds, such as Python prints: its fraction may lack zeros at the end.
_STAMP = re.compile(r"([0-9]{6,})\.([0-9]{1,18})")


def natural_key(path: Path) -> tuple[tuple[object, ...], str]:
    """Sorts names as people count: 2.png before 10.png, 1700000000.25 before 1700000000.5."""
    if stamp := _STAMP.fullmatch(path.stem):
        return ("", int(stamp[1]), ".", int(stamp[2].ljust(18, "0")), ""), path.name
    parts = re.split(r"([0-9]+)", path.stem)
    return tuple(int(p) if at % 2 else p for at, p in enumerate(parts)), path.name


def number_of(path: Path) -> int | None:
    """The last number in a name, which counts the frames; None without one."""
    digits = re.findall(r"[0-9]+", path.stem)
    return int(digits[-1]) if digits else None


def match_names(
    wanted: Sequence[Path], offered: Sequence[Path]
) -> tuple[list[Path | None], str | None]:
    """The file among ``offered`` that belongs to each of ``wanted``, by name.

    Names that are equal but for their ending belong together; where fewer are equal than have the
    same numbers (``color_7.jpg`` and ``depth_7.png``, ``7.jpg`` and ``0007.png``), the numbers
    decide, and the second value is a sentence that says so.

    Raises:
        BadInputError: two files have the same name, or no file belongs to any.
    """
    stems = _by_key([(p.stem, p) for p in offered])
    _by_key([(p.stem, p) for p in wanted])
    by_stem = [stems.get(p.stem) for p in wanted]
    by_number = _by_numbers(wanted, offered)
    if sum(p is not None for p in by_number) > sum(p is not None for p in by_stem):
        first = next((w, o) for w, o in zip(wanted, by_number, strict=True) if o)
        return by_number, (
            f"Names are matched by their numbers, such as {first[0].name} and {first[1].name}."
        )
    if not any(by_stem):
        raise BadInputError(
            f"{offered[0].parent}: {len(offered)} files such as {offered[0].name} whose names do "
            f"not match the {len(wanted)} of {wanted[0].parent.name}/, such as {wanted[0].name}; "
            "expected the same names in both"
        )
    return by_stem, None


def _by_numbers(wanted: Sequence[Path], offered: Sequence[Path]) -> list[Path | None]:
    """By all numbers of a name; nothing where they do not tell the files of one folder apart."""
    keys = [[tuple(map(int, re.findall("[0-9]+", p.stem))) for p in ps] for ps in (wanted, offered)]
    if any(len(set(found)) < len(found) for found in keys):
        return [None] * len(wanted)
    of = dict(zip(keys[1], offered, strict=True))
    return [of.get(key) if key else None for key in keys[0]]


def _by_key(named: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for key, path in named:
        if key in found:
            raise BadInputError(
                f"{path.parent}: both {found[key].name} and {path.name}, expected one file of "
                "each name"
            )
        found[key] = path
    return found
