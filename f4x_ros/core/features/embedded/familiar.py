# SPDX-License-Identifier: Apache-2.0
"""Photograph or drawn? The network tells by itself: of what it learned from it is surer.

In drawn rooms most pixels are near to one of the texts that it was taught, and its features are
long before they are brought to unit length; in photographs they are neither (as the largest logit
and the length of features tell what a classifier did not learn: Vaze et al., "Open-set
recognition", 2022). `training/photographs.py` fits the line between the two.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SAMPLES = 192  # places of a picture that are looked at
_LINE = (-175.4, -1.6, 100.0)  # log odds of a photograph, for each of `signs` and 1


def signs(
    coarse: Tensor,  # [B, D, h, w] features of any length
    anchors: Tensor,  # [A, D] unit vectors of the texts that were taught
) -> Tensor:
    """[B, 2] mean cosine with the nearest text, and logarithm of the mean length."""
    flat = coarse.flatten(2)
    some = flat[..., :: max(1, flat.shape[2] // _SAMPLES)]
    lengths = torch.linalg.vector_norm(some, dim=1)
    nearest = torch.einsum("ad,bdn->ban", anchors, functional.normalize(some, dim=1)).amax(1)
    return torch.stack([nearest.mean(1), lengths.mean(1).log()], 1)


def photograph(coarse: Tensor, anchors: Tensor) -> Tensor:
    """[B] probability that a picture is a photograph; arguments are those of `signs`."""
    line = coarse.new_tensor(_LINE)
    return torch.sigmoid(signs(coarse, anchors) @ line[:-1] + line[-1])
