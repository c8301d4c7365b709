# SPDX-License-Identifier: Apache-2.0
"""Questions to a map: exclusion, several at once, by example, the best objects first."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from box_world import BoxWorld, iou
from fabricated import OnlyWords

from f4x_ros.core.ask.asking import Asker
from f4x_ros.core.ask.likeness import make_likeness
from f4x_ros.core.ask.presence import Judge
from f4x_ros.core.ask.prompts import make_prompts
from f4x_ros.core.ask.rivals import KINDS
from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.config import Config
from f4x_ros.core.data.answer import Presence
from f4x_ros.core.features.base import FeatureExtractor
from f4x_ros.core.features.calibrated import Calibrated, PeakLine, PeakLines, PresenceCalibration
from f4x_ros.core.features.phrases import COLORS, described
from f4x_ros.core.field.snapshot import Snapshot
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 2,
        "mapping.keyframe_iterations": 4,
    }
)
FRAMES = 8


@pytest.fixture(scope="module")
def perception() -> Perception:
    made = Perception(QUICK, ["red thing", "blue thing"])
    for index in range(FRAMES):
        made.process(BoxWorld()(index))
    return made


@pytest.fixture
def calibrated(perception: Perception, monkeypatch: pytest.MonkeyPatch) -> Perception:
    """Present is what is large and pure; limits as if learned."""
    asker = perception._asker
    monkeypatch.setattr(asker, "_judge", Judge(asker._texts))
    learned = PresenceCalibration({"pooled": 1.0, "weight": 0.3}, -2.0, 0.3, 0.8)
    monkeypatch.setattr(asker, "calibration", learned)
    return perception


def mask_of(color: str) -> np.ndarray:
    return BoxWorld().mask(FRAMES - 1, color)


def test_what_is_excluded_is_not_found(perception: Perception) -> None:
    colorful = perception.query("red or blue thing")
    only_red = perception.query("red or blue thing -blue")
    assert (colorful.mask >= colorful.threshold)[mask_of("blue")].mean() > 0.8
    assert (only_red.mask >= only_red.threshold)[mask_of("blue")].mean() < 0.05
    assert iou(only_red.mask >= only_red.threshold, mask_of("red")) > 0.8
    assert not perception.query("red thing -red").present


def test_standing_prompts_obey_the_same_grammar() -> None:
    perception = Perception(QUICK, ["red or blue thing -blue"])
    percept = perception.process(BoxWorld()(0))
    assert iou(percept.labels == 1, BoxWorld().mask(0, "red")) > 0.7
    assert not (percept.labels == 1)[BoxWorld().mask(0, "blue")].any()
    assert percept.prompts == ("red or blue thing -blue",)


def test_several_questions_take_one_render_and_say_the_same(
    perception: Perception, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [perception.query(text) for text in ("red thing", "yellow thing", "blue thing -red")]
    drawn = []
    render = Snapshot.render
    monkeypatch.setattr(Snapshot, "render", lambda *a: drawn.append(1) or render(*a))
    together = perception.query_all(["red thing", "yellow thing", "blue thing -red"])
    assert len(drawn) == 1
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_allclose(a.mask, b.mask, atol=1e-5)
        assert (a.prompt, a.presence, a.score) == (b.prompt, b.presence, b.score)
        assert len(a.cloud) == len(b.cloud)
    assert perception.query_all([]) == []


def test_an_example_finds_what_it_shows(perception: Perception) -> None:
    rows, columns = np.nonzero(mask_of("red"))
    rgb = BoxWorld()(FRAMES - 1).rgb
    example = rgb[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    found = perception.query(example=example)
    assert found.present
    assert iou(found.mask >= found.threshold, mask_of("red")) > 0.8
    strange = np.zeros((20, 20, 3), np.uint8)
    strange[:] = (255, 230, 0)
    assert not perception.query(example=strange).present


def test_an_object_finds_itself(perception: Perception) -> None:
    number = perception.query("blue thing").tracks[0].id
    found = perception.query(like_object=number)
    assert found.tracks[0].id == number
    assert iou(found.mask >= found.threshold, mask_of("blue")) > 0.8


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        ({}, "blank"),
        ({"text": "red", "like_object": 1}, "more than one"),
        ({"text": "red", "example": np.zeros((9, 9, 3), np.uint8)}, "more than one"),
        ({"like_object": 999}, "999, expected the id of an object: 1, 2"),
        ({"like_object": -1}, "-1"),
        ({"example": np.zeros((9, 9), np.uint8)}, r"shape \(9, 9\)"),
        ({"example": np.zeros((9, 9, 3), np.float32)}, "float32"),
        ({"example": np.zeros((4, 9, 3), np.uint8)}, "9x4 pixels"),
        ({"example": np.zeros((9, 9, 3), np.uint8), "threshold": 2.0}, "threshold is 2"),
        ({"text": "red", "max_results": -1}, "max_results is -1"),
    ],
)
def test_questions_that_cannot_be_answered_say_why(
    perception: Perception, question: dict, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        perception.query(**question)


def test_the_calibration_decides_what_is_present(calibrated: Perception) -> None:
    present, absent = calibrated.query("red thing"), calibrated.query("yellow thing")
    assert present.presence is Presence.PRESENT
    assert present.score >= 0.8
    assert absent.presence is Presence.NOT_PRESENT
    assert absent.score < 0.3
    assert not absent.tracks
    assert len(absent.cloud) == 0


def test_between_the_limits_it_is_unsure(
    calibrated: Perception, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = calibrated.query("red thing").score
    asker = calibrated._asker
    limits = asker.calibration._replace(yes=min(1, score + 1e-3))
    monkeypatch.setattr(asker, "calibration", limits)
    unsure = calibrated.query("red thing")
    assert unsure.presence is Presence.UNSURE
    assert not unsure.present
    assert unsure.tracks  # shown, as it may be there


def test_without_a_calibration_nothing_is_unsure(perception: Perception) -> None:
    assert perception._asker.calibration is None
    answers = perception.query_all(["red thing", "blue thing", "yellow thing", "red -blue"])
    assert {answer.presence for answer in answers} <= {Presence.PRESENT, Presence.NOT_PRESENT}


def test_the_likeliest_objects_come_first_and_no_more_than_asked(calibrated: Perception) -> None:
    everything = calibrated.query("red or blue thing")
    scores = [track.score for track in everything.tracks]
    assert len(scores) >= 2
    assert scores == sorted(scores, reverse=True)
    assert everything.score == scores[0]
    best = calibrated.query("red or blue thing", max_results=1)
    assert [track.id for track in best.tracks] == [everything.tracks[0].id]
    assert (best.tracks[0].size > 0).all()


def test_a_calibration_of_unknown_evidence_is_refused() -> None:
    strange = PresenceCalibration({"smell": 1.0}, 0.0, 0.3, 0.7)
    with pytest.raises(ValueError, match="smell"):
        Asker(Plain(strange), QUICK, "cpu")


def test_only_who_is_declared_to_be_asked_by_example_is(perception: Perception) -> None:
    distiller = SimpleNamespace(words=Plain())
    scene, example = perception._memory.scene(), np.zeros((9, 9, 3), np.uint8)
    for given in ((example, 0), (None, 1)):
        with pytest.raises(ValueError, match="'plain' cannot be asked by example"):
            make_likeness(distiller, scene, *given, min_weight=0, threshold=0)


class Silent(FeatureExtractor):
    """An extractor of features alone."""

    name, dim, licence = "silent", 3, "Apache-2.0"

    def dense(self, images: torch.Tensor) -> torch.Tensor:
        return images


def test_without_language_there_may_be_no_prompts_but_none_is_taken() -> None:
    asker = Asker(Silent(), QUICK, "cpu")
    assert asker.calibration is None
    assert len(asker.prompts([])) == 0
    with pytest.raises(ValueError, match="'silent' has no language"):
        asker.prompts(["red thing"])


@pytest.mark.parametrize(
    ("phrase", "kind", "color", "attributes"),
    [
        ("red mug", "mug", "red", "red"),
        ("mug", "mug", "", ""),
        ("Red wooden chair", "chair", "red", "red wooden"),
        ("ceramic mug", "mug", "", "ceramic"),
        ("person in gray", "person", "gray", "gray"),
        ("grey robot vacuum", "robot vacuum", "gray", "gray"),
        ("red thing", "", "red", "red"),
        ("thing", "", "", ""),
        ("red and blue ball", "ball", "", "red blue"),
        ("a black white cat", "cat", "", "black white"),
        ("something wooden", "", "", "wooden"),
        ("the red one", "", "red", "red"),
        ("glass", "glass", "", ""),
        ("glass bowl", "bowl", "", "glass"),
        ("robot in the corner", "robot in the corner", "", ""),
        ("orange", "", "orange", "orange"),
    ],
)
def test_phrases_are_taken_apart(phrase: str, kind: str, color: str, attributes: str) -> None:
    assert described(phrase) == (kind, color, tuple(attributes.split()))


class Plain(OnlyWords):
    """Words are directions: kinds along the first, colours along the last."""

    name, dim = "plain", len(KINDS) + len(COLORS)

    def __init__(self, presence: PresenceCalibration | None = None) -> None:
        self.calibrated = Calibrated(presence=presence)

    def text(self, prompts: Sequence[str]) -> torch.Tensor:
        rows = torch.zeros(len(prompts), self.dim)
        for row, prompt in zip(rows, prompts, strict=True):
            about = described(prompt)
            if about.kind in KINDS:
                row[KINDS.index(about.kind)] = 1
            if about.color:
                row[len(KINDS) + COLORS.index(about.color)] = 1
        return torch.nn.functional.normalize(rows, dim=1)


def test_rivals_tell_a_red_mug_from_a_blue_one_and_from_a_red_bowl() -> None:
    words = Plain()
    texts = TextVectors(words)
    judge = Judge(texts)
    things = ["red mug", "blue mug", "red bowl", "green chair"]
    latents = texts.encode(things)
    count = len(things)
    snapshot = SimpleNamespace(
        means=torch.zeros(count, 3), latents=latents, latent_weights=torch.full((count,), 9.0)
    )
    distiller = SimpleNamespace(words=words, latent_dim=words.dim, decode=lambda z: z)
    prompts = make_prompts(texts, ["red mug"], (), 0.5)
    objects = [np.array([row]) for row in range(count)]
    mug, blue, bowl, chair = judge.gather(snapshot, distiller, prompts, 0, objects)
    assert mug.pooled > max(blue.pooled, bowl.pooled) > chair.pooled
    assert mug.color > 0.5 > 0 > max(blue.color, chair.color)
    assert bowl.color == pytest.approx(mug.color)
    assert mug.kind == pytest.approx(blue.kind)
    assert mug.kind > 0 > max(bowl.kind, chair.kind)
    assert mug.rival > max(blue.rival, bowl.rival, chair.rival)
    assert mug.weight == pytest.approx(np.log(9))


def test_without_known_rivals_they_say_nothing(perception: Perception) -> None:
    evidence = perception.evidence(["red thing", "yellow thing"])  # of an extractor of colours
    assert all((one.rival, one.kind, one.color) == (0, 0, 0) for found in evidence for one in found)
    assert max(one.pooled for one in evidence[0]) > max(one.pooled for one in evidence[1])


@pytest.mark.parametrize(
    "stored",
    [
        {"weights": {}, "bias": 0.0, "no": 0.7, "yes": 0.3},
        {"weights": {"size": "x"}, "bias": 0.0, "no": 0.3, "yes": 0.7},
        {"weights": {"size": float("nan")}, "bias": 0.0, "no": 0.3, "yes": 0.7},
        {"bias": 0.0, "no": 0.3, "yes": 0.7},
    ],
)
def test_a_calibration_that_is_none_is_refused(stored: dict) -> None:
    with pytest.raises(ValueError, match="presence calibration"):
        PresenceCalibration.of(stored)


def test_a_calibration_survives_being_stored() -> None:
    made = PresenceCalibration({"size": 0.5}, -1.0, 0.3, 0.7)
    assert PresenceCalibration.of(made.as_dict()) == made


@pytest.fixture
def following(perception: Perception, monkeypatch: pytest.MonkeyPatch) -> Perception:
    """Limits follow the scene, with a threshold that nothing but pure colours would pass."""
    words = perception._heads.words
    line = PeakLine(-3.0, 1.0)
    monkeypatch.setattr(words, "calibrated", Calibrated(PeakLines(line, line, line)))
    monkeypatch.setattr(words, "threshold", 0.8)
    return perception


def test_limits_follow_the_scene_unless_a_threshold_is_given(following: Perception) -> None:
    found = following.query("red thing")
    strict = following.query("red thing", threshold=0.8)
    assert found.present
    mask = found.mask >= found.threshold
    assert iou(mask, mask_of("red")) > 0.85
    assert mask.sum() > (strict.mask >= strict.threshold).sum()
    assert len(found.cloud) > len(strict.cloud)


def test_no_questions_have_no_answers_though_limits_follow(following: Perception) -> None:
    assert following.query_all([]) == []


def test_what_is_not_there_has_no_mask_though_limits_follow(following: Perception) -> None:
    absent = following.query("yellow thing")
    assert not absent.present
    assert absent.mask.max() < absent.threshold
    both = following.query_all(["red thing", "yellow thing"])
    assert both[1].mask.max() < both[1].threshold
