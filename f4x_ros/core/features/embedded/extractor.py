# SPDX-License-Identifier: Apache-2.0
"""Words and pixels by a small network of our own, without a download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.features.base import check_images, check_prompts
from f4x_ros.core.features.embedded.weights import load_model
from f4x_ros.core.features.minilm import MiniLm

OPTIONS = {
    "weights": "",  # file of `training.train`
    "text_model": "",  # folder of all-MiniLM-L6-v2, empty: that of the installed package
}
"""Options and their defaults."""


class EmbeddedExtractor:
    """Features of each 2x2 pixels in the space of all-MiniLM-L6-v2's words.

    Args:
        device: where it computes.
        options: see `OPTIONS`; `weights` is needed.

    Raises:
        ValueError: an option is unknown, the weights are missing or damaged, or the text model is
            not installed; says which.
    """

    name = "embedded"
    licence = "Apache-2.0 for code and weights; the text model is Apache-2.0 as well"
    threshold = 0.5  # the probability is calibrated so that here the masks are best

    def __init__(
        self, *, device: torch.device | str = "cpu", options: Mapping[str, str] | None = None
    ) -> None:
        for name in options or {}:
            if name not in OPTIONS:
                raise ValueError(
                    f"option {name!r} of extractor 'embedded', expected one of {', '.join(OPTIONS)}"
                )
        chosen = {**OPTIONS, **(options or {})}
        path = Path(chosen["weights"]).expanduser()
        if not path.is_file():
            raise ValueError(f"option weights is {chosen['weights']!r}, expected a file")
        self.device = torch.device(device)
        self.net, self._space, self.calibration, self.about = load_model(path, self.device)
        self.dim = self.net.layout.dim
        folder = Path(chosen["text_model"]).expanduser() if chosen["text_model"] else None
        self._words = MiniLm(folder, device=self.device)
        if self._words.dim != len(self._space.mean):
            raise ValueError(
                f"text model has {self._words.dim} numbers, the weights expect "
                f"{len(self._space.mean)}"
            )

    @torch.no_grad()
    def dense(self, images: Tensor) -> Tensor:
        """Unit features [B, dim, ceil(H / 2), ceil(W / 2)] of `images` [B, 3, H, W] in 0..1."""
        check_images(images)
        features: Tensor = self.net(images.to(self.device, torch.float32))
        return features

    def text(self, prompts: Sequence[str]) -> Tensor:
        """Unit vectors [P, dim]; any words are understood, some better than others."""
        check_prompts(prompts)
        return self._space.query(self._words.encode(prompts))

    def relevancy(self, features: Tensor, text: Tensor) -> Tensor:
        """Calibrated probability that each text is true of each feature.

        A feature that is all zeros (never observed) has relevancy 0.
        """
        cosine = functional.normalize(features, dim=-1) @ text.to(features).T
        seen = torch.linalg.vector_norm(features, dim=-1, keepdim=True) > 1e-6
        return torch.where(seen, self.calibration.probability(cosine), 0.0)
