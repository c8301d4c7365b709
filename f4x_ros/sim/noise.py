# SPDX-License-Identifier: Apache-2.0
"""Smooth pseudo-random numbers in space, the raw material of wood, cloth and pictures."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_CELLS = 32  # period of the noise in its own units
_VOXELS_PER_CELL = 4


def fractal_noise(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Noise ``[N]`` in about 0..1 at points ``[N, 3]``, with features of size 1 and smaller.

    Three octaves of smoothed lattice noise, tabulated once and read by trilinear interpolation;
    it repeats every 32 units.
    """
    where = np.ascontiguousarray(points.T, np.float32) * np.float32(_VOXELS_PER_CELL)
    out = np.empty(len(points), np.float32)
    ndimage.map_coordinates(_table(), where, order=1, mode="grid-wrap", output=out)
    return out


def cell_random(*cells: NDArray[np.floating]) -> NDArray[np.float32]:
    """A random number ``[N]`` in 0..1 for each cell given by whole-numbered coordinates."""
    state = np.zeros(cells[0].shape, np.uint32)
    for factor, cell in zip((73856093, 19349663, 83492791), cells, strict=False):
        state ^= cell.astype(np.int64).astype(np.uint32) * np.uint32(factor)
    state ^= state >> np.uint32(13)
    state *= np.uint32(0x5BD1E995)
    state ^= state >> np.uint32(15)
    return (state & np.uint32(0xFFFF)).astype(np.float32) / np.float32(0xFFFF)


@lru_cache(maxsize=1)
def _table() -> NDArray[np.float32]:
    """Periodic noise on a grid of ``_CELLS * _VOXELS_PER_CELL`` voxels a side."""
    rng = np.random.default_rng(20240229)
    side = _CELLS * _VOXELS_PER_CELL
    total = np.zeros((side, side, side), np.float32)
    for octave, voxels in enumerate((4, 2, 1)):
        cells = side // voxels
        lattice = rng.random((cells, cells, cells), np.float32)
        total += _upsampled(lattice, voxels) * np.float32(0.5**octave)
    return total / np.float32(1.75)


def _upsampled(lattice: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Repeat each lattice value ``factor`` times along each axis, joined by smoothstep."""
    for axis in range(3):
        following = np.roll(lattice, -1, axis)
        steps = []
        for k in range(factor):
            t = k / factor
            t = t * t * (3 - 2 * t)
            steps.append(lattice * np.float32(1 - t) + following * np.float32(t))
        shape = list(lattice.shape)
        shape[axis] *= factor
        lattice = np.stack(steps, axis + 1).reshape(shape)
    return lattice
