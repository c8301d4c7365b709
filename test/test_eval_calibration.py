# SPDX-License-Identifier: Apache-2.0
"""Learning when evidence means "present"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import OnlyWords

from f4x_ros.cli.main import main
from f4x_ros.core.ask.presence import Evidence
from f4x_ros.core.config import FeaturesConfig
from f4x_ros.core.features.calibrated import Calibrated, PresenceCalibration
from f4x_ros.core.features.heads import Heads
from f4x_ros.core.features.presence_file import (
    calibration_of,
    read_presence,
    store_presence,
    write_presence,
)
from f4x_ros.eval.protocol.calibration import (
    Case,
    check,
    learn,
    read_cases,
    score,
    worst,
    write_cases,
    wrong_materials,
)
from f4x_ros.sim import World

COLUMNS = len(Evidence._fields)


def cases(worlds: int = 3, count: int = 40, noise: float = 0.3) -> list[Case]:
    """Present things have one candidate with a high first piece of evidence; all have bad ones."""
    rng = np.random.default_rng(0)
    made = []
    for world in range(worlds):
        for number in range(count):
            rows = rng.normal(0, noise, (3, COLUMNS))
            rows[:, 0] -= 2
            rows[1, 0] += 4 * (number % 2)
            made.append(Case(f"w{world}", f"thing {number}", bool(number % 2), rows))
    return made


def test_what_can_be_told_apart_is_told_apart() -> None:
    learned = learn(cases())
    for case in cases():
        probability = score(case, learned)
        assert (probability >= learned.yes) == case.present
    assert 0 < learned.no <= learned.yes < 1
    found = check(cases())
    assert (found.auroc, found.f1) == (1.0, 1.0)


def test_probabilities_are_calibrated() -> None:
    noisy = cases(worlds=20, count=50, noise=1.5)
    learned = learn(noisy)
    scores = np.array([score(case, learned) for case in noisy])
    truth = np.array([case.present for case in noisy])
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        inside = (scores >= low) & (scores < high)
        assert inside.sum() > 30
        assert truth[inside].mean() == pytest.approx(scores[inside].mean(), abs=0.1)


def test_of_what_is_there_one_in_25_at_most_is_called_not_present() -> None:
    noisy = cases(worlds=20, count=50, noise=1.5)
    learned = learn(noisy)
    refused = np.array([score(case, learned) < learned.no for case in noisy])
    there = np.array([case.present for case in noisy])
    assert 0 < refused[there].mean() <= 0.04
    assert refused[~there].mean() > 0.2
    assert learned.no < learned.yes  # what is between the two is unsure


def test_other_words_make_it_harder_to_say_no_and_change_nothing_else() -> None:
    noisy = cases(worlds=20, count=50, noise=1.5)
    faint = [
        Case(case.world, f"other {case.text}", present=True, candidates=case.candidates - 0.7,
             other_words=True)
        for case in noisy if case.present
    ]  # fmt: skip
    own, both = learn(noisy), learn([*noisy, *faint])
    assert (both.weights, both.bias, both.yes) == (own.weights, own.bias, own.yes)
    assert both.no < own.no
    there = [case for case in [*noisy, *faint] if case.present]
    assert np.mean([score(case, both) < both.no for case in there]) <= 0.04
    assert check([*noisy, *faint]).auroc == check(noisy).auroc


def test_a_question_without_candidates_is_not_there() -> None:
    empty = Case("w0", "nothing", present=False, candidates=np.zeros((0, COLUMNS)))
    learned = learn([*cases(), empty])
    assert score(empty, learned) == 0.0
    assert worst([*cases(), empty], learned, 1)[0].text != "nothing"


def test_the_worst_case_is_the_one_that_was_turned_round() -> None:
    given = cases()
    given[7] = Case("w0", "liar", not given[7].present, given[7].candidates)
    assert worst(given, learn(given), 1)[0].text == "liar"


def test_one_kind_of_things_or_one_world_is_not_enough() -> None:
    with pytest.raises(ValueError, match="0 of 60 things"):
        learn([case for case in cases() if not case.present])
    with pytest.raises(ValueError, match="1 worlds, expected at least 2"):
        check(cases(worlds=1))


def test_cases_survive_a_file_and_other_evidence_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    empty = Case("w0", "nothing", present=False, candidates=np.zeros((0, COLUMNS)))
    write_cases(path, [*cases(), empty])
    again = read_cases(path)
    assert [(c.world, c.text, c.present) for c in again[:-1]] == [
        (c.world, c.text, c.present) for c in cases()
    ]
    np.testing.assert_allclose(again[5].candidates, cases()[5].candidates)
    assert again[-1].candidates.shape == (0, COLUMNS)
    assert not again[5].other_words
    write_cases(path, [replace(empty, other_words=True)])
    assert read_cases(path)[0].other_words
    path.write_text('{"evidence": ["smell"], "cases": []}')
    with pytest.raises(ValueError, match="smell"):
        read_cases(path)


def test_wrong_materials_are_true_of_nothing() -> None:
    world = World(width=80, frames=2, seed=8001, scene="random")
    wrong = wrong_materials(world)
    assert len(wrong) > 5
    assert len(set(wrong)) == len(wrong)
    assert not {phrase.text for phrase in world.phrases} & set(wrong)
    known = {label.cls for label in world.labels.values()}
    assert {text.split(" ", 1)[1] for text in wrong} <= known


class Extractor(OnlyWords):
    """Something that says where its weights are."""

    def __init__(self, checkpoint: Path | None, own: PresenceCalibration | None = None) -> None:
        self.calibrated = Calibrated(presence=own, checkpoint=checkpoint)


def test_a_calibration_is_found_beside_the_weights_and_their_own_wins(tmp_path: Path) -> None:
    weights = tmp_path / "model.pt"
    assert calibration_of(Extractor(weights)) is None
    learned = PresenceCalibration({"pooled": 1.0}, 0.0, 0.2, 0.8)
    write_presence(tmp_path / "model.pt.f4x.json", learned, {"worlds": 3})
    assert calibration_of(Extractor(weights)) == learned
    own = learned._replace(bias=2.0)
    assert calibration_of(Extractor(weights, own)) == own
    (tmp_path / "model.pt.f4x.json").write_text("{}")
    with pytest.raises(ValueError, match=r"model\.pt\.f4x\.json is no calibration"):
        calibration_of(Extractor(weights))
    with pytest.raises(ValueError, match=r"nowhere\.json"):
        read_presence(tmp_path / "nowhere.json")


def test_a_calibration_is_kept_beside_the_weights_where_they_have_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, config = PresenceCalibration({"pooled": 1.0}, 0.0, 0.2, 0.8), FeaturesConfig()
    where = "f4x_ros.core.features.presence_file.make_heads"
    monkeypatch.setattr(where, lambda _: Heads([Extractor(tmp_path / "model.pt")]))
    assert store_presence(config, learned, {}) == tmp_path / "model.pt.f4x.json"
    assert calibration_of(Extractor(tmp_path / "model.pt")) == learned
    monkeypatch.setattr(where, lambda _: Heads([Extractor(None)]))
    with pytest.raises(ValueError, match="'words' has no weights beside which"):
        store_presence(config, learned, {})


def test_the_command_learns_on_worlds_and_keeps_what_it_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, out = tmp_path / "cases.json", tmp_path / "presence.json"
    scenes = ["random:8001:80x60:6", "random:8002:80x60:6"]
    quick = ["features.extractor=color", "mapping.iterations=1", "mapping.keyframe_iterations=1"]
    options = [f"--set={text}" for text in quick]
    assert main(["calibrate", *scenes, *options, f"--cases={kept}", f"--out={out}"]) == 0
    printed = capsys.readouterr().out
    assert "AUROC" in printed
    assert len({case.world for case in read_cases(kept)}) == 2
    assert any(case.present and not case.other_words for case in read_cases(kept))
    learned = read_presence(out)
    assert main(["calibrate", *scenes, *options, f"--cases={kept}", f"--out={out}"]) == 0
    assert read_presence(out) == learned  # nothing was mapped again


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tabletop", "--every", "0"], "--every is 0"),
        (["shared/nothing"], "nothing"),
        (["tabletop:80x60:2", "--cases", "pyproject.toml"], "cases pyproject.toml"),
    ],
)
def test_the_command_says_what_is_wrong(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", *arguments]) == 2
    assert complaint in capsys.readouterr().err
