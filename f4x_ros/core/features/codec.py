# SPDX-License-Identifier: Apache-2.0
"""Between features of 2D models and the compact latents stored in the field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.errors import BadInputError

PRIOR_IMAGES = 16
"""Images that a moment known beforehand counts for."""

_SMOOTHING = 0.1  # share of the newest image in `LatentCodec.cosines`
_PAUSE = 5  # images from one fit to the next, where features that have to be kept are lost
_KEPT = 0.8  # cosine of such a feature with what is left of it
_NOTHING = 1e-7  # share of the energy below which a direction holds only rounding errors


class LatentCodec:
    """A linear code: the features of all heads together in D latent numbers, and back.

    Being linear, it commutes with averaging: the decoded average of latents is the average of the
    decoded features, and zero stays zero.

    Each head is scaled so that all have the same mean energy, together 1: |latent|^2 is about 1
    whatever the heads are. If the numbers C of all heads together fit (C <= D) they are stored one
    after the other, padded with zeros. Otherwise a latent holds coordinates along the D leading
    directions of the scaled joint features (PCA, not centred). The second moments of all images
    since the first are kept, none is forgotten; after 1, 2, 4, 8, ... images the code is fitted
    anew, and `observe` returns the matrix that brings stored latents to it. What the new code has
    no room for is lost from them; since it was fitted to their features as well, that is little.

    Args:
        dims: numbers per feature of each head.
        latent_dim: D.
        moments: what is known about each head beforehand: the mean outer product [C, C] of its
            features, or None. It counts for `PRIOR_IMAGES` images.

    Raises:
        ValueError: a dimension is less than 1, or a moment does not fit its head.
    """

    def __init__(
        self, dims: Sequence[int], latent_dim: int, moments: Sequence[Tensor | None] = ()
    ) -> None:
        for name, value in (("latent_dim", latent_dim), *(("dims", dim) for dim in dims)):
            if value < 1:
                raise BadInputError(f"{name} is {value}, expected at least 1")
        self.dims = tuple(dims)
        self.latent_dim = latent_dim
        self.feature_dim = sum(dims)
        self.lossless = self.feature_dim <= latent_dim
        ends = torch.tensor(dims).cumsum(0).tolist()
        self._slices = [slice(end - dim, end) for dim, end in zip(dims, ends, strict=True)]
        self._moment = torch.zeros(self.feature_dim, self.feature_dim, dtype=torch.float64)
        self._weights = torch.zeros(len(dims), dtype=torch.float64)  # images behind each head
        self._images = 0
        self._refit_at, self._fitted_at = 1, 0
        self._cosines = [1.0 if self.lossless else math.nan] * len(dims)
        self._scales = torch.ones(len(dims), dtype=torch.float64)
        self._basis = torch.eye(latent_dim, self.feature_dim) * float(self.lossless)
        self._place("cpu")
        self._warm_start(moments)

    def _warm_start(self, moments: Sequence[Tensor | None]) -> None:
        for head, known in enumerate(moments):
            if known is None:
                continue
            part, shape = self._slices[head], (self.dims[head], self.dims[head])
            if known.shape != shape:
                raise BadInputError(
                    f"moment has shape {tuple(known.shape)}, expected {shape} of its head"
                )
            self._moment[part, part] = known.double().cpu() * PRIOR_IMAGES
            self._weights[head] = PRIOR_IMAGES
        if (self._weights > 0).all():
            self._fit()

    @property
    def cosines(self) -> tuple[float, ...]:
        """Mean cosine of each head's features with their reconstruction; NaN before the first.

        A moving average over about the last ten images, each measured with the code of its time.
        """
        return tuple(self._cosines)

    @property
    def images(self) -> int:
        """How many images were observed."""
        return self._images

    def observe(self, features: Tensor, even: int | None = None) -> Tensor | None:
        """Learn from some features [M, C] of an image, and measure how well they are coded.

        Args:
            features: of pixels that are spread evenly, then those of few pixels that have to be
                kept: if the code does not, it is fitted anew at once, at most every fifth image.
            even: how many are spread evenly; None = all.

        Returns:
            None, or where the code was fitted anew the matrix [D, D] by which stored latents
            [..., D] have to be multiplied from the right; they then decode to nearly the same.

        Raises:
            ValueError: the features have another size, or are not finite.
        """
        self._check("features", features, self.feature_dim)
        rows = features.detach().reshape(-1, self.feature_dim).float()
        if not len(rows):
            return None
        update = _squares(rows).double().cpu()
        if not torch.isfinite(update).all():
            raise BadInputError("features are not finite, expected numbers")
        self._moment += update
        self._weights += 1
        self._images += 1
        change = None
        lost = self._lost(rows[even:] if even else rows[:0])
        if len(lost):  # as if all images had shown it: what was seen late weighs the same
            self._moment += (lost.T @ lost).double().cpu() * (self._images / len(rows))
        if self._images >= self._refit_at or len(lost):
            self._refit_at = max(self._refit_at, 2 * self._images)
            self._fitted_at = self._images
            before = self._decoder
            self._fit()
            change = before.to(self._encoder) @ self._encoder
        self._measure(rows[:even])
        return change

    def encode(self, features: Tensor, start: int | None = None) -> Tensor:
        """Features [..., C] of all heads to latents [..., D].

        With `start`, some numbers [..., c] only, from that one on: their share of the latent, which
        is the sum of all shares. ValueError if nothing was observed yet.
        """
        part = slice(None) if start is None else slice(start, start + features.shape[-1])
        encoder = self._placed(features)[0][part]
        self._check("features", features, len(encoder))
        if not self.ready:
            raise BadInputError("the codec has observed no features, expected observe() first")
        return features @ encoder

    def decode(self, latents: Tensor, head: int | None = None) -> Tensor:
        """Latents [..., D] to features [..., C] of all heads, or of one; zeros before the first."""
        self._check("latents", latents, self.latent_dim)
        part = slice(None) if head is None else self._slices[head]
        return latents @ self._placed(latents)[1][:, part]

    @property
    def ready(self) -> bool:
        """Whether features can be encoded: some were observed, or known beforehand."""
        return self.lossless or bool(self._basis.any())

    def state_dict(self) -> dict[str, Tensor]:
        """All of it as tensors, for saving with the map."""
        return {
            "basis": self._basis.clone(),
            "scales": self._scales.clone(),
            "moment": self._moment.clone(),
            "weights": self._weights.clone(),
            "counts": torch.tensor([self._images, self._refit_at]),
            "cosines": torch.tensor(self._cosines, dtype=torch.float64),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state_dict`; ValueError if it belongs to other dimensions."""
        basis, heads = state["basis"], len(state["scales"])
        if basis.shape != self._basis.shape or heads != len(self.dims):
            raise BadInputError(
                f"codec state is for {basis.shape[1]} features of {heads} heads and "
                f"{basis.shape[0]} latents, expected {self.feature_dim} of {len(self.dims)} and "
                f"{self.latent_dim}"
            )
        self._basis = basis.float().clone()
        self._scales = state["scales"].double().clone()
        self._moment = state["moment"].double().clone()
        self._weights = state["weights"].double().clone()
        self._images, self._refit_at = (int(count) for count in state["counts"])
        self._fitted_at = self._images
        self._cosines = [float(cosine) for cosine in state["cosines"]]
        self._place("cpu")

    def _fit(self) -> None:
        """Scales and directions from the moments."""
        energies = torch.stack([self._moment[p, p].trace() for p in self._slices])
        means = energies / self._weights
        self._scales = (len(self.dims) * torch.where(means > 0, means, 1)).rsqrt()
        if not self.lossless:
            self._basis = self._leading(
                (len(self.dims) * torch.where(means > 0, energies, 1)).rsqrt()
            )
        self._place(self._encoder.device)

    def _leading(self, scales: Tensor) -> Tensor:
        """Up to D orthonormal directions [D, C] of most energy; zeros where there is none."""
        s = self._per_number(scales)
        # Numbers that no feature has yet (most evidence) are left out: with hundreds of zero rows
        # LAPACK is slow, and with one thread MKL's has been seen not to converge.
        used = self._moment.diagonal().nonzero()[:, 0]
        own = (s[:, None] * self._moment * s)[used[:, None], used]
        energies, vectors = torch.linalg.eigh(own)
        count = min(self.latent_dim, int((energies > _NOTHING * energies.sum()).sum()))
        basis = torch.zeros_like(self._basis)
        if count:
            new = vectors[:, -count:].flip(1).T
            largest = new.gather(1, new.abs().argmax(1, keepdim=True))
            basis[:count, used] = (new * largest.sign()).float()  # the sign of eigh is arbitrary
        return basis

    def _lost(self, rare: Tensor) -> Tensor:
        """Those features that have to be kept and are not, if it is time to see to it."""
        if self.lossless or not len(rare) or self._images < self._fitted_at + _PAUSE:
            return rare[:0]
        again = self.decode(self.encode(rare))
        return rare[functional.cosine_similarity(again, rare, dim=-1) < _KEPT]

    def _measure(self, rows: Tensor) -> None:
        again = self.decode(self.encode(rows)) if self.ready else torch.zeros_like(rows)
        for head, part in enumerate(self._slices):
            real = (rows[:, part].square().sum(-1) > 0).nonzero()[:, 0]
            if not len(real):
                continue
            cosines = functional.cosine_similarity(again[real, part], rows[real, part], dim=-1)
            cosine, old = float(cosines.mean()), self._cosines[head]
            first = math.isnan(old)
            self._cosines[head] = cosine if first else old + _SMOOTHING * (cosine - old)

    def _per_number(self, scales: Tensor) -> Tensor:
        """The scale [C] of each feature number."""
        return scales.repeat_interleave(torch.tensor(self.dims))

    def _place(self, device: torch.device | str) -> None:
        """The two matrices, from basis and scales."""
        scales = self._per_number(self._scales).float()
        self._encoder = (self._basis * scales).T.contiguous().to(device)  # [C, D]
        self._decoder = (self._basis / scales).to(device)  # [D, C]

    def _placed(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder [C, D] and decoder [D, C] where `like` lives."""
        if self._encoder.device != like.device:
            self._place(like.device)
        return self._encoder.to(like.dtype), self._decoder.to(like.dtype)

    @staticmethod
    def _check(name: str, values: Tensor, size: int) -> None:
        if values.ndim < 1 or values.shape[-1] != size:
            raise BadInputError(f"{name} has shape {tuple(values.shape)}, expected [..., {size}]")


def _squares(rows: Tensor) -> Tensor:
    """Mean outer product [C, C] of rows [M, C]; on a CPU, numbers that no row has cost nothing."""
    if rows.device.type != "cpu":
        return rows.T @ rows / len(rows)
    used = rows.any(0).nonzero()[:, 0]  # NaN counts as used
    some = rows[:, used]
    total = rows.new_zeros(rows.shape[1], rows.shape[1])
    total[used[:, None], used] = some.T @ some / len(rows)
    return total
