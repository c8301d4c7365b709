# SPDX-License-Identifier: Apache-2.0
"""Words and pixels by a small network of our own, without a download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from f4x_ros.core.base import option
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import CosineWords, Examples, Traits, check_images, check_prompts
from f4x_ros.core.features.calibrated import Calibrated, PeakLine, PeakLines, PresenceCalibration
from f4x_ros.core.features.embedded.weights import (
    arrays_sha256,
    load_model,
    save_model,
    shipped_file,
    stated_sha256,
)
from f4x_ros.core.features.minilm import MiniLm, installed_folder
from f4x_ros.core.features.options import existing_file, folder

_PEAK_LINES = PeakLines(  # best on six drawn worlds for tuning, see training/README.md
    attribute=PeakLine(-1.0, 0.5), kind=PeakLine(-1.0, 0.75), both=PeakLine(-1.0, 0.8)
)
_SEEN = 1e-6  # length below which a feature was never observed


@dataclass(frozen=True)
class EmbeddedOptions:
    """Which files are read."""

    weights: str = option("", "file of `training.train`; empty: the one in the package")
    text_model: str = option("", "folder of all-MiniLM-L6-v2; empty: that of the installed package")


class EmbeddedExtractor(CosineWords, Examples):
    """Any words, for pixels of rooms, by a small network of our own; needs no download.

    Features of each 2x2 pixels are in the space of all-MiniLM-L6-v2's words.

    Args:
        device: where it computes.
        options: which files are read.

    Raises:
        ValueError: the weights are missing or damaged, or the text model is not installed; says
            which.
    """

    Options = EmbeddedOptions
    name = "embedded"
    licence = "Apache-2.0 for code and weights; the text model is Apache-2.0 as well"
    threshold = 0.5  # the probability is calibrated so that here the masks are best

    def __init__(
        self, *, device: torch.device | str = "cpu", options: EmbeddedOptions | None = None
    ) -> None:
        super().__init__(device=device)
        chosen = options or EmbeddedOptions()
        given = chosen.weights
        self._file = existing_file("weights", given) if given else shipped_file()
        model = load_model(self._file, self.device)
        self.net, self._space, self.calibration, self.about = model[:4]
        self.traits = Traits(
            looks_closer=True,
            moment=model.moment,
            fingerprint=stated_sha256(self._file) or arrays_sha256(self._file),
        )
        self.calibrated = Calibrated(_PEAK_LINES, model.presence, self._file)
        self.dim = self.net.layout.dim
        self._words = MiniLm(folder(chosen.text_model), device=self.device)
        if self._words.dim != len(self._space.mean):
            raise BadInputError(
                f"text model has {self._words.dim} numbers, the weights expect "
                f"{len(self._space.mean)}"
            )

    @classmethod
    def check_installation(cls) -> None:
        """Raise ValueError saying what is missing, if a file is."""
        shipped_file()
        installed_folder()

    def keep_presence(self, learned: PresenceCalibration) -> Path:
        """Store a calibration of presence in the weights, and return their file.

        Raises:
            OSError: it cannot be written.
        """
        self.calibrated = replace(self.calibrated, presence=learned)
        save_model(self._file, load_model(self._file)._replace(presence=learned))
        return self._file

    @torch.no_grad()
    def dense(self, images: Tensor) -> Tensor:
        """Unit features [B, dim, ceil(H / 2), ceil(W / 2)] of `images` [B, 3, H, W] in 0..1."""
        check_images(images)
        features: Tensor = self.net(images.to(self.device, torch.float32))
        return features

    def text(self, prompts: Sequence[str]) -> Tensor:
        """Unit vectors [P, dim]; English words are understood, some better than others."""
        check_prompts(prompts)
        for prompt in prompts:
            self.check_understood(prompt)
        return self._space.query(self._words.encode(prompts))

    def check_understood(self, prompt: str) -> None:
        """NotUnderstoodError for a prompt with a part that the text model has no words for."""
        self._words.check_understood(prompt)

    def of_cosine(self, cosine: Tensor, lengths: Tensor) -> Tensor:
        """Calibrated probability [..., P] that each text is true of each feature.

        From their cosines [..., P]. A feature of length [..., 1] 0 (never observed) has 0.
        """
        return torch.where(lengths > _SEEN, self.calibration.probability(cosine), 0.0)
