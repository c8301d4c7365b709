# SPDX-License-Identifier: Apache-2.0
"""Edits in words are read, or what is not understood is named."""

from __future__ import annotations

import pytest

from f4x_ros.core.edit.words import Wish, read_wish
from f4x_ros.core.errors import BadInputError, NotUnderstoodError


def way(text: str) -> tuple[str, float]:
    wish = read_wish(text)
    assert wish.way is not None
    return wish.way.direction, pytest.approx(wish.way.meters)


@pytest.mark.parametrize(
    "text, kind, thing",
    [
        ("remove the red mug", "remove", "red mug"),
        ("Could you please take away the teddy bear?", "remove", "teddy bear"),
        ("take the mug away", "remove", "mug"),
        ("delete the mug on the table", "remove", "mug on table"),
        ("get rid of the biggest chair", "remove", "biggest chair"),
        ("make the sofa blue", "recolor", "sofa"),
        ("change the colour of the sofa to grey", "recolor", "sofa"),
        ("turn the sofa red", "recolor", "sofa"),
        ("turn the sofa by 90 degrees", "turn", "sofa"),
        ("make the mug half the size", "scale", "mug"),
        ("copy the mug 30 cm up", "copy", "mug"),
        ("put the mug next to the bowl", "move", "mug"),
        ("extract the mug to /tmp/Mug.ply", "extract", "mug"),
    ],
)
def test_what_is_wished_for_of_what(text: str, kind: str, thing: str) -> None:
    wish = read_wish(text)
    assert (wish.kind, str(wish.thing)) == (kind, thing)


def test_ways() -> None:
    assert way("move the mug 20 cm to the left") == ("left", 0.2)
    assert way("shift the mug to the right by 0.5 m") == ("right", 0.5)
    assert way("push the mug half a metre away from the camera") == ("away", 0.5)
    assert way("lift the mug 300 mm") == ("up", 0.3)
    assert way("lower the mug by a metre") == ("down", 1.0)
    assert way("move the mug 1 m along -y") == ("-y", 1.0)
    assert read_wish("move the mug to (0.5, -1, 0.75)").way.place == (0.5, -1.0, 0.75)
    on = read_wish("put the mug on the sofa").way
    assert (on.relation, str(on.beside)) == ("on", "sofa")


def test_numbers_colors_and_spans() -> None:
    assert read_wish("turn the mug 45 degrees clockwise").degrees == -45
    assert read_wish("scale the mug by 1.5").factor == 1.5
    assert read_wish("make the mug two times smaller").factor == 0.5
    assert read_wish("paint the mug violet").color == "purple"
    when = read_wish("remove the mug between 1 and 2.5 s").when
    assert (when.since, when.until) == (1.0, 2.5)
    assert read_wish("insert /tmp/Mug.ply at (1, 2, 0.5)").file == "/tmp/Mug.ply"
    assert read_wish("Undo that.") == Wish("undo")


@pytest.mark.parametrize(
    "text",
    ["fly to the moon", "remove", "make the mug invisible", "move the mug", "turn it upside down",
     "move the mug 20 parsecs to the left", "where is the mug?", "scale the mug by 0"],
)  # fmt: skip
def test_what_is_not_understood_is_said(text: str) -> None:
    with pytest.raises(NotUnderstoodError, match="expected to remove a thing"):
        read_wish(text)


def test_what_is_no_text() -> None:
    for text in ("", " ", "remove " + "x" * 500):
        with pytest.raises(BadInputError):
            read_wish(text)
