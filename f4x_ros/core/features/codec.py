# SPDX-License-Identifier: Apache-2.0
"""Between features of a 2D model and the compact latents stored in the field."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional


class LatentCodec:
    """A linear code: C feature numbers in D latent numbers and back.

    Being linear, it commutes with averaging: the decoded average of latents is the average of the
    decoded features, and zero stays zero. Features that fit (C <= D) are stored as they are,
    padded with zeros. Otherwise the basis is the D leading principal directions (not centred) of
    the first `warmup` observed features; from then on it is fixed, so that latents already stored
    keep their meaning.

    Args:
        feature_dim: C.
        latent_dim: D.
        warmup: features that are observed before the basis is fixed.
    """

    def __init__(self, feature_dim: int, latent_dim: int, warmup: int = 4096) -> None:
        for name, value in (
            ("feature_dim", feature_dim),
            ("latent_dim", latent_dim),
            ("warmup", warmup),
        ):
            if value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        self.feature_dim = feature_dim
        self.latent_dim = latent_dim
        self.warmup = warmup
        self._basis = torch.eye(latent_dim, feature_dim) if feature_dim <= latent_dim else None
        self._moment = torch.zeros(feature_dim, feature_dim, dtype=torch.float64)
        self._observed = 0
        self._cosine_sum = 0.0
        self._cosine_count = 0

    @property
    def ready(self) -> bool:
        """Whether the basis is fixed; `encode` fixes it with what was observed until then."""
        return self._basis is not None

    @property
    def lossless(self) -> bool:
        """Whether latents hold the features without loss."""
        return self.feature_dim <= self.latent_dim

    @property
    def cosine(self) -> float:
        """Mean cosine between features and their reconstruction; NaN before the basis is fixed.

        Over all that was observed since the basis was fixed, which includes what fixed it.
        """
        if self._basis is None or not self._cosine_count:
            return 1.0 if self.lossless else float("nan")
        return self._cosine_sum / self._cosine_count

    def observe(self, features: Tensor) -> None:
        """Learn from features [M, C], and measure how well they are reconstructed."""
        self._check("features", features, self.feature_dim)
        if self.lossless or not features.numel():
            return
        features = features.detach().reshape(-1, self.feature_dim).float()
        if self._basis is None:
            wide = features.double().cpu()
            self._moment += wide.T @ wide
            self._observed += len(features)
            if self._observed >= self.warmup:
                self._fix()
        if self._basis is not None:
            again = self.decode(self.encode(features))
            self._cosine_sum += float(functional.cosine_similarity(again, features, dim=-1).sum())
            self._cosine_count += len(features)

    def encode(self, features: Tensor) -> Tensor:
        """Features [..., C] to latents [..., D]; ValueError if nothing was observed yet."""
        self._check("features", features, self.feature_dim)
        return features @ self._fixed(features).T

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [..., D] to features [..., C]; ValueError if nothing was observed yet."""
        self._check("latents", latents, self.latent_dim)
        return latents @ self._fixed(latents)

    def state_dict(self) -> dict[str, Tensor]:
        """All of it as tensors, for saving with the map."""
        basis = self._basis if self._basis is not None else torch.empty(0, self.feature_dim)
        return {
            "dims": torch.tensor([self.feature_dim, self.latent_dim, self.warmup]),
            "basis": basis.cpu().clone(),
            "moment": self._moment.clone(),
            "observed": torch.tensor(self._observed),
            "cosine": torch.tensor([self._cosine_sum, self._cosine_count], dtype=torch.float64),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state_dict`; ValueError if it belongs to other dimensions."""
        feature_dim, latent_dim, warmup = (int(v) for v in state["dims"])
        if (feature_dim, latent_dim) != (self.feature_dim, self.latent_dim):
            raise ValueError(
                f"codec state is for {feature_dim} features and {latent_dim} latents, "
                f"expected {self.feature_dim} and {self.latent_dim}"
            )
        self.warmup = warmup
        self._basis = state["basis"].float().clone() if len(state["basis"]) else None
        self._moment = state["moment"].double().clone()
        self._observed = int(state["observed"])
        self._cosine_sum, self._cosine_count = float(state["cosine"][0]), int(state["cosine"][1])

    def _fixed(self, like: Tensor) -> Tensor:
        """The basis [D, C] where `like` lives."""
        if self._basis is None:
            if not self._observed:
                raise ValueError("the codec has observed no features, expected observe() first")
            self._fix()
        assert self._basis is not None
        self._basis = self._basis.to(like.device)
        return self._basis.to(like.dtype)

    def _fix(self) -> None:
        """Take the leading eigenvectors; their signs are chosen so that the result is one."""
        _, vectors = torch.linalg.eigh(self._moment)
        basis = vectors[:, -self.latent_dim :].flip(1).T
        largest = basis.gather(1, basis.abs().argmax(1, keepdim=True))
        self._basis = (basis * largest.sign()).float()

    @staticmethod
    def _check(name: str, values: Tensor, size: int) -> None:
        if values.ndim < 1 or values.shape[-1] != size:
            raise ValueError(f"{name} has shape {tuple(values.shape)}, expected [..., {size}]")
