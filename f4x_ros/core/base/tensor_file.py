# SPDX-License-Identifier: Apache-2.0
"""Named arrays in one file, in the safetensors format: no code can hide in it.

The format (github.com/huggingface/safetensors): eight bytes with the length of the header, the
header in JSON, then the arrays one after the other, little endian.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.base import atomic_write
from f4x_ros.core.errors import BadInputError

Array = NDArray[Any]

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U8": "|u1",
}  # fmt: skip
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}
_METADATA = "__metadata__"
_MOST_HEADER = 100_000_000  # bytes, the limit of the format


def read_tensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays by name, read only and mapped (their bytes are read when used), and the metadata.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is not a complete safetensors file, or has numbers of a kind not known here.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, _MOST_HEADER):
            raise BadInputError(f"{path} is not a safetensors file: header of {length} bytes")
        try:
            header = json.loads(file.read(length))
            metadata = header.pop(_METADATA, {})
            arrays = {name: _mapped(path, 8 + length, entry) for name, entry in header.items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInputError(f"{path} is not a complete safetensors file: {error}") from error
    return arrays, metadata


def _mapped(path: Path, start: int, entry: Mapping[str, Any]) -> Array:
    shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    if end - begin != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise BadInputError(f"{end - begin} bytes for {entry['dtype']} {list(shape)}")
    if begin == end:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", start + begin, shape)


def write_tensors(
    path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays by name, the file appearing whole or not at all.

    Raises:
        OSError: the file cannot be written.
        ValueError: an array has numbers of a kind that is not known here.
    """
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    offset = 0
    for name, array in arrays.items():
        kind = _NAMES.get(array.dtype.newbyteorder("<"))
        if kind is None:
            raise BadInputError(f"array {name!r} is {array.dtype}, expected one of {list(_DTYPES)}")
        end = offset + array.nbytes
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # arrays start at a multiple of eight
    with atomic_write(path) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            file.write(np.ascontiguousarray(little).tobytes())
