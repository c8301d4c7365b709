# SPDX-License-Identifier: Apache-2.0
"""Between features of a 2D model and the compact latents stored in the field."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

_ROWS = 4096  # features used of one observation
_SMOOTHING = 0.1  # share of the newest observation in `LatentCodec.cosine`


class LatentCodec:
    """A linear code: C feature numbers in D latent numbers and back.

    Being linear, it commutes with averaging: the decoded average of latents is the average of the
    decoded features, and zero stays zero. Features that fit (C <= D) are stored as they are,
    padded with zeros.

    Otherwise a latent holds coordinates along orthogonal directions of the feature space (PCA, not
    centred). Half of the D are taken from the first observation. Each time twice as much has been
    seen, an eighth of D is added: the leading directions of what the present ones leave over. A
    direction never changes, and latents stored before it came hold zero for it, so they decode to
    the same feature as on the day they were stored.

    Args:
        feature_dim: C.
        latent_dim: D.
    """

    def __init__(self, feature_dim: int, latent_dim: int) -> None:
        for name, value in (("feature_dim", feature_dim), ("latent_dim", latent_dim)):
            if value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        self.feature_dim = feature_dim
        self.latent_dim = latent_dim
        self.lossless = feature_dim <= latent_dim
        self.directions = feature_dim if self.lossless else 0
        """How many of the D latent numbers are in use."""
        self._basis = torch.eye(latent_dim, feature_dim) * float(self.lossless)
        self._moment = torch.zeros(feature_dim, feature_dim, dtype=torch.float64)
        self._observed = 0
        self._fits = 0  # times directions were added
        self._grow_at = 1  # observed features
        self._cosine = 1.0 if self.lossless else float("nan")

    @property
    def cosine(self) -> float:
        """Mean cosine between features and their reconstruction; NaN before any was observed.

        A moving average over about the last ten observations, each measured with the directions of
        its time.
        """
        return self._cosine

    def observe(self, features: Tensor) -> None:
        """Learn from features [M, C], and measure how well they are reconstructed.

        Of more than a few thousand rows, every n-th is used.
        """
        self._check("features", features, self.feature_dim)
        rows = features.detach().reshape(-1, self.feature_dim)
        if self.lossless or not len(rows):
            return
        rows = rows[:: -(-len(rows) // _ROWS)].float().cpu()
        wide = rows.double()
        self._moment += wide.T @ wide
        self._observed += len(rows)
        if self.directions < self.latent_dim and self._observed >= self._grow_at:
            self._grow()
        again = self.decode(self.encode(rows))
        cosine = float(functional.cosine_similarity(again, rows, dim=-1).mean())
        if math.isnan(self._cosine):
            self._cosine = cosine
        else:
            self._cosine += _SMOOTHING * (cosine - self._cosine)

    def encode(self, features: Tensor) -> Tensor:
        """Features [..., C] to latents [..., D]; ValueError if nothing was observed yet."""
        self._check("features", features, self.feature_dim)
        if not self.directions:
            raise ValueError("the codec has observed no features, expected observe() first")
        return features @ self._placed(features).T

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [..., D] to features [..., C]; zeros if nothing was observed yet."""
        self._check("latents", latents, self.latent_dim)
        return latents @ self._placed(latents)

    def state_dict(self) -> dict[str, Tensor]:
        """All of it as tensors, for saving with the map."""
        return {
            "basis": self._basis.cpu().clone(),
            "moment": self._moment.clone(),
            "counts": torch.tensor([self.directions, self._observed, self._fits, self._grow_at]),
            "cosine": torch.tensor([self._cosine], dtype=torch.float64),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state_dict`; ValueError if it belongs to other dimensions."""
        basis = state["basis"]
        if basis.shape != self._basis.shape:
            raise ValueError(
                f"codec state is for {basis.shape[1]} features and {basis.shape[0]} latents, "
                f"expected {self.feature_dim} and {self.latent_dim}"
            )
        self._basis = basis.float().clone()
        self._moment = state["moment"].double().clone()
        counts = [int(count) for count in state["counts"]]
        self.directions, self._observed, self._fits, self._grow_at = counts
        self._cosine = float(state["cosine"])

    def _grow(self) -> None:
        """Add the leading directions of what is not yet reconstructed."""
        share = self.latent_dim / 2 + self._fits * self.latent_dim / 8
        room = min(math.ceil(share), self.latent_dim) - self.directions
        self._fits += 1
        self._grow_at = 2 * self._observed
        known = self._basis[: self.directions].double()
        outside = torch.eye(self.feature_dim, dtype=torch.float64) - known.T @ known
        energies, vectors = torch.linalg.eigh(outside @ self._moment @ outside)
        real = int((energies > 1e-9 * self._moment.trace()).sum())
        count = min(room, real)
        if not count:
            return
        new = vectors[:, -count:].flip(1).T
        largest = new.gather(1, new.abs().argmax(1, keepdim=True))
        self._basis = self._basis.cpu()
        self._basis[self.directions : self.directions + count] = (new * largest.sign()).float()
        self.directions += count

    def _placed(self, like: Tensor) -> Tensor:
        """The basis [D, C] where `like` lives."""
        if self._basis.device != like.device:
            self._basis = self._basis.to(like.device)
        return self._basis.to(like.dtype)

    @staticmethod
    def _check(name: str, values: Tensor, size: int) -> None:
        if values.ndim < 1 or values.shape[-1] != size:
            raise ValueError(f"{name} has shape {tuple(values.shape)}, expected [..., {size}]")
