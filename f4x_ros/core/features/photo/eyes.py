# SPDX-License-Identifier: Apache-2.0
"""What photographs show: evidence for each concept at every place.

A detector's boxes are painted (`painted`) and a classifier of pictures is asked at every place
(`PlaceClassifier`). Evidence is linear in what both say, so its mean over many views stays what it
is: how much speaks for a concept.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.features.photo.classifier import STRIDE, at_places
from f4x_ros.core.features.photo.classifier_weights import load_classifier
from f4x_ros.core.features.photo.concepts import read_concepts
from f4x_ros.core.features.photo.nanodet_weights import load_nanodet
from f4x_ros.core.features.photo.painted import painted
from f4x_ros.core.features.photo.words import ConceptWords

_CLASSIFIER = 0.5  # of what the classifier says: it has to name something, the detector has not
_LEAST = 0.05  # evidence up to this is none


class PhotoEyes:
    """Detector, classifier and the concepts that they know.

    Args:
        device: where they compute.

    Raises:
        ValueError: a file of the package is missing or damaged.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
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

    @property
    def count(self) -> int:
        """C, how many concepts there are."""
        return len(self.concepts)

    @torch.no_grad()
    def look(
        self,
        images: Tensor,  # [B, 3, H, W] RGB, 0..1
        near: Tensor,  # [B, 24, H / 4, W / 4] first level of `Trunk`, of images padded to whole 32
        grid: tuple[int, int],
    ) -> Tensor:
        """Evidence [B, C, *grid], 0 to about 1.5, at the cells of a grid over the pictures."""
        height, width = images.shape[-2:]
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        scores = self._classifier(near)[..., :rows, :columns].softmax(1)
        shares = torch.einsum("ck,bkhw->bchw", self._of_scores, scores)
        evidence = at_places(shares, (height, width), grid)
        boxes = painted(self._detector(images), grid)
        evidence[:, self._rows] += boxes[:, self._classes]
        return functional.threshold(evidence, _LEAST, 0.0)
