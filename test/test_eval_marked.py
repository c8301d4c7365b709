# SPDX-License-Identifier: Apache-2.0
"""Learning "present" on recordings of which somebody said what is in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from f4x_ros.cli.main import main
from f4x_ros.core.features.presence_file import read_presence
from f4x_ros.eval.protocol.calibration import best_threshold, read_cases
from f4x_ros.eval.protocol.marked import Marks, marks_of, read_marks

QUICK = ["--set=mapping.iterations=2", "--set=mapping.keyframe_iterations=2"]
ABSENT = ["violin", "surfboard", "fire hydrant", "piano", "pink car", "horse"]


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two drawn rooms as real bags, as another camera would have left them."""
    folder = tmp_path_factory.mktemp("recordings")
    found = []
    for name, scene in (("kitchen", "tabletop:160x120:10"), ("office", "random:7:160x120:10")):
        assert main(["export-bag", scene, str(folder / name)]) == 0
        found.append(folder / name)
    return found


def words_file(folder: Path, marks: object) -> Path:
    path = folder / "words.json"
    path.write_text(json.dumps(marks))
    return path


def marked(folder: Path) -> Path:
    kitchen = ["teapot", "bowl", "table", "laptop", "globe", "person", "bookshelf", "toy car"]
    office = ["table", "window", "globe", "backpack", "monitor", "picture", "green backpack"]
    return words_file(
        folder,
        {
            "kitchen": {"present": kitchen, "absent": ABSENT, "other_words": ["notebook computer"]},
            "office": {"present": office, "absent": [*ABSENT, "teapot"]},
        },
    )


def test_the_shipped_encoder_is_calibrated_on_bags_and_their_words(
    bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, kept, out = marked(tmp_path), tmp_path / "cases.json", tmp_path / "presence.json"
    command = ["calibrate", *map(str, bags), f"--words={words}", *QUICK]
    assert main([*command, f"--cases={kept}", f"--out={out}"]) == 0
    printed = capsys.readouterr().out
    assert "15 present, 13 absent" in printed
    assert "--set query.threshold=0." in printed
    cases = read_cases(kept)
    assert {case.world for case in cases} == {"kitchen", "office"}
    assert [case.text for case in cases if case.other_words] == ["notebook computer"]
    stored = json.loads(out.read_text())["about"]
    assert stored["auroc"] > 0.8  # on the one that was left out of learning
    assert 0 < stored["threshold"] < 1
    learned = read_presence(out)
    assert 0 < learned.no <= learned.yes < 1


def test_a_bag_and_a_drawn_world_are_learned_from_together(
    bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = words_file(tmp_path, {"kitchen": {"present": ["red thing"], "absent": ["pink thing"]}})
    kept = tmp_path / "cases.json"
    sources = [str(bags[0]), "random:8001:80x60:6"]
    options = ["--set=features.extractor=color", f"--words={words}", f"--cases={kept}", *QUICK]
    assert main(["calibrate", *sources, *options, "--every=2"]) == 0
    assert len({case.world for case in read_cases(kept)}) == 2
    assert "sources" in capsys.readouterr().out


def test_words_that_are_not_understood_are_said_and_one_source_is_not_checked(
    bags: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"present": ["red thing", "teapot"], "absent": ["pink thing"]}
    words = words_file(tmp_path, {"kitchen": given, "cellar": given})
    options = ["--set=features.extractor=color", f"--words={words}", *QUICK]
    assert main(["calibrate", str(bags[0]), *options]) == 0
    printed = capsys.readouterr().out
    assert "kitchen: not understood, so not asked: teapot" in printed
    assert "Not used: words for cellar" in printed
    assert "Not checked: with one source alone" in printed
    assert "AUROC" not in printed


def test_the_threshold_divides_best() -> None:
    import numpy as np
    from test_eval_calibration import COLUMNS, cases

    divided = cases()  # present things have odds around 2, others around -2
    threshold, f1 = best_threshold(divided)
    assert f1 == 1.0
    assert 0.2 < threshold < 0.8
    nothing = [case for case in divided if not case.present]
    empty = type(nothing[0])("w9", "never seen", present=True, candidates=np.zeros((0, COLUMNS)))
    assert best_threshold([*divided, empty])[1] < 1.0


@pytest.mark.parametrize(
    ("marks", "complaint"),
    [
        ([], "hold list, expected"),
        ({"a": ["cup"]}, r"'a': \['cup'\], expected lists called present, absent, other_words"),
        ({"a": {"presnt": ["cup"]}}, "presnt"),
        ({"a": {"present": "cup"}}, "present: 'cup', expected a list of words"),
        ({"a": {"present": ["cup", ""]}}, "expected a list of words"),
        ({"a": {"present": ["cup"], "absent": ["cup"]}}, "cup both there and absent"),
        ({"a": {}}, "no words"),
    ],
)
def test_what_is_wrong_with_the_words_is_said(
    marks: object, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_marks(words_file(tmp_path, marks))


def test_marks_are_found_by_path_or_name(tmp_path: Path) -> None:
    (tmp_path / "kitchen").mkdir()
    known = {"kitchen": Marks(("cup",), ()), "bags/office": Marks((), ("bed",))}
    assert marks_of(known, str(tmp_path / "kitchen")).present == ("cup",)
    assert marks_of(known, "bags/office").absent == ("bed",)
    with pytest.raises(ValueError, match=r"no words for recording 'cellar', expected 'cellar'"):
        marks_of(known, "cellar")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["BAG"], "is a recording: --words FILE has to say"),
        (["BAG", "BAG", "--words", "WORDS"], "sources kitchen are given twice"),
        (["BAG", "--words", "nowhere.json"], "words nowhere.json cannot be read"),
    ],
)
def test_the_command_says_what_is_missing(
    arguments: list[str],
    complaint: str,
    bags: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"BAG": str(bags[0]), "WORDS": str(marked(tmp_path))}
    assert main(["calibrate", *(names.get(one, one) for one in arguments)]) == 2
    assert complaint in capsys.readouterr().err
