# SPDX-License-Identifier: Apache-2.0
"""Which device and rasteriser a name means on this machine."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch

from f4x_ros.core.config import RenderConfig
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.render import resolve_backend

_log = logging.getLogger(__name__)


def choose_device(name: str) -> torch.device:
    """The device for `render.device`; ValueError for `cuda` where torch sees none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInputError("parameter 'render.device' is 'cuda', but torch sees no CUDA device")
    return torch.device(name)


def drawable_here(wanted: RenderConfig, path: str | Path) -> RenderConfig:
    """The options of a stored map, with `auto` for what this machine does not have.

    What is replaced is logged as a warning with the file, the option and what is used instead.
    """
    made = wanted
    try:
        device = choose_device(made.device)
    except ValueError:
        made, device = replace(made, device="auto"), choose_device("auto")
        _warn(path, "device", wanted.device, device.type)
    try:
        resolve_backend(made.backend, device)
    except ValueError:
        made = replace(made, backend="auto")
        _warn(path, "backend", wanted.backend, resolve_backend("auto", device))
    return made


def _warn(path: str | Path, option: str, wanted: str, used: str) -> None:
    text = "%s was saved with render.%s '%s', which is not available here: using '%s'"
    _log.warning(text, path, option, wanted, used)
