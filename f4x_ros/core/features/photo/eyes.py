# SPDX-License-Identifier: Apache-2.0
"""What photographs show: evidence for each concept at every place.

A detector's boxes are painted (`painted`) and a classifier of pictures is asked at every place
(`PlaceClassifier`). Evidence is linear in what both say, so its mean over many views stays what it
is: how much speaks for a concept.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from f4x_ros.core.features.download import sha256_of
from f4x_ros.core.features.embedded.weights import stated_sha256
from f4x_ros.core.features.photo.classifier import STRIDE, at_places
from f4x_ros.core.features.photo.classifier_weights import SHIPPED as CLASSIFIER
from f4x_ros.core.features.photo.classifier_weights import load_classifier
from f4x_ros.core.features.photo.closer import Box, CloserLook
from f4x_ros.core.features.photo.concepts import TABLE, read_concepts
from f4x_ros.core.features.photo.nanodet import Detections
from f4x_ros.core.features.photo.nanodet_weights import SHIPPED as NANODET
from f4x_ros.core.features.photo.nanodet_weights import load_nanodet
from f4x_ros.core.features.photo.painted import painted
from f4x_ros.core.features.photo.words import ConceptWords

_CLASSIFIER = 0.45  # of what the classifier says: it has to name something, the detector has not
_EVEN, _STEEP = 0.27, 14.0  # what is as likely as not, and log odds per 1


class PhotoEyes:
    """Detector, classifier and the concepts that they know.

    Args:
        near: pictures [B, 3, H, W] in 0..1, sides multiples of 32, to the first level of `Trunk`.
        device: where they compute.

    Raises:
        ValueError: a file of the package is missing or damaged.
    """

    def __init__(
        self, near: Callable[[Tensor], Tensor], device: torch.device | str = "cpu"
    ) -> None:
        self.concepts = read_concepts()
        self._detector = load_nanodet(device)
        classifier = load_classifier(device)
        self._classifier = classifier.net
        self.words = ConceptWords(self.concepts, classifier.names)
        owners = classifier.owners
        self._of_scores = torch.zeros(self.count, len(owners), device=owners.device)
        for score, row in enumerate(owners.tolist()):
            if row >= 0:
                self._of_scores[row, score] = _CLASSIFIER
        of_boxes = [(row, k) for row, one in enumerate(self.concepts) for k in one.coco]
        self._rows, self._classes = (list(part) for part in zip(*of_boxes, strict=True))
        self._closer = CloserLook(
            self._classifier,
            (self._of_scores > 0).to(self._of_scores),
            dict(zip(self._classes, self._rows, strict=True)),
            near,
        )

    @property
    def fingerprint(self) -> str:
        """Another one for other weights, or another table."""
        table = sha256_of(TABLE)
        return " ".join([stated_sha256(NANODET), stated_sha256(CLASSIFIER), table])

    @property
    def count(self) -> int:
        """C, how many concepts there are."""
        return len(self.concepts)

    @torch.no_grad()
    def detect(
        self,
        images: Tensor,  # [B, 3, H, W] RGB, 0..1
    ) -> Detections:
        """Boxes of what pictures show."""
        found = self._detector(images)
        assert isinstance(found, Detections)
        return found

    def sure(self, picture: Tensor, found: Detections) -> list[Box]:
        """What a picture [3, H, W] shows beyond doubt, see `CloserLook`."""
        return self._closer.shown(picture, found)

    def boxes(self, detections: Detections, grid: tuple[int, int]) -> Tensor:
        """What the detector says, [B, C, *grid] in 0..1, at the cells of a grid (rows, columns)."""
        painted_boxes = painted(detections, grid)
        found = painted_boxes.new_zeros(len(painted_boxes), self.count, *grid)
        found[:, self._rows] = painted_boxes[:, self._classes]
        return found

    @torch.no_grad()
    def places(
        self,
        near: Tensor,  # [B, 24, H / 4, W / 4] first level of `Trunk`, of images padded to whole 32
        size: tuple[int, int],  # their height and width
        grid: tuple[int, int],
    ) -> Tensor:
        """What the classifier says, [B, C, *grid] in 0..0.45."""
        rows, columns = (-(-side // STRIDE) for side in size)
        scores = self._classifier(near)[..., :rows, :columns].softmax(1)
        return at_places(torch.einsum("ck,bkhw->bchw", self._of_scores, scores), size, grid)


def likely(scores: Tensor) -> Tensor:
    """From what both say together to the probability that it is so, of one picture.

    Fitted to `bench/photos`: of 117 words that are shown nine in ten reach 0.33 somewhere, of 2839
    that are not three in a hundred reach 0.25.
    """
    return torch.sigmoid(_STEEP * (scores - _EVEN))
