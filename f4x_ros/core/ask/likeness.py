# SPDX-License-Identifier: Apache-2.0
"""Asking by example: find what resembles a picture, or an object that the map follows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.ask.cosines import cosines, language_dim
from f4x_ros.core.ask.prompts import check_threshold
from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.ask.vectors import pooled
from f4x_ros.core.base.limits import EXAMPLE_SIDE_PX, MAX_EXAMPLE_PX, MIN_EXAMPLE_PX
from f4x_ros.core.errors import BadInputError, UnsupportedError
from f4x_ros.core.features.base import Examples
from f4x_ros.core.features.distil import Distiller

THRESHOLD = 0.5
"""Likeness that selects: half way from what is usual in the map to being the same."""

_MIDDLE = 0.35  # spread of the weights around the middle of an example, share of its side
_MOST_USUAL = 0.9  # a map in which everything resembles the example is taken for this


@dataclass(frozen=True, eq=False)
class Likeness:
    """What is wanted, as a feature of the extractor that is asked.

    The likeness of a feature is its cosine with the example, counted from the median of the map
    (0) to being the same (1). That scale needs no calibration and suits any extractor.

    Attributes:
        label: what answers are called.
        vector: [C] of unit length.
        usual: median cosine in the map.
        thresholds: of one prompt, see `PromptSet`.
    """

    label: str
    vector: Tensor
    usual: float
    thresholds: tuple[float, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The label, as of a set of one prompt."""
        return (self.label,)

    def __len__(self) -> int:
        return 1

    def relevancy(self, distiller: Distiller, latents: Tensor) -> Tensor:
        """Likeness [..., 1] in 0..1 of what latents [..., D] stand for."""
        cosine, _ = cosines(distiller, latents, self.vector[None])
        return ((cosine - self.usual) / (1 - self.usual)).clamp(0, 1)


@torch.no_grad()
def make_likeness(
    distiller: Distiller,
    scene: QueryScene,
    example: NDArray[np.uint8] | None,
    like_object: int,
    *,
    min_weight: float,
    threshold: float,
) -> Likeness:
    """Look for what a picture shows, or without one for what an object of the map is.

    Args:
        distiller: has the extractor.
        scene: where to look.
        example: [h, w, 3] RGB, cut to what is wanted.
        like_object: track id.
        min_weight: pixels that a latent must rest on.
        threshold: likeness that selects; 0 = `THRESHOLD`.

    Raises:
        ValueError: the picture is none or too small, there is no such object, the threshold is
            outside 0..1, or the extractor cannot be asked by example.
    """
    check_threshold(threshold)
    if not isinstance(distiller.words, Examples):
        raise UnsupportedError(
            f"extractor {distiller.words.name!r} cannot be asked by example: its features do not "
            "say how alike two things are"
        )
    if example is not None:
        label = "example"
        vector = example_vector(distiller, example, scene.snapshot.means.device)
    else:
        label = f"like object {like_object}"
        vector = object_vector(distiller, scene, like_object)
    vector = functional.normalize(vector[: language_dim(distiller)], dim=0)
    known = scene.snapshot.latent_weights >= min_weight
    cosine, _ = cosines(distiller, scene.snapshot.latents[known], vector[None])
    usual = min(float(cosine.median()), _MOST_USUAL) if len(cosine) else 0.0
    return Likeness(label, vector, usual, (float(threshold) or THRESHOLD,))


def example_vector(
    distiller: Distiller, example: NDArray[np.uint8], device: torch.device
) -> Tensor:
    """Feature [C] of what a picture [h, w, 3], RGB, is cut to.

    The mean over its features, the middle counting most; then once more, counting less what is
    unlike that mean: corners and edges mostly show something else.

    Raises:
        ValueError: it is no uint8 picture, smaller than 8x8 or larger than 4096x4096.
    """
    if example.ndim != 3 or example.shape[2] != 3 or example.dtype != np.uint8:
        raise BadInputError(
            f"example has shape {example.shape} and type {example.dtype}, expected (h, w, 3) uint8"
        )
    example = reduced(example)
    image = torch.from_numpy(np.ascontiguousarray(example)).to(device)
    features = distiller.words.dense(image.permute(2, 0, 1)[None].float() / 255)[0]
    rows = features.flatten(1).T
    weights = _middle(features.shape[1], features.shape[2]).to(rows)
    mean = weights @ rows
    alike = functional.normalize(rows, dim=1) @ functional.normalize(mean, dim=0)
    weights = weights * (alike >= alike.median())
    found: Tensor = weights @ rows / weights.sum().clamp(min=1e-9)
    return found


def reduced(example: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An example [h, w, C] whose longer side is at most 640; a smaller one as it is.

    Raises:
        ValueError: a side is shorter than 8 or longer than 4096.
    """
    height, width = example.shape[:2]
    check_example_size(width, height)
    shrink = EXAMPLE_SIDE_PX / max(height, width)
    if shrink >= 1:
        return example
    size = (max(MIN_EXAMPLE_PX, round(width * shrink)), max(MIN_EXAMPLE_PX, round(height * shrink)))
    return np.asarray(cv2.resize(example, size, interpolation=cv2.INTER_AREA), np.uint8)


def check_example_size(width: int, height: int) -> None:
    """ValueError for an example with a side shorter than 8 or longer than 4096 pixels."""
    sides = sorted((width, height))
    if sides[0] < MIN_EXAMPLE_PX:
        expected = f"at least {MIN_EXAMPLE_PX}x{MIN_EXAMPLE_PX}"
    elif sides[1] > MAX_EXAMPLE_PX:
        expected = f"at most {MAX_EXAMPLE_PX}x{MAX_EXAMPLE_PX}"
    else:
        return
    raise BadInputError(f"example is {width}x{height} pixels, expected {expected}")


def _middle(height: int, width: int) -> Tensor:
    """Weights [height * width] that fall off from the middle."""
    along = [(torch.arange(n) + 0.5) / n - 0.5 for n in (height, width)]
    y, x = (torch.exp(-0.5 * (a / _MIDDLE) ** 2) for a in along)
    return (y[:, None] * x[None]).flatten()


def object_vector(distiller: Distiller, scene: QueryScene, track_id: int) -> Tensor:
    """Mean feature [C] of an object that the map follows.

    Raises:
        ValueError: there is no object with that id in the scene; names those that are.
    """
    ids = scene.snapshot.object_ids
    rows = (ids == track_id).nonzero()[:, 0]
    if track_id < 1 or not len(rows):
        known = sorted({number for number in ids.tolist() if number > 0})
        names = ", ".join(map(str, known)) or "none, as the map follows no object then"
        raise BadInputError(f"like_object is {track_id}, expected the id of an object: {names}")
    return distiller.decode(pooled(scene.snapshot, rows)[None])[0]
