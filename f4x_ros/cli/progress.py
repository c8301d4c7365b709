# SPDX-License-Identifier: Apache-2.0
"""Progress bars, quiet where the output is a file."""

from __future__ import annotations

import sys
from typing import NoReturn

from tqdm import tqdm


def progress_bar(total: int, description: str) -> tqdm[NoReturn]:
    """A bar over frames on stderr; in a log file a line every ten seconds."""
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=description,
        unit="frame",
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else 10,
        maxinterval=10 if terminal else 3600,
    )
