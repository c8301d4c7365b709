# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the name `path` when the block ends without an error.

    Until then it has a temporary name beside it, which is removed if anything fails.

    Raises:
        OSError: names the path and the free space (a full disk, a missing folder).
    """
    handle, name = _temporary(path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            free = shutil.disk_usage(path.parent).free
            message = f"{error.strerror or error}; {free} bytes are free there, nothing was left"
            raise OSError(error.errno, message, str(path)) from error
        raise


def _temporary(path: Path) -> tuple[int, str]:
    """An open file beside `path`, with the permissions an ordinary new file would have."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    mask = os.umask(0)
    os.umask(mask)
    os.fchmod(handle, 0o666 & ~mask)
    return handle, name
