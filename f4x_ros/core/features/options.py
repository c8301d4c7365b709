# SPDX-License-Identifier: Apache-2.0
"""What options of extractors name: files, folders, and the libraries that read them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from f4x_ros.core.errors import BadInputError


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
