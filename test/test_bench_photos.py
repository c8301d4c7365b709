# SPDX-License-Identifier: Apache-2.0
"""bench/photos.py: its metrics, its files of marks, and the whole of it on a made-up recording."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))

import photo_marks  # noqa: E402
import photo_names  # noqa: E402
import photo_scores  # noqa: E402
import photos  # noqa: E402

from f4x_ros.core.data import Presence  # noqa: E402
from f4x_ros.core.errors import BadInputError  # noqa: E402

SIZE = (80, 40)  # width and height that boxes are given in
MARKS = photo_marks.Marks(
    SIZE,
    {
        "a": {"chair": [[0, 0, 20, 20]], "poster": [[60, 20, 80, 40]]},
        "b": {"chair": [[0, 0, 8, 8]]},
    },
    ("bicycle",),
)


def map_with(x: float, y: float, best: float) -> np.ndarray:
    """A map [10, 20] of `SIZE` that is highest at a place of the marks."""
    one = np.full((10, 20), 0.05, np.float32)
    one[int(y / SIZE[1] * 10), int(x / SIZE[0] * 20)] = best
    return one


def relevancies() -> photo_scores.Relevancies:
    """The chair is hit in one of two pictures; the absent word comes between the chairs."""
    made = photo_scores.Relevancies(MARKS)
    words = ["chair", "poster", "bicycle"]
    made.add("a", words, [map_with(10, 10, 0.9), map_with(70, 30, 0.8), map_with(1, 1, 0.3)])
    made.add("b", words, [map_with(50, 30, 0.2), map_with(1, 1, 0.7), map_with(1, 1, 0.4)])
    return made


# --- metrics -------------------------------------------------------------------------------------


def test_the_maximum_is_compared_with_boxes_in_the_size_of_the_marks():
    hits = relevancies().hits()
    assert hits == {("a", "chair"): True, ("a", "poster"): True, ("b", "chair"): False}
    assert photo_scores.share(hits, photo_scores.coco) == 0.5  # a poster is no class of COCO
    assert photo_scores.share(hits, photo_scores.every) == pytest.approx(2 / 3)
    assert photo_scores.share(hits, lambda word: word == "table") is None
    assert photo_scores.by_word(hits) == {"chair": (0.5, 2), "poster": (1.0, 1)}


def test_auroc_compares_pairs_with_boxes_with_words_that_are_nowhere():
    """0.9 and 0.8 are above both 0.3 and 0.4 of the bicycle; 0.2 is below both."""
    assert relevancies().auroc(photo_scores.every) == pytest.approx(4 / 6)
    assert relevancies().auroc(photo_scores.coco) == pytest.approx(0.5)


def test_a_word_is_found_where_its_maximum_is_high_and_lies_in_its_box():
    found = relevancies().found(0.5, aimed=True)
    assert found == {"chair": [True, False], "poster": [True]}
    assert relevancies().found(0.85, aimed=True)["poster"] == [False]
    assert relevancies().found(0.35, aimed=False) == {"bicycle": [False, True]}


def test_box_iou_takes_the_best_threshold_of_each_word():
    inside = photo_scores.box_mask([[0, 0, 40, 40]], SIZE, (10, 20))
    assert inside[:, :10].all()
    assert not inside[:, 10:].any()
    made = photo_scores.Relevancies(photo_marks.Marks(SIZE, {"a": {"cup": [[0, 0, 40, 40]]}}, ()))
    made.add("a", ["cup"], [np.where(inside, 0.02, 0.01).astype(np.float32)])
    assert made.best_box_iou(photo_scores.every) == 1.0
    values = np.array([0.9, 0.8, 0.7, 0.1], np.float32)
    assert photo_scores.best_iou(values, np.array([True, False, True, False])) == 2 / 3


def test_pixels_that_nobody_is_sure_of_do_not_count():
    mask, counted = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    mask[:2] = True
    counted[0] = False
    said = np.zeros((4, 4), bool)
    said[1] = True
    said[3, 0] = True
    ious = photo_scores.mask_ious(
        {("a", "cup"): said, ("a", "not outlined"): said},
        {"a": {"cup": photo_marks.Outline(mask, counted)}},
    )
    assert ious == {("a", "cup"): 4 / 5}


def test_the_best_threshold_of_a_word_is_one_for_all_its_pictures():
    counted = np.ones((8, 8), bool)
    left, maps = np.zeros((8, 8), bool), {}
    left[:, :4] = True
    maps["a", "cup"] = np.where(left, 0.3, 0.1).astype(np.float32)
    maps["b", "cup"] = np.where(left, 0.9, 0.2).astype(np.float32)
    one = photo_marks.Outline(left, counted)
    outlines = {"a": {"cup": one}, "b": {"cup": one}}
    best = photo_scores.best_mask_ious(maps, outlines)
    assert best == {("a", "cup"): 1.0, ("b", "cup"): 1.0}
    maps["b", "cup"] = np.where(left, 0.1, 0.05).astype(np.float32)  # nothing fits both
    assert sum(photo_scores.best_mask_ious(maps, outlines).values()) == 1.5


def test_answers_are_counted_in_words():
    answers = {"chair": Presence.PRESENT, "cup": Presence.UNSURE, "bed": Presence.NOT_PRESENT}
    words = ["chair", "cup", "bed", "not understood"]
    assert photo_scores.said(answers, words, Presence.PRESENT) == ["chair"]
    assert photo_scores.said(answers, words, Presence.NOT_PRESENT) == ["bed"]


# --- marks ---------------------------------------------------------------------------------------


def test_words_of_coco_are_known_by_their_class_and_by_everyday_names():
    assert len(photo_marks.COCO) == 80
    named = (
        "plant",
        "sofa",
        "table",
        "fruit",
        "bag",
        "cup",
        "bottle",
        "chair",
        "sink",
        "microwave",
    )
    assert all(photo_marks.is_coco(word) for word in named)
    others = ("window", "door", "poster", "carpet", "floor", "cabinet", "radiator", "box")
    assert not any(photo_marks.is_coco(word) for word in others)
    assert set(photo_marks.ALSO_COCO.values()) <= photo_marks.COCO


def test_polygons_give_back_a_mask_with_a_hole():
    mask = np.zeros((60, 80), bool)
    cv2.ellipse(view := mask.astype(np.uint8), (40, 30), (30, 20), 0, 0, 360, 1, -1)
    view[25:36, 30:51] = 0
    polygons = photo_marks.polygons_of(view.astype(bool))
    again = photo_marks.filled(polygons, (80, 60), (80, 60))
    assert not again[30, 40]
    assert again[30, 15]
    assert (again & (view > 0)).sum() / (again | (view > 0)).sum() > 0.95
    twice = photo_marks.filled(polygons, (80, 60), (160, 120))
    assert twice.sum() == pytest.approx(4 * view.sum(), rel=0.1)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"absent": ["chair"]}, "a shows what is marked absent: \\['chair'\\]"),
        ({"boxes": {"a": {"chair": [[0, 0, 90, 20]]}}}, "a box of 'chair' in a is .* within 80x40"),
        ({"also": {"c": ["wall"]}}, "also has \\['c'\\], expected names of `boxes`"),
        ({"size": None}, "size is missing"),
    ],
)
def test_marks_that_contradict_themselves_are_refused(tmp_path, change, said):
    content = {"size": SIZE, "boxes": {"a": {"chair": [[0, 0, 20, 20]]}}, "absent": []} | change
    kept = {key: value for key, value in content.items() if value is not None}
    (tmp_path / "boxes.json").write_text(json.dumps(kept))
    with pytest.raises(BadInputError, match=said):
        photo_marks.read_marks(tmp_path)


def test_a_folder_without_marks_says_where_they_were_looked_for(tmp_path, capsys):
    assert photos.main([str(tmp_path)]) == 2
    assert "boxes.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path", sorted(photo_marks.OURS.glob("*.json")), ids=lambda path: path.stem
)
def test_committed_marks_can_be_read(path):
    if path.stem.endswith("_outlines"):
        outlines = photo_marks.read_outlines(Path(path.stem.removesuffix("_outlines")), (540, 360))
        assert len(outlines) >= 12
        for words in outlines.values():
            assert all(40 < one.mask.sum() < 0.6 * one.mask.size for one in words.values())
    elif path.stem.endswith("_names"):
        there = photo_names.also_there(Path(path.stem.removesuffix("_names")))
        assert all(isinstance(word, str) and word for word in there)
    else:
        marks = photo_marks.read_marks(Path("nowhere"), path)
        assert all(len(marks.missing(picture)) >= 60 for picture in marks.boxes)
        assert len(set(marks.absent)) == len(marks.absent)


def test_outlines_are_of_words_that_have_boxes():
    folder = ROOT.parent / "shared" / "data" / "hololens"
    if not folder.is_dir():
        pytest.skip(f"no recording in {folder}")
    marks = photo_marks.read_marks(folder)
    for picture, words in photo_marks.read_outlines(folder, marks.size).items():
        for word, outline in words.items():
            box = photo_scores.box_mask(marks.boxes[picture][word], marks.size, (360, 540))
            assert (outline.mask & box).sum() > 0.5 * outline.mask.sum(), (picture, word)


# --- the map's own names -------------------------------------------------------------------------


def test_a_name_is_right_if_it_or_another_word_for_it_is_there():
    names = ["plastic bag", "cup", "television", "basket"]
    right, wrong = photo_names.judged(names, ["bag", "mug", "basket"])
    assert (right, wrong) == (["plastic bag", "cup", "basket"], ["television"])


def test_late_changes_of_names_are_counted():
    named = photo_names.Named()
    for frame in range(100):
        named.add(("cup",) if frame < 45 else ("cup", "car") if frame < 90 else ("car",))
    marks = photo_marks.Marks(SIZE, {"a": {"mug": [[0, 0, 9, 9]]}}, ("car",))
    numbers = photo_names.numbers_of(named, marks, ["lamp"])
    assert (numbers["auto_right"], numbers["auto_wrong"], numbers["auto_changes"]) == (0, 1, 2)
    assert numbers["auto_changed_at"] == "0, 45, 90"
    assert photo_names.also_there(Path("nowhere")) == []


# --- the whole -----------------------------------------------------------------------------------


def recording(folder: Path) -> Path:
    """Six frames of a wall at 2 m with a red square, and marks: a red and no green thing."""
    K = np.array([[80, 0, 47.5], [0, 80, 31.5], [0, 0, 1.0]])
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)
    rgb = np.full((64, 96, 3), 150, np.uint8)
    rgb += np.random.default_rng(3).integers(0, 20, rgb.shape, np.uint8)
    poses = []
    for index in range(6):
        x = 30 - 2 * index  # 2 px = 5 cm at 2 m
        shown = rgb.copy()
        shown[20:44, x : x + 24] = (200, 20, 20)
        cv2.imwrite(str(folder / "images" / f"{index:05d}.png"), shown[..., ::-1])
        cv2.imwrite(str(folder / "depth" / f"{index:05d}.png"), np.full((64, 96), 2000, np.uint16))
        pose = np.eye(4)
        pose[0, 3] = 0.05 * index
        poses.append(pose.ravel())
    np.savetxt(folder / "K.txt", K)
    np.savetxt(folder / "poses.txt", poses)
    boxes = {"00001": [28, 20, 52, 44], "00004": [22, 20, 46, 44]}
    marks = {
        "size": [96, 64],
        "absent": ["green thing"],
        "boxes": {name: {"red thing": [box]} for name, box in boxes.items()},
    }
    (folder / "boxes.json").write_text(json.dumps(marks))
    return folder


def test_a_red_square_is_pointed_at_and_outlined_alone_and_through_the_field(
    tmp_path, monkeypatch, capsys
):
    folder = recording(tmp_path / "wall")
    square = [[[28, 20], [51, 20], [51, 43], [28, 43]]]
    outlines = {"size": [96, 64], "outlines": {"00001": {"red thing": square}}}
    (tmp_path / "wall_outlines.json").write_text(json.dumps(outlines))
    monkeypatch.setattr(photo_marks, "OURS", tmp_path)
    monkeypatch.setattr(photo_marks, "ALSO_COCO", {"red thing": "apple"})
    out, sheets = tmp_path / "numbers.json", tmp_path / "sheets"
    given = ["--set", "features.extractor=color", "--json", str(out), "--pictures", str(sheets)]
    assert photos.main([str(folder), *given]) == 0
    numbers = json.loads(out.read_text())
    assert numbers["point_coco"] == numbers["point_all"] == numbers["auroc_all"] == 1
    assert numbers["field_point_coco"] == numbers["field_relevancy_point_all"] == 1
    assert numbers["single_iou_coco"] > 0.8
    assert numbers["field_iou_coco"] > 0.6
    assert numbers["field_iou_pairs"] == 1
    assert (numbers["present_coco_said_present"], numbers["absent_said_present"]) == (1, 0)
    assert numbers["frames"] == 6
    assert numbers["features_ms"] > 0
    names = {path.stem for path in sheets.glob("*.png")}
    assert {"single_00001", "field_00004", "field_relevancy_00001"} <= names
    assert "red thing" in capsys.readouterr().out


def test_singles_alone_map_nothing_and_words_not_understood_are_missed(tmp_path):
    folder = recording(tmp_path / "wall")
    marks = json.loads((folder / "boxes.json").read_text())
    marks["boxes"]["00001"]["xyzzy"] = [[0, 0, 90, 60]]
    (folder / "boxes.json").write_text(json.dumps(marks))
    out = tmp_path / "numbers.json"
    given = ["--singles", "--set", "features.extractor=color", "--json", str(out)]
    assert photos.main([str(folder), *given]) == 0
    numbers = json.loads(out.read_text())
    assert "field_point_all" not in numbers
    assert numbers["not_understood"] == "xyzzy"
    assert numbers["found"] == {"red thing": [2, 2], "xyzzy": [0, 1]}
