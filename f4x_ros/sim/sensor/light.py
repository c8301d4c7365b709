# SPDX-License-Identifier: Apache-2.0
"""From light to the numbers of a picture: shutter, exposure, lens and photons.

All of it happens in linear light, before the tone curve; averaging or scaling the encoded values
would make edges and highlights too dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera
from f4x_ros.sim.sensor.seeded import generator, wander
from f4x_ros.sim.shading import to_srgb

Light = NDArray[np.float32]  # [H, W, 3] linear, 1.2 and more is white

#: Middles of the thirds of a shutter open for 12 ms around the stamp [microseconds].
SHUTTER_US = (-4_000, 0, 4_000)

_HEADROOM = 1.5  # what is white in an exact picture is taken to be this much brighter
_CYCLES = (4, 6, 10, 15)  # of exposure a minute; the fastest takes 4 s
_GAIN = 0.10  # rms of the logarithm of the gain
_BALANCE = 0.02  # rms of the logarithm of red and of blue against green
_VEIL = 0.003  # rms of the light added everywhere (flare and black level)
_VIGNETTE = 0.12  # light lost in the corners
_PER_PHOTON = 2.5e-4  # light of one electron at base gain: a well of about 5,000 is white
_READ_NOISE = 7e-4  # light, about three electrons


def collected(pictures: Sequence[NDArray[np.uint8]]) -> Light:
    """Light collected while the shutter was open, from pictures ``[H, W, 3]`` of its moments."""
    table = _light_of_code()
    total = table[pictures[0]]
    for picture in pictures[1:]:
        total += table[picture]
    return np.asarray(total / np.float32(len(pictures)), np.float32)


def exposed(light: Light, camera: PinholeCamera, moment: int, seed: int) -> Light:
    """Light as a camera with automatic exposure and white balance sees it.

    Gain, balance and veil wander smoothly within seconds; the lens darkens the corners; photon and
    read noise follow the affine model of Foi et al., "Practical Poissonian-Gaussian noise modeling
    and fitting for single-image raw-data", TIP 2008: variance = a * light + b. More gain also
    means more noise.
    """
    gain, veil = response(moment, seed)
    rng = generator("photons", seed, moment)
    arrived = light * _vignette(camera)[..., None]
    deviation = np.sqrt(np.float32(_PER_PHOTON) * arrived + np.float32(_READ_NOISE**2))
    arrived += deviation * rng.standard_normal(arrived.shape, np.float32)
    return np.asarray(np.maximum(arrived * gain + veil, 0), np.float32)


def developed(light: Light) -> NDArray[np.uint8]:
    """Encode as the drawn pictures are: tone curve, sRGB, clipped."""
    return np.asarray(to_srgb(light) * 255 + np.float32(0.5)).astype(np.uint8)


def response(moment: int, seed: int) -> tuple[NDArray[np.float32], np.float32]:
    """Gain of each channel ``[3]`` and the light added everywhere, at one moment."""
    brightness, red, blue, veil = wander("exposure", seed, moment, 4, _CYCLES)
    gain = np.exp(_GAIN * brightness + _BALANCE * np.array([red, 0, blue]))
    return gain.astype(np.float32), np.float32(_VEIL * veil)


def _vignette(camera: PinholeCamera) -> NDArray[np.float32]:
    """Share of the light ``[H, W]`` that the lens lets through."""
    u = (np.arange(camera.width) + 0.5 - camera.cx) / (camera.width / 2)
    v = (np.arange(camera.height) + 0.5 - camera.cy) / (camera.height / 2)
    radius2 = (u[None] ** 2 + v[:, None] ** 2) / 2
    return np.asarray(1 - _VIGNETTE * radius2, np.float32)


@lru_cache(maxsize=1)
def _light_of_code() -> NDArray[np.float32]:
    """Linear light ``[256]`` of each value of a drawn picture; the inverse of `to_srgb`."""
    code = np.arange(256) / 255
    x = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    light = x / (1 - 0.18 * x)
    light[255] *= _HEADROOM
    return light.astype(np.float32)
