# SPDX-License-Identifier: Apache-2.0
"""Cosines of decoded latents with vectors, without decoding them."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.features.base import CosineWords
from f4x_ros.core.features.distil import Distiller

_SEEN = 1e-6  # length below which a feature was never observed
_ROUNDING = 1e-5  # of products of orthogonal directions, against their lengths


def cosines(
    distiller: Distiller,
    latents: Tensor,  # [..., D]
    vectors: Tensor,  # [T, C] their first numbers of unit length, in the space of the words
) -> tuple[Tensor, Tensor]:
    """Cosine [..., T] of what latents stand for with vectors, and its length [..., 1].

    The code is linear, feature = latent @ A with A [D, C], so that feature . v = latent . (A v) and
    |feature|^2 = latent A A^T latent^T: a few products of D numbers in the place of C. For one
    extractor the rows of A are orthogonal, and A A^T is diagonal. A feature that was never observed
    has a cosine of 0.
    """
    unit = torch.eye(distiller.latent_dim, dtype=latents.dtype, device=latents.device)
    spoken = language_dim(distiller)
    code, vectors = distiller.decode(unit)[:, :spoken], vectors[:, :spoken]
    gram = code @ code.T
    own = gram.diagonal()
    if (gram - own.diag()).abs().max() <= _ROUNDING * own.max():
        squares = latents.square() @ own[:, None]
    else:
        squares = torch.linalg.vecdot(latents @ gram, latents)[..., None]
    lengths = squares.clamp(min=0).sqrt()
    products = latents @ (code @ vectors.to(code).T)
    return torch.where(lengths > _SEEN, products / lengths.clamp(min=_SEEN), 0), lengths


def language_dim(distiller: Distiller) -> int:
    """How many numbers of a feature of the extractor of words live in the space of the words."""
    words = distiller.words
    return words.language_dim if isinstance(words, CosineWords) else words.dim
