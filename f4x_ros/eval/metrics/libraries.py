# SPDX-License-Identifier: Apache-2.0
"""The one place that imports the libraries of the extra `[eval]`, quietly and when needed.

They are large and optional: the package and its node work without them.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from types import ModuleType

from f4x_ros.core.errors import UnsupportedError

_INSTALL = {
    "evo": "pip install 'f4x-ros[eval]'",
    "torchmetrics": "pip install 'f4x-ros[eval]'",
    # Its dependency opencv-python would overwrite opencv-python-headless.
    "trackeval": "pip install 'f4x-ros[eval]' && pip install --no-deps trackeval==1.3.0",
}


def library(module: str) -> ModuleType:
    """Import a module of an evaluation library, such as `evo.core.metrics`.

    What the library prints while it is imported (trackeval names the data sets it cannot read) is
    kept off the terminal. Only those parts of evo are asked for that write no settings folder.

    Raises:
        UnsupportedError: the library is missing or broken; names it and says how to install it.
        KeyError: not one of the evaluation libraries.
    """
    name = module.partition(".")[0]
    command = _INSTALL[name]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return importlib.import_module(module)
    except ImportError as error:
        raise UnsupportedError(
            f"{name} is needed for this score and cannot be imported ({error}): {command}"
        ) from error


def check_libraries() -> None:
    """Import everything that a full evaluation needs, so that it does not fail at its end.

    Raises:
        UnsupportedError: as `library`.
    """
    for module in ("evo.core.metrics", "torchmetrics.functional", "trackeval.metrics"):
        library(module)
