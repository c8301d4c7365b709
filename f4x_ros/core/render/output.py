# SPDX-License-Identifier: Apache-2.0
"""What a rendering consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class RenderOutput:
    """One view of the Gaussians; with w the compositing weight of a Gaussian at a pixel.

    `depth` is accumulated like a colour (gsplat's render mode RGB+D), so its gradient stays simple
    where the alpha is small; `expected_depth` is what a depth camera would have measured.
    """

    image: Tensor  # [H, W, C] sum of w * color, background 0
    depth: Tensor  # [H, W] sum of w * z, metres along the optical axis
    alpha: Tensor  # [H, W] sum of w, 0..1

    @property
    def expected_depth(self) -> Tensor:
        """Alpha-weighted mean of z [H, W] in metres; 0 (no reading) where alpha is under 1e-4."""
        seen = self.alpha > 1e-4
        return torch.where(seen, self.depth / self.alpha.clamp(min=1e-4), 0.0)
