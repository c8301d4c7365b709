# SPDX-License-Identifier: Apache-2.0
"""Blocks of the map on disk: one safetensors file each, written whole or not at all.

A page holds the columns of a block's Gaussians, `present.NAME` and `past.NAME`, and says in its
metadata which version of the layout it has and what the CRC-32 of the columns is.
"""

from __future__ import annotations

import tempfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.base.tensor_file import Array, read_tensors, write_tensors
from f4x_ros.core.errors import BadInputError, CorruptError
from f4x_ros.core.field import Columns, Packed, pack

VERSION = "f4x-page-1"

_PARTS = ("present", "past")


class PageFolder:
    """Pages of one map, in a folder of their own below a given one; they go with the map.

    Args:
        root: where the folder is made; it is made itself where it is missing.
        device: where the Gaussians live.

    Raises:
        OSError: the folder cannot be made or written to.
    """

    def __init__(self, root: Path, device: torch.device | str = "cpu") -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix="f4x-pages-", dir=root)
        self._device = torch.device(device)

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self._folder.name)

    def write(self, code: int, present: Packed, past: Packed) -> None:
        """Keep a block; OSError names the file and the free space."""
        arrays: dict[str, Array] = {}
        for part, packed in zip(_PARTS, (present, past), strict=True):
            for name, column in replace(packed, data=packed.data.cpu()).unpack().items():
                arrays[f"{part}.{name}"] = column.numpy()
        metadata = {"format": VERSION, "crc32": f"{_checksum(arrays):08x}"}
        write_tensors(self._file(code), arrays, metadata)

    def read(self, code: int, columns: tuple[Columns, Columns]) -> tuple[Packed, Packed]:
        """A block that was written.

        Raises:
            OSError: the file is not there.
            CorruptError: it is cut off, changed, or of another version; names it.
        """
        path = self._file(code)
        try:
            arrays, metadata = read_tensors(path)
        except BadInputError as error:
            raise CorruptError(str(error)) from error
        if metadata.get("format") != VERSION:
            raise CorruptError(f"{path} has format {metadata.get('format')!r}, expected {VERSION}")
        if metadata.get("crc32") != f"{_checksum(arrays):08x}":
            raise CorruptError(f"{path} is damaged: its checksum is not that of its content")
        pair = [
            self._packed(path, part, arrays, layout)
            for part, layout in zip(_PARTS, columns, strict=True)
        ]
        return pair[0], pair[1]

    def drop(self, code: int) -> None:
        """Forget a block."""
        self._file(code).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()

    def _packed(self, path: Path, part: str, arrays: dict[str, Array], columns: Columns) -> Packed:
        rows: dict[str, Tensor] = {}
        for name in columns:
            array = arrays.get(f"{part}.{name}")
            if array is None:
                raise CorruptError(f"{path} has no '{part}.{name}'")
            rows[name] = torch.from_numpy(np.array(array))
        packed = pack(rows, columns)
        return replace(packed, data=packed.data.to(self._device))

    def _file(self, code: int) -> Path:
        return self.path / f"{code & (1 << 64) - 1:016x}.safetensors"


def _checksum(arrays: dict[str, Array]) -> int:
    """CRC-32 of all columns in the order of their names."""
    found = 0
    for name in sorted(arrays):
        found = zlib.crc32(np.ascontiguousarray(arrays[name]).tobytes(), found)
    return found
