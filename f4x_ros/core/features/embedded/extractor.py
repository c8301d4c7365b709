# SPDX-License-Identifier: Apache-2.0
"""Words and pixels by a small network of our own, without a download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import (
    PeakLine,
    PeakLines,
    PresenceCalibration,
    check_images,
    check_prompts,
)
from f4x_ros.core.features.embedded.weights import (
    arrays_sha256,
    load_model,
    save_model,
    shipped_file,
    stated_sha256,
)
from f4x_ros.core.features.minilm import MiniLm, installed_folder
from f4x_ros.core.features.options import chosen_options, existing_file, folder

OPTIONS = {
    "weights": "",  # file of `training.train`, empty: the one that comes with the package
    "text_model": "",  # folder of all-MiniLM-L6-v2, empty: that of the installed package
}
"""Options and their defaults."""

_SEEN = 1e-6  # length below which a feature was never observed


class EmbeddedExtractor:
    """Any words, for pixels of rooms, by a small network of our own; needs no download.

    Features of each 2x2 pixels are in the space of all-MiniLM-L6-v2's words.

    Args:
        device: where it computes.
        options: see `OPTIONS`.

    Raises:
        ValueError: an option is unknown, the weights are missing or damaged, or the text model is
            not installed; says which.

    Attributes:
        moment: [C, C] mean outer product of the features of many worlds, of which a codec can
            take its first directions; None where the weights have none.
        presence: how evidence becomes "present", "not present" or "unsure", learned on worlds;
            None where the weights have none.
        checkpoint: file of the weights.
    """

    name = "embedded"
    licence = "Apache-2.0 for code and weights; the text model is Apache-2.0 as well"
    looks_closer = True
    threshold = 0.5  # the probability is calibrated so that here the masks are best
    peak_lines = PeakLines(  # best on six drawn worlds for tuning, see training/README.md
        attribute=PeakLine(-1.0, 0.5), kind=PeakLine(-1.0, 0.75), both=PeakLine(-1.0, 0.8)
    )

    def __init__(
        self, *, device: torch.device | str = "cpu", options: Mapping[str, str] | None = None
    ) -> None:
        chosen = chosen_options(self.name, OPTIONS, options)
        given = chosen["weights"]
        self.checkpoint = existing_file("weights", given) if given else shipped_file()
        self.device = torch.device(device)
        model = load_model(self.checkpoint, self.device)
        self.net, self._space, self.calibration, self.about = model[:4]
        self.moment, self.presence = model.moment, model.presence
        self.fingerprint = stated_sha256(self.checkpoint) or arrays_sha256(self.checkpoint)
        self.dim = self.net.layout.dim
        self._words = MiniLm(folder(chosen["text_model"]), device=self.device)
        if self._words.dim != len(self._space.mean):
            raise BadInputError(
                f"text model has {self._words.dim} numbers, the weights expect "
                f"{len(self._space.mean)}"
            )

    @staticmethod
    def check_installation() -> None:
        """Raise ValueError saying what is missing, if a file is."""
        shipped_file()
        installed_folder()

    def keep_presence(self, learned: PresenceCalibration) -> Path:
        """Write a calibration into the weights; returns their file.

        Raises:
            OSError: it cannot be written.
        """
        self.presence = learned
        save_model(self.checkpoint, load_model(self.checkpoint)._replace(presence=learned))
        return self.checkpoint

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
        lengths = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
        return self.of_cosine(functional.normalize(features, dim=-1) @ text.to(features).T, lengths)

    def of_cosine(self, cosine: Tensor, lengths: Tensor) -> Tensor:
        """`relevancy` [..., P] from cosines [..., P] of features whose lengths are [..., 1]."""
        return torch.where(lengths > _SEEN, self.calibration.probability(cosine), 0.0)
