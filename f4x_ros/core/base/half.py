# SPDX-License-Identifier: Apache-2.0
"""Running averages in half precision that do not stall."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_LOST_BITS = 13  # of float32's 23 bits of mantissa, half precision keeps 10
_GOLDEN = 0.6180339887498949  # multiples of these two modulo 1 fill 0..1 evenly
_PLASTIC = 0.7548776662466927


def round_to_half(
    values: Tensor,  # [N, D] float32
    step: int,
) -> Tensor:
    """To float16, up or down so that the errors of many steps cancel.

    Rounded to the nearest, a running average stops moving as soon as a step is smaller than half
    of the last place. Here the place between the two neighbours at which a number goes up instead
    of down differs from step to step and from column to column (additive recurrence, as in
    quasi-Monte Carlo), so that a step of a tenth of the last place is taken one time in ten. What
    half precision holds exactly stays as it is. No random numbers, so runs are reproducible.
    """
    import torch

    columns = torch.arange(values.shape[-1], device=values.device, dtype=torch.float64)
    place = (step * _GOLDEN + columns * _PLASTIC) % 1
    dither = (place * (1 << _LOST_BITS)).to(torch.int32)
    bits = values.contiguous().view(torch.int32) + dither
    return (bits & -(1 << _LOST_BITS)).view(torch.float32).to(torch.float16)
