# SPDX-License-Identifier: Apache-2.0
"""The hidden folder in which the results of a run grow, and what became of those of dead runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = ".unfinished-"
_LOCK = "lock"  # held as long as the process lives: the kernel lets go of it whatever ends that


class UnfinishedFolder:
    """A new folder `.unfinished-*` inside of another; folders of runs that were killed are removed.

    Attributes:
        path: the folder.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, parent: Path) -> None:
        _remove_abandoned(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock: int | None = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove it with all that is in it; nothing happens if it is gone."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._let_go()

    def keep(self, name: str) -> Path:
        """Give it a name that is seen, with a number if that is taken, and return the new path.

        Files that begin with a dot were still growing; they are removed.
        """
        for file in self.path.iterdir():
            if file.name == _LOCK or file.name.startswith("."):
                file.unlink()
        target, number = self.path.with_name(name), 2
        while target.exists():
            target, number = self.path.with_name(f"{name}-{number}"), number + 1
        self.path.rename(target)
        target.chmod(0o777 & ~_umask())
        self._let_go()
        return target

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove_abandoned(parent: Path) -> None:
    """Those whose lock nobody holds. One without a lock may be about to get it: it stays."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # its run goes on
            pass
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
