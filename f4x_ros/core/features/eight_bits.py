# SPDX-License-Identifier: Apache-2.0
"""Weights of networks in eight bits, and the sum that tells whether a file is whole.

Symmetric, one step per output channel (Krishnamoorthi, Quantizing deep convolutional networks for
efficient inference, 2018): a quarter of the size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.base.tensor_file import Array, read_tensors
from f4x_ros.core.errors import BadInputError

_STEPS = ".steps"  # after a name: what one step of each row of its eight-bit numbers is worth


def packed(tensors: Mapping[str, Tensor], small: int = 0) -> dict[str, Array]:
    """Matrices and kernels row by row in eight bits, with the step of each row; the rest float32.

    Args:
        tensors: by name.
        small: matrices and kernels of fewer numbers than this are kept in float16.
    """
    arrays: dict[str, Array] = {}
    for name, values in tensors.items():
        values = values.detach().cpu().float()
        if values.ndim < 2 or not values.numel():
            arrays[name] = values.numpy()
            continue
        if values.numel() < small:
            arrays[name] = values.half().numpy()
            continue
        rows = values.flatten(1)
        steps = rows.abs().amax(1).clamp(min=1e-12) / 127
        whole = (rows / steps[:, None]).round().to(torch.int8).view(values.shape)
        arrays |= {name: whole.numpy(), f"{name}{_STEPS}": steps.numpy()}
    return arrays


def unpacked(arrays: Mapping[str, Array]) -> dict[str, Tensor]:
    """The inverse, in float32.

    Raises:
        ValueError: steps do not belong to the numbers beside them.
    """
    tensors = {name: torch.tensor(np.array(array)) for name, array in arrays.items()}
    for name in [name for name in tensors if name.endswith(_STEPS)]:
        whole, steps = tensors.get(name.removesuffix(_STEPS)), tensors.pop(name)
        if whole is None or whole.ndim < 2 or steps.shape != whole.shape[:1]:
            raise BadInputError(f"{name} does not fit what it is of")
        tensors[name.removesuffix(_STEPS)] = whole.float() * steps.view(-1, *[1] * (whole.ndim - 1))
    return {name: values.float() for name, values in tensors.items()}


def digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 of arrays with their names, shapes and kinds of numbers, in hexadecimal."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def read_unpacked(path: Path, kind: str) -> dict[str, Tensor]:
    """The tensors of a file of packed arrays that states its format and its digest.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is of another format than `kind`, or damaged.
    """
    arrays, metadata = read_tensors(path)
    if metadata.get("format") != kind:
        raise BadInputError(f"format of {path} is {metadata.get('format')!r}, expected {kind!r}")
    if digest(arrays) != metadata.get("sha256"):
        raise BadInputError(f"{path} is damaged: its arrays have another SHA-256 than it states")
    return unpacked(arrays)
