# SPDX-License-Identifier: Apache-2.0
"""The detector's weights as one file in the package; `training/convert_nanodet.py` made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from f4x_ros.core.base.tensor_file import write_tensors
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.eight_bits import digest, packed, read_unpacked
from f4x_ros.core.features.photo.nanodet import SIDE, NanoDet

FORMAT = "f4x nanodet 1"

_SMALL = 40_000  # numbers of kernels that stay in float16: 0.3 MB, and half the error

SHIPPED = Path(__file__).with_name("nanodet.safetensors")
"""The weights that come with the package."""


def save_nanodet(path: Path, net: NanoDet, about: dict[str, Any]) -> None:
    """Write weights, large kernels in eight bits; `about` (plain JSON) says where they come from.

    Raises:
        OSError: the file cannot be written.
    """
    arrays = packed(net.state_dict(), _SMALL)
    metadata = {"format": FORMAT, "about": json.dumps(about), "sha256": digest(arrays)}
    write_tensors(path, arrays, metadata)


def load_nanodet(
    device: torch.device | str = "cpu", path: Path | None = None, side: int = SIDE
) -> NanoDet:
    """The detector, ready for use.

    Args:
        device: where it computes.
        path: its weights; None: those of the package.
        side: longer side of the pictures it sees, in pixels, a multiple of 32.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is something else or damaged, the package's is missing, or `side` is none.
    """
    path = shipped_nanodet() if path is None else path
    tensors = read_unpacked(path, FORMAT)
    net = NanoDet(side)
    try:
        net.load_state_dict(tensors)
    except (RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise BadInputError(f"arrays of {path} are not those of NanoDet: {why}") from error
    return net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def shipped_nanodet() -> Path:
    """The weights of this installation; ValueError says how they come back if they are gone."""
    if not SHIPPED.is_file():
        raise BadInputError(
            f"the weights {SHIPPED} (4 MB) are missing, which come with f4x-ros: pip install "
            f"--force-reinstall --no-deps f4x-ros (in a checkout: git checkout -- {SHIPPED})"
        )
    return SHIPPED
