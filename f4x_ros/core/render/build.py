# SPDX-License-Identifier: Apache-2.0
"""`python -m f4x_ros.core.render.build`: compile the rasteriser in place, for developers.

Runs the same CMake file as the package's build and puts the libraries beside this module, where the
loader looks first. Nothing calls this at run time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def build(folder: Path = HERE) -> list[Path]:
    """Compile into `folder` and return the libraries; RuntimeError when that is not possible."""
    cmake = shutil.which("cmake")
    if cmake is None:
        raise RuntimeError("cmake was not found; install it (pip install cmake)")
    with tempfile.TemporaryDirectory(dir=folder) as tmp:
        stage = Path(tmp) / "stage"
        steps = (
            [cmake, "-S", str(HERE / "csrc"), "-B", tmp, f"-DF4X_RAST_INSTALL_DIR={stage}"],
            [cmake, "--build", tmp, "--parallel"],
            [cmake, "--install", tmp],
        )
        for step in steps:
            if subprocess.run(step, check=False).returncode:
                raise RuntimeError(f"failed: {' '.join(step)}")
        built = sorted(stage.glob("libf4x_rast*.so"))
        if not built:
            raise RuntimeError("nothing was built: CMake found no C++ compiler")
        # replace, never overwrite: a running process may have the old library mapped
        for path in built:
            os.replace(path, folder / path.name)
    return [folder / path.name for path in built]


if __name__ == "__main__":
    try:
        for made in build():
            print(made)
    except RuntimeError as e:
        sys.exit(f"error: {e}")
