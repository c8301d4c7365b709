# SPDX-License-Identifier: Apache-2.0
"""PCK and the true keypoints of the worlds' things."""

from __future__ import annotations

import numpy as np
import pytest

from f4x_ros.eval.metrics.keypoints import keypoint_errors, mean_pck, pck
from f4x_ros.sim.catalogue import variant
from f4x_ros.sim.keypoints import KEYPOINT_CLASSES, keypoints_of
from f4x_ros.sim.scenes.layout import extent

SQUARE = np.array([(1.0, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)])


def test_a_keypoint_counts_up_to_a_tenth_of_the_box() -> None:
    found = SQUARE + np.array([(0.19, 0, 0), (0.21, 0, 0), (0, 0, 0), (0, 0, np.nan)])
    errors = keypoint_errors(found, SQUARE[None], size=2.0)
    assert errors.errors[:3] == pytest.approx([0.095, 0.105, 0])
    assert errors.errors[3] == np.inf
    assert (errors.within(), errors.counted) == (2, 4)
    assert pck([errors]) == 0.5


def test_what_does_not_count_is_neither_found_nor_missed() -> None:
    errors = keypoint_errors(SQUARE + 9, SQUARE[None], 1.0, np.array([False] * 4))
    assert errors.counted == 0
    assert pck([errors]) is None
    assert mean_pck([[errors]]) is None


def test_a_symmetric_object_is_named_as_a_whole() -> None:
    turned = np.stack([SQUARE, -SQUARE])
    assert pck([keypoint_errors(-SQUARE, turned, 2.0)]) == 1
    mixed = np.concatenate([SQUARE[:2], -SQUARE[2:]])  # two by one naming, two by the other
    assert pck([keypoint_errors(mixed, turned, 2.0)]) == 0.5


def test_classes_count_alike_however_many_keypoints_they_have() -> None:
    good = keypoint_errors(SQUARE, SQUARE[None], 1.0)
    bad = keypoint_errors(SQUARE[:1] + 1, SQUARE[None, :1], 1.0)
    assert mean_pck([[good], [bad]]) == 0.5
    assert pck([good, bad]) == 0.8


@pytest.mark.parametrize(
    "found, equivalents, size, word",
    [
        (SQUARE, SQUARE[None, :3], 1.0, "equivalents"),
        (SQUARE, SQUARE[None], 0.0, "size"),
    ],
)
def test_what_does_not_fit_is_refused(found, equivalents, size, word) -> None:
    with pytest.raises(ValueError, match=word):
        keypoint_errors(found, equivalents, size)


@pytest.mark.parametrize("cls", KEYPOINT_CLASSES)
def test_keypoints_lie_on_the_thing_and_follow_its_size(cls: str) -> None:
    shares = []
    for number in (0, 1, 2):
        size = variant(cls, number).size
        points, (low, high) = keypoints_of(cls, size).points, extent(cls, size)
        assert (points >= low - 1e-6).all()
        assert (points <= high + 1e-6).all()
        shares.append((points - low) / (high - low))
    assert np.ptp(shares, axis=0).max() < 0.35  # the same places, as shares of the box
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(len(points))
    assert apart.min() > 0.01 * (high - low).max()


def test_what_has_a_left_side_has_it_on_the_left() -> None:
    """Things on the ground plan look towards +x or -y."""
    forward = {"toy car": (1, 0), "dog": (1, 0), "cat": (1, 0), "rubber duck": (1, 0),
               "teddy bear": (0, -1), "chair": (0, -1), "sofa": (0, -1),
               "bed": (0, -1)}  # fmt: skip
    for cls, (x, y) in forward.items():
        found = keypoints_of(cls, {})
        for name, point in zip(found.names, found.points, strict=True):
            side = float(np.dot(point[:2], (-y, x)))  # of the left hand
            assert "left" not in name or side > 0, name
            assert "right" not in name or side < 0, name


def test_the_first_naming_is_the_own_one_and_symmetries_keep_the_shape() -> None:
    table = keypoints_of("table", {})
    assert np.allclose(table.equivalents[0], table.points)
    assert np.allclose(table.equivalents[1], table.points[[2, 3, 0, 1]])
    bottle = keypoints_of("bottle", {})
    assert np.allclose(bottle.equivalents[:, 0], bottle.points[0], atol=1e-6)  # the cap


def test_a_class_without_keypoints_is_refused() -> None:
    with pytest.raises(ValueError, match="apple"):
        keypoints_of("apple", {})
