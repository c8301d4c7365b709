# SPDX-License-Identifier: Apache-2.0
"""Options of extractors: text from `features.options` to what a constructor needs, checked."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from f4x_ros.core.errors import BadInputError


def chosen_options(
    extractor: str, known: Mapping[str, str], given: Mapping[str, str] | None
) -> dict[str, str]:
    """The defaults `known`, with `given` in their place; ValueError names one that is unknown."""
    for name in given or {}:
        if name not in known:
            raise BadInputError(
                f"option {name!r} of extractor {extractor!r}, expected one of {', '.join(known)}"
            )
    return {**known, **(given or {})}


def truth(name: str, text: str) -> bool:
    """An option's `true` or `false`; ValueError for anything else."""
    if text.lower() not in ("true", "false"):
        raise BadInputError(f"option {name} is {text!r}, expected true or false")
    return text.lower() == "true"


def whole(name: str, text: str, low: int, high: int, unit: str = "") -> int:
    """An option's whole number within `low` and `high`; ValueError for anything else."""
    if not text.isdecimal() or not low <= int(text) <= high:
        raise BadInputError(f"option {name} is {text!r}, expected {unit}{low} to {high}")
    return int(text)


def share(name: str, text: str) -> float:
    """An option's number from 0 to 1; ValueError for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise BadInputError(f"option {name} is {text!r}, expected 0 to 1")
    return value


def existing_file(name: str, text: str) -> Path:
    """An option's file; ValueError if there is none."""
    path = Path(text).expanduser()
    if not path.is_file():
        raise BadInputError(f"option {name} is {text!r}: there is no such file")
    return path


def folder(text: str) -> Path | None:
    """An option's folder, None where it is empty."""
    return Path(text).expanduser() if text else None


def model_library(extractor: str, module: str) -> Any:
    """A library of the extra [models]; ValueError naming the extra if it does not load."""
    try:
        return import_module(module)
    except (ImportError, RuntimeError, OSError) as error:  # RuntimeError: torchvision of another
        raise BadInputError(
            f"extractor {extractor!r} needs the extra [models], in an environment of its own "
            "because torchvision fits one build of torch only: pip install 'f4x-ros[models]' "
            f"(here, with torch {torch.__version__}: {error})"
        ) from error
