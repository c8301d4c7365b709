# SPDX-License-Identifier: Apache-2.0
"""The one place that imports the ray caster of the extra `[sim]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from f4x_ros.core.errors import UnsupportedError

if TYPE_CHECKING:
    from embreex.rtcore_scene import EmbreeScene
    from numpy.typing import NDArray


def triangles(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> EmbreeScene:
    """What rays can hit: vertices [V, 3] metres, faces [F, 3] rows of them.

    Raises:
        UnsupportedError: embreex is missing; says how to install it.
    """
    check_installed()
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    scene = EmbreeScene()
    TriangleMesh(scene, np.asarray(vertices, np.float32), np.asarray(faces, np.int32))
    return scene


def check_installed() -> None:
    """UnsupportedError where worlds cannot be drawn."""
    try:
        import embreex  # noqa: F401
    except ImportError as error:
        raise UnsupportedError(
            f"drawn worlds need embreex ({error}): pip install 'f4x-ros[sim]'"
        ) from error
