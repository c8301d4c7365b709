# SPDX-License-Identifier: Apache-2.0
"""Text has the size it claims, stays inside, and PNG files are whole or absent."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from f4x_ros.viz import text
from f4x_ros.viz.png import save_png


@pytest.fixture(params=["scalable", "strokes"], autouse=True)
def font(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both the font of OpenCV 5 and that of OpenCV 4."""
    if request.param == "scalable" and not hasattr(cv2, "FontFace"):
        pytest.skip("this OpenCV is older than 5 and has no scalable font")
    monkeypatch.setattr(text, "_SCALABLE", request.param == "scalable")
    text._coverage.cache_clear()


def page() -> np.ndarray:
    return np.zeros((60, 300, 3), np.uint8)


@pytest.mark.parametrize("anchor, start", [("left", 0.0), ("center", 0.5), ("right", 1.0)])
def test_text_fills_the_width_it_claims(anchor: str, start: float) -> None:
    image = page()
    width = text.text_width("Green mug", 20)
    text.draw_text(image, "Green mug", 150, 10, 20, (255, 255, 255), anchor=anchor)  # type: ignore[arg-type]
    rows, columns = np.nonzero(image.any(-1))
    left = 150 - start * width
    assert abs(columns.min() - left) <= 3
    assert abs(columns.max() - (left + width)) <= 4
    assert 10 <= rows.min() <= rows.max() < 10 + text.line_height(20)


def test_text_across_an_edge_is_cut() -> None:
    image = page()
    for x, y in ((-20, 5), (290, 50), (500, 5), (5, -100)):
        text.draw_text(image, "Green mug", x, y, 20, (255, 255, 255))
    assert image[:40, :60].any()
    assert not image[:40, 100:280].any()


@pytest.mark.parametrize("width", [0, 10, 40, 90, 500])
def test_fitted_text_fits(width: int) -> None:
    whole = "a red mug on the table"
    shown = text.fitted(whole, 14, width)
    assert shown == "" or text.text_width(shown, 14) <= width
    assert (shown == whole) == (text.text_width(whole, 14) <= width)


@pytest.mark.parametrize("length", [1_000, 1_000_000])
def test_a_text_of_any_length_is_cut_in_a_few_steps(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    draw = text._draw

    def watched(words: str, size_px: int, bold: bool) -> np.ndarray:
        drawn.append(len(words))
        return draw(words, size_px, bold)

    monkeypatch.setattr(text, "_draw", watched)
    text._fitted.cache_clear()
    shown = text.fitted("red mug " * (length // 8), 14, 300)
    assert shown.startswith("red mug red")
    assert shown.endswith("...")
    assert 200 < text.text_width(shown, 14) <= 300
    assert len(drawn) <= 12
    assert max(drawn) <= 200
    drawn.clear()
    assert text.fitted("red mug " * (length // 8), 14, 300) == shown  # of the next picture
    assert drawn == []


def test_what_is_kept_of_texts_is_bounded() -> None:
    text._coverage.cache_clear()
    for number in range(600):
        text.text_width(f"{number} " + "W" * 1_000, 28)
    kept = text._coverage.cache_info()
    assert kept.currsize == kept.maxsize
    largest = text._coverage(text._drawable("W" * 1_000), 28, True).nbytes
    assert kept.maxsize * largest < 100e6  # the worst case; a name has a few kB
    assert text._fitted.cache_info().maxsize is not None


def test_control_characters_are_blanks() -> None:
    odd = "red\x00mug\x1b\ud800"
    assert text.text_width(odd, 14) == text.text_width("red mug  ", 14)


def test_opacity_blends_with_the_ground() -> None:
    image = page() + np.uint8(100)
    text.draw_text(image, "MMMM", 10, 10, 30, (200, 200, 200), opacity=0.5)
    assert image.min() == 100
    assert image.max() == 150


def test_any_text_is_drawn() -> None:
    for words in ("", " ", "Größe", "赤いカップ", "a\tb"):
        text.draw_text(page(), words, 5, 5, 14, (255, 255, 255))


def test_png_reads_back_as_it_was_written(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    save_png(tmp_path / "a.png", picture)
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], picture)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_png_errors_name_the_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere/a\.png|nowhere"):
        save_png(tmp_path / "nowhere" / "a.png", page())
    with pytest.raises(ValueError, match=r"a\.png"):
        save_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    assert not list(tmp_path.iterdir())
