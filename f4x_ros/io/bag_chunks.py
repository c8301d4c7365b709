# SPDX-License-Identifier: Apache-2.0
"""Unpacking what a bag holds compressed, no more of it than is needed."""

from __future__ import annotations

import sys

from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]

from f4x_ros.core.errors import BadInputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: What the libraries raise at damaged data.
UNPACKING_ERRORS = (zstd.ZstdError, RuntimeError, EOFError)
#: First bytes of a message that `ros2 bag` compressed by itself; those of none else.
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_STEP = 1 << 16


def decompressed(data: bytes, compression: str, upto: int, *, whole: bool = True) -> bytes:
    """The first ``upto`` bytes of a chunk, or fewer where it is cut.

    ``whole`` False gives what can be unpacked of damaged data, else that is an error.
    """
    if not compression:
        return data[:upto]
    if compression not in ("zstd", "lz4"):
        raise BadInputError(f"chunk compression {compression!r}, expected zstd or lz4")
    engine = zstd.ZstdDecompressor() if compression == "zstd" else LZ4FrameDecompressor()
    step = upto if whole else _STEP
    out = bytearray()
    try:
        out += engine.decompress(data, max_length=min(step, upto))
        while len(out) < upto and not engine.eof and not engine.needs_input:
            out += engine.decompress(b"", max_length=min(step, upto - len(out)))
    except UNPACKING_ERRORS:
        if whole:
            raise
    return bytes(out)


def unpacked_message(data: bytes) -> bytes:
    """A message that was compressed by itself."""
    return zstd.decompress(data)
