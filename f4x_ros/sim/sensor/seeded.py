# SPDX-License-Identifier: Apache-2.0
"""Randomness that depends on nothing but the seed, the effect and the moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Frames a second at the nominal rate; `World` has the same.
RATE_HZ = 30.0

#: Every period of `wander` divides this, so its mean over it is 0 [s].
LOOP_S = 60.0


def generator(effect: str, seed: int, moment: int = 0) -> np.random.Generator:
    """Random numbers of one effect at one moment; neighbours share nothing."""
    return np.random.default_rng([seed, moment, *effect.encode()])


def wander(
    effect: str, seed: int, moment: int, count: int, cycles: tuple[int, ...]
) -> NDArray[np.float64]:
    """``count`` independent smooth functions of time at one moment, of mean 0 and rms 1.

    Each is a sum of sines with random phases whose amplitude falls as 1 / frequency, which is the
    spectrum of a random walk.

    Args:
        effect: gives the phases, together with the seed.
        seed: of the world.
        moment: number of the frame at `RATE_HZ`.
        count: how many functions.
        cycles: of each sine in `LOOP_S`.
    """
    frequency = np.asarray(cycles, np.float64)
    phases = generator(effect, seed).uniform(0, 2 * np.pi, (count, len(cycles)))
    angles = 2 * np.pi * frequency * (moment / RATE_HZ / LOOP_S) + phases
    amplitudes = 1 / frequency
    amplitudes *= np.sqrt(2 / np.sum(amplitudes**2))
    return np.asarray(np.sin(angles) @ amplitudes)
