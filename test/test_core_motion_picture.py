# SPDX-License-Identifier: Apache-2.0
"""What moves in drawn videos, from their pictures alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.motion.picture import MoverOptions, PictureMovers
from f4x_ros.core.motion.picture.background import epipole, plane_residual, unexplained_px
from f4x_ros.core.motion.picture.colours import ColourMemory, lab_of
from f4x_ros.core.motion.picture.edges import ColourPairs, spread_along_edges
from f4x_ros.core.motion.picture.flow import DenseFlow, fetched, pixels
from f4x_ros.eval.metrics.masks import jaccard

WIDTH, HEIGHT = 240, 160

Video = tuple[list[NDArray[np.uint8]], list[NDArray[np.bool_]]]


def texture(seed: int, width: int, height: int, tint: Sequence[float]) -> NDArray[np.uint8]:
    """Blotches of a tint, fine and coarse."""
    rng = np.random.default_rng(seed)
    grey = np.zeros((height, width), np.float32)
    for cell in (4, 12, 40):
        noise = rng.normal(size=(height // cell + 2, width // cell + 2)).astype(np.float32)
        grey += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip((grey[..., None] * 0.18 + 1) * np.array(tint), 0, 255).astype(np.uint8)


WALL = texture(1, 2 * WIDTH, 2 * HEIGHT, (110, 120, 100))
COAT = texture(2, 120, 120, (170, 80, 70))


def seen(
    background: Callable[[int], NDArray[np.float32]],
    places: Sequence[Sequence[tuple[float, float, int]]],
    noise: float = 1.0,
) -> Video:
    """Pictures of the wall, read where ``background`` says, with squares at places (u, v, side)."""
    rng = np.random.default_rng(0)
    pictures, truths = [], []
    for time, squares in enumerate(places):
        at = background(time)
        picture = cv2.remap(WALL, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        truth = np.zeros((HEIGHT, WIDTH), bool)
        for u, v, side in squares:
            A = np.array([[1, 0, u], [0, 1, v]], np.float32)
            here = np.full((side, side), 255, np.uint8)
            cover = cv2.warpAffine(here, A, (WIDTH, HEIGHT)) > 127
            coat = cv2.warpAffine(COAT[:side, :side], A, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
            picture[cover], truth = coat[cover], truth | cover
        noisy = picture + rng.normal(0, noise, picture.shape)
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
        truths.append(truth)
    return pictures, truths


def turning(time: int) -> NDArray[np.float32]:
    """A camera that pans, tilts and rolls."""
    K = np.array([[200.0, 0, WIDTH / 2], [0, 200, HEIGHT / 2], [0, 0, 1]])
    R, _ = cv2.Rodrigues(np.array([0.004, 0.012, 0.003]) * time)
    H = np.array([[1, 0, 80.0], [0, 1, 80], [0, 0, 1]]) @ K @ R @ np.linalg.inv(K)
    there = cv2.perspectiveTransform(pixels(HEIGHT, WIDTH).reshape(-1, 1, 2), H)
    return there.reshape(HEIGHT, WIDTH, 2).astype(np.float32)


def passing(time: int) -> NDArray[np.float32]:
    """A camera that moves to the side of a wall with bulges, which no plane explains."""
    at = pixels(HEIGHT, WIDTH)
    nearer = 2 + np.sin(at[..., 0] / 19) + np.sin(at[..., 1] / 23)
    return at + np.stack([80 + time * nearer, np.full_like(nearer, 80)], -1)


def still(_: int) -> NDArray[np.float32]:
    return pixels(HEIGHT, WIDTH) + 60


def masks(pictures: Sequence[NDArray[np.uint8]], **options: float) -> list[NDArray[np.bool_]]:
    movers = PictureMovers(MoverOptions(**options))
    return [movers.update(picture, pictures[1]) for picture in pictures]


def mean_j(video: Video, after: int) -> float:
    found = masks(video[0])
    return float(np.mean([jaccard(m, t) for m, t in zip(found, video[1], strict=True)][after:]))


@pytest.mark.parametrize("camera", [still, turning, passing])
@pytest.mark.parametrize("step", [(3.0, 1.0), (-1.0, 2.0)])
def test_a_textured_square_is_found_whatever_the_camera_does(
    camera: Callable[[int], NDArray[np.float32]], step: tuple[float, float]
) -> None:
    frames, after = (12, 8) if camera is passing else (7, 3)  # parallax shows in several frames
    places = [[(90 + step[0] * t, 40 + step[1] * t, 45)] for t in range(frames)]
    assert mean_j(seen(camera, places), after) > 0.75


@pytest.mark.parametrize("camera", [still, turning, passing])
def test_nothing_moves_in_a_still_scene(camera: Callable[[int], NDArray[np.float32]]) -> None:
    pictures, _ = seen(camera, [[]] * 8, noise=2.0)
    assert np.mean(masks(pictures)) <= 0.002


def test_equal_and_flat_pictures_have_nothing_that_moves() -> None:
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    assert not np.any(masks([flat] * 4))
    pictures, _ = seen(still, [[(90, 40, 45)]])
    assert not np.any(masks(pictures * 4))


def test_what_stops_is_kept_for_a_while_and_then_let_go() -> None:
    places = [[(60 + 4.0 * min(t, 8), 50, 45)] for t in range(32)]
    pictures, truths = seen(turning, places[:14])
    found = masks(pictures)
    assert jaccard(found[8], truths[8]) > 0.75
    assert jaccard(found[12], truths[12]) > 0.7
    pictures, _ = seen(still, places)
    assert not masks(pictures)[-1].any()


def test_two_things_are_found_and_one_that_comes_in_from_the_edge() -> None:
    places = [[(30 + 3.0 * t, 25, 40), (WIDTH - 6.0 * t, 100, 45)] for t in range(8)]
    video = seen(turning, places)
    found, truth = masks(video[0])[-1], video[1][-1]
    assert jaccard(found[:80], truth[:80]) > 0.7
    assert jaccard(found[80:], truth[80:]) > 0.7


def test_masks_have_the_size_of_wide_pictures_and_come_out_the_same_again() -> None:
    places = [[(90 + 3.0 * t, 40, 45)] for t in range(6)]
    pictures, truths = seen(turning, places)
    large = [cv2.resize(p, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC) for p in pictures]
    first, again = masks(large), masks(large)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    truth = cv2.resize(truths[-1].astype(np.uint8), None, fx=3, fy=3) > 0
    assert first[-1].shape == truth.shape
    assert jaccard(first[-1], truth) > 0.75


def test_the_first_picture_alone_has_an_empty_mask() -> None:
    pictures, truths = seen(still, [[(90 + 3.0 * t, 40, 45)] for t in range(2)])
    assert not PictureMovers().update(pictures[0]).any()
    assert jaccard(PictureMovers().update(pictures[0], pictures[1]), truths[0]) > 0.5


def test_what_is_no_picture_is_refused() -> None:
    movers = PictureMovers()
    with pytest.raises(BadInputError, match=r"rgb is \(160, 240\) uint8, expected \[H, W, 3\]"):
        movers.update(np.zeros((HEIGHT, WIDTH), np.uint8))
    movers.update(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(BadInputError, match=r"rgb has shape \(99, 99, 3\), expected \(160, 240"):
        movers.update(np.zeros((99, 99, 3), np.uint8))
    with pytest.raises(BadInputError, match=r"other has shape \(99, 99, 3\)"):
        PictureMovers().update(
            np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((99, 99, 3), np.uint8)
        )
    with pytest.raises(BadInputError, match=r"share is 1\.5, expected a number from 0 to 1"):
        MoverOptions(share=1.5)


def test_flow_is_what_was_drawn_and_not_trusted_where_it_leaves() -> None:
    grey = cv2.cvtColor(WALL, cv2.COLOR_RGB2GRAY)
    flow, trust = DenseFlow().between(grey[50:200, 50:250], grey[50:200, 44:244])
    inner = flow[20:-20, 20:-20]
    assert np.abs(inner - (6, 0)).max() < 0.5
    assert trust[20:-20, 20:-20].mean() > 0.9
    assert not trust[:, -5:].any()
    shifted = fetched(grey[50:200, 44:244].astype(np.float32), np.full_like(flow, (6, 0)))
    np.testing.assert_allclose(shifted[:, :-6], grey[50:200, 50:244], atol=1e-3)


def test_the_epipole_is_where_the_residuals_point() -> None:
    at = pixels(90, 160)
    towards = np.array([200.0, 20.0]) - at  # to a point outside of the picture
    nearer = 0.02 + 0.01 * np.sin(at[..., :1] / 9)
    residual = (towards * nearer).astype(np.float32)
    residual[30:50, 30:50] = (0, 3)
    trust = np.ones((90, 160), np.float32)
    point = epipole(residual, trust)
    where = point[:2] / point[2] * 80 + (80, 45)
    np.testing.assert_allclose(where, (200, 20), atol=1.0)
    left = unexplained_px(residual, trust)
    assert left[32:48, 32:48].min() > 2
    assert np.median(left) < 0.05


def test_no_background_is_fitted_to_what_is_not_trusted() -> None:
    flow = np.ones((90, 160, 2), np.float32)
    assert plane_residual(flow, np.zeros((90, 160), np.float32)) is None
    residual = plane_residual(flow, np.ones((90, 160), np.float32))
    assert residual is not None
    assert np.abs(residual).max() < 1e-3


def test_values_spread_to_where_there_are_none_but_not_across_an_edge() -> None:
    grey = np.zeros((40, 60), np.uint8)
    grey[:, 30:] = 200
    weight = np.zeros((40, 60), np.float32)
    weight[:, ::6] = 1
    values = np.where(grey > 0, np.float32(5), np.float32(1))
    spread, around = spread_along_edges(values * weight, weight, grey)
    np.testing.assert_allclose(spread[:, :25], 1, atol=0.1)
    np.testing.assert_allclose(spread[:, 35:50], 5, atol=0.1)
    assert around.min() > 0


def test_neighbours_of_like_colour_agree() -> None:
    lab = np.zeros((30, 40, 3), np.float32)
    lab[:, 20:] = 120
    odds = np.where(lab[..., 0] > 0, np.float32(1), np.float32(-1))
    odds[10:13, 5:8], odds[10:13, 30:33] = 0.8, -0.8
    settled = ColourPairs(lab).settle(odds)
    assert np.array_equal(settled > 0, lab[..., 0] > 0)


def test_colours_are_learned_and_forgotten() -> None:
    red, blue = np.zeros((2, 20, 20, 3), np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    both = lab_of(np.concatenate([red, blue]))
    fore = np.zeros((40, 20), np.float32)
    fore[:20] = 1
    memory = ColourMemory()
    assert not memory.odds(both, 3).any()
    memory.learn(both, fore, 1 - fore)
    assert (memory.odds(both, 3)[:20] == 3).all()
    assert (memory.odds(both, 3)[20:] == -3).all()
    for _ in range(20):
        memory.learn(both, 1 - fore, fore)
    assert (memory.odds(both, 3)[20:] > 2).all()
