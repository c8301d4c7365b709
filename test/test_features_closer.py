# SPDX-License-Identifier: Apache-2.0
"""A closer look at what the detector has found: who is believed, and what is looked at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from f4x_ros.core.features.embedded.extractor import EmbeddedExtractor
from f4x_ros.core.features.looks import Shot, look, sharp
from f4x_ros.core.features.photo.closer import SIDE, CloserLook
from f4x_ros.core.features.photo.nanodet import CLASSES, Detections

CUP, BED, SOFA = 0, 1, 2  # concepts; the detector's first two classes are the first two
PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data" / "photos"


class Reads:
    """A classifier that says what the red, green and blue of a picture are, as odds."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, near: torch.Tensor) -> torch.Tensor:
        self.asked += len(near)
        return near.mean((2, 3), keepdim=True) * 20


def closer() -> tuple[CloserLook, Reads]:
    reads = Reads()
    return CloserLook(reads, torch.eye(3), {0: CUP, 1: BED}, lambda x: x), reads  # type: ignore[arg-type]


def found(*boxes: tuple[int, float, list[float]]) -> Detections:
    scores = torch.zeros(1, len(boxes), len(CLASSES))
    for row, (kind, score, _) in enumerate(boxes):
        scores[0, row, kind] = score
    return Detections(torch.tensor([[sides for *_, sides in boxes]]), scores)


def picture(color: tuple[float, float, float]) -> torch.Tensor:
    """Half of it, on the left, in a colour: red is a cup, green a bed, blue a sofa."""
    made = torch.full((3, 40, 80), 0.3)
    made[:, :, :40] = torch.tensor(color)[:, None, None]
    return made


LEFT = [0.05, 0.1, 0.4, 0.9]


def test_what_the_detector_is_sure_of_needs_no_second_opinion() -> None:
    looks, reads = closer()
    (box,) = looks.shown(picture((0.0, 0.0, 1.0)), found((CUP, 0.7, LEFT)))
    assert (box.concept, reads.asked) == (CUP, 0)
    assert box.sides == pytest.approx(tuple(LEFT))


@pytest.mark.parametrize(
    ("color", "concepts"),
    [
        ((1.0, 0.0, 0.0), [CUP]),  # both say so
        ((0.0, 0.0, 1.0), [SOFA]),  # the classifier is sure of something else
        ((0.3, 0.3, 0.3), [CUP]),  # it knows nothing better
        ((0.0, 0.45, 0.5), []),  # it denies the cup, and wavers
    ],
)
def test_what_is_doubted_is_what_the_classifier_sees_in_the_box(
    color: tuple[float, float, float], concepts: list[int]
) -> None:
    looks, reads = closer()
    boxes = looks.shown(picture(color), found((CUP, 0.4, LEFT)))
    assert [box.concept for box in boxes] == concepts
    assert reads.asked == 1


def test_nothing_is_looked_at_where_nothing_was_found() -> None:
    looks, reads = closer()
    assert looks.shown(picture((1.0, 0.0, 0.0)), found((CUP, 0.2, LEFT))) == []
    assert reads.asked == 0


def test_what_was_least_looked_at_comes_first() -> None:
    """Two boxes of a picture are looked at; the third gets its turn with the next."""
    reads = Reads()
    looks = CloserLook(reads, torch.eye(3), {0: 0, 1: 1, 2: 2}, lambda x: x)  # type: ignore[arg-type]
    three = found((0, 0.5, LEFT), (1, 0.45, LEFT), (2, 0.4, LEFT))
    blue = picture((0.0, 0.0, 1.0))
    first = looks.shown(blue, three)
    second = looks.shown(blue, three)
    assert reads.asked == 4
    assert [box.score for box in first] == pytest.approx([0.5, 0.45])
    assert [box.score for box in second] == pytest.approx([0.4, 0.5])


def test_a_box_at_the_rim_is_cut_there_and_one_of_no_size_is_seen_all_the_same() -> None:
    shapes = []

    def near(cut: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(cut.shape))
        return cut

    looks = CloserLook(Reads(), torch.eye(3), {0: 0, 1: 1}, near)  # type: ignore[arg-type]
    looks.shown(
        picture((1.0, 0.0, 0.0)),
        found((0, 0.5, [-0.2, 0.8, 0.1, 1.3]), (1, 0.5, [1.0, 1.0, 1.0, 1.0])),
    )
    assert shapes == [(2, 3, SIDE, SIDE)]


def test_a_photograph_of_a_car_shows_a_car_beyond_doubt() -> None:
    path = PHOTOGRAPHS / "groceries.jpg"
    if not path.is_file():
        pytest.skip(f"{path} is not here: the real pictures are not part of the repository")
    rgb = np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)
    small = cv2.resize(rgb, (320, 240), interpolation=cv2.INTER_AREA)
    image = torch.from_numpy(small).permute(2, 0, 1).float() / 255
    extractor = EmbeddedExtractor()
    assert extractor.shown is None
    extractor.shot_parts(Shot(image, sharp(rgb), look(0, (320, 240), 1), (320, 240)))
    assert extractor.shown is not None
    rows = extractor.shown.nonzero()[:, 0].tolist()
    assert [extractor.evident_names[row] for row in rows] == ["car"]
