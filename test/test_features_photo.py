# SPDX-License-Identifier: Apache-2.0
"""Eyes for photographs: the table of concepts, the classifier at every place, and how it mixes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.embedded.extractor import EmbeddedExtractor
from f4x_ros.core.features.embedded.mixture import Mixture
from f4x_ros.core.features.embedded.weights import Calibration
from f4x_ros.core.features.minilm import MiniLm
from f4x_ros.core.features.photo.classifier import STRIDE, at_places
from f4x_ros.core.features.photo.classifier_weights import load_classifier, save_classifier
from f4x_ros.core.features.photo.concepts import read_concepts
from f4x_ros.core.features.photo.words import ConceptWords, Meant

PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data" / "photos"
CALIBRATION = Calibration(20.0, -8.0)
SPOKEN, CONCEPTS = 4, 3


@pytest.fixture(scope="module")
def shipped() -> EmbeddedExtractor:
    return EmbeddedExtractor()


@pytest.fixture(scope="module")
def words() -> ConceptWords:
    return ConceptWords(read_concepts(), load_classifier().names)


def photograph(name: str) -> torch.Tensor:
    path = PHOTOGRAPHS / name
    if not path.is_file():
        pytest.skip(f"{path} is not here: the real pictures are not part of the repository")
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    height = round(320 * picture.shape[0] / picture.shape[1])
    small = cv2.resize(picture, (320, height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small).permute(2, 0, 1)[None] / 255


# ---------------------------------------------------------------- the table


def test_names_and_classes_of_the_table_are_each_there_once() -> None:
    concepts = read_concepts()
    names = [one.name for one in concepts]
    classes = [k for one in concepts for k in one.imagenet]
    boxes = [k for one in concepts for k in one.coco]
    assert len(set(names)) == len(names)
    assert len(set(classes)) == len(classes)
    assert sorted(boxes) == list(range(80))  # each class of the detector belongs to one concept


def test_vectors_of_names_are_those_of_the_table() -> None:
    """Whoever edits the table has to run training.convert_classifier."""
    names = [name.text for one in read_concepts() for name in one.names]
    vectors = MiniLm().encode(names)
    alike = torch.cosine_similarity(vectors, load_classifier().names)
    assert alike.min() > 0.999


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sofa | furniture | couch", "expected four columns"),
        ("sofa | | divan |", "not in"),
        ("sofa | | couch | 1000", "expected 0..999"),
        ("sofa | | couch | many", "invalid literal"),
    ],
)
def test_a_line_that_is_no_concept_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "concepts.txt"
    path.write_text(f"# head\nbed | furniture | bed | 564\n{line}\n")
    with pytest.raises(BadInputError, match=f"line 3 of .*{message}"):
        read_concepts(path)


@pytest.mark.parametrize(
    ("phrase", "meant"),
    [
        ("sofa", {"sofa"}),
        ("couch", {"sofa"}),
        ("television", {"television"}),
        ("houseplant", {"plant"}),
        ("heater", {"radiator"}),
        ("fruit", {"apple", "banana", "orange", "strawberry"}),
        ("floor", set()),
        ("window", set()),
        ("door", set()),
    ],
)
def test_phrases_mean_concepts(words: ConceptWords, phrase: str, meant: set[str]) -> None:
    found = words.meant(MiniLm().encode([phrase]))
    names = [one.name for one in read_concepts()]
    assert {names[k] for k in (found.shares[0] > 0.5).nonzero()[:, 0].tolist()} == meant
    assert bool(found.known[0]) == bool(meant)


def test_vectors_have_to_be_those_of_the_table() -> None:
    with pytest.raises(BadInputError, match="vectors of"):
        ConceptWords(read_concepts(), torch.zeros(3, 384))


# ---------------------------------------------------------------- the classifier


def test_values_lie_where_the_network_looked() -> None:
    """Value k of a row is of the pixel 32 k: a ramp of positions comes out as positions."""
    values = (torch.arange(10.0) * STRIDE).expand(1, 1, 8, 10)
    found = at_places(values, (240, 320), (60, 80))[0, 0]
    expected = ((torch.arange(80) + 0.5) * 4 - 0.5).clamp(max=9 * STRIDE)
    assert torch.allclose(found, expected.expand(60, -1), atol=1e-3)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    save_classifier(path, load_classifier(), {})
    data = bytearray(path.read_bytes())
    data[-1000] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(BadInputError, match="damaged"):
        load_classifier(path=path)


# ---------------------------------------------------------------- both together


def test_a_map_knows_which_eyes_it_was_made_with(shipped: EmbeddedExtractor) -> None:
    blind = EmbeddedExtractor.load({"photographs": "false"})
    assert blind.dim == shipped.language_dim
    assert blind.traits.fingerprint != shipped.traits.fingerprint
    assert shipped.traits.fingerprint == EmbeddedExtractor.load({}).traits.fingerprint


def mixture() -> tuple[Mixture, torch.Tensor]:
    """One that knows three concepts, and the text "the first of them"."""
    mix = Mixture(SPOKEN, CONCEPTS, CALIBRATION)
    whole = torch.eye(SPOKEN)[:1]
    meant = Meant(torch.tensor([[1.0, 0.0, 0.0]]), torch.ones(1))
    return mix, mix.text(whole, meant, torch.zeros(1, SPOKEN))


def feature(mix: Mixture, direction: int, evidence: list[float], share: float) -> torch.Tensor:
    seen = torch.tensor(evidence).view(1, CONCEPTS, 1, 1)
    behind = mix.evidence(seen, torch.tensor([share]))[0, :, 0, 0]
    return torch.cat([torch.eye(SPOKEN)[direction], behind])[None]


def relevancy(mix: Mixture, one: torch.Tensor, text: torch.Tensor) -> float:
    return float(mix.relevancy(one[:, :SPOKEN], one[:, SPOKEN:], text))


def test_the_network_answers_for_drawn_pictures() -> None:
    mix, text = mixture()
    for direction, cosine in ((0, 1.0), (1, 0.0)):
        one = feature(mix, direction, [0.9, 0.0, 0.0], 0.0)
        expected = CALIBRATION.probability(torch.tensor(cosine))
        assert relevancy(mix, one, text) == pytest.approx(float(expected))


def test_the_eyes_answer_for_photographs() -> None:
    mix, text = mixture()
    assert relevancy(mix, feature(mix, 1, [0.9, 0.0, 0.0], 1.0), text) > 0.9
    assert relevancy(mix, feature(mix, 1, [0.3, 0.0, 0.0], 1.0), text) == pytest.approx(0.5)
    assert relevancy(mix, feature(mix, 0, [0.0, 0.9, 0.0], 1.0), text) < 0.05


def test_the_network_answers_for_words_that_the_eyes_do_not_know() -> None:
    mix, _ = mixture()
    unknown = Meant(torch.zeros(1, CONCEPTS), torch.zeros(1))
    text = mix.text(torch.eye(SPOKEN)[:1], unknown, torch.zeros(1, SPOKEN))
    assert relevancy(mix, feature(mix, 0, [0.0, 0.9, 0.0], 1.0), text) > 0.99
    assert relevancy(mix, feature(mix, 1, [0.9, 0.0, 0.0], 1.0), text) < 0.01


def test_how_a_thing_looks_is_asked_of_the_network() -> None:
    mix, _ = mixture()
    meant = Meant(torch.tensor([[1.0, 0.0, 0.0]]), torch.ones(1))
    text = mix.text(torch.eye(SPOKEN)[3:4], meant, torch.eye(SPOKEN)[1:2])
    assert relevancy(mix, feature(mix, 1, [0.9, 0.0, 0.0], 1.0), text) > 0.9
    assert relevancy(mix, feature(mix, 2, [0.9, 0.0, 0.0], 1.0), text) < 0.01


def test_evidence_of_a_mean_is_the_mean_over_photographs() -> None:
    """Views that may be drawn do not make what photographs show less likely."""
    mix, text = mixture()
    alone = feature(mix, 1, [0.4, 0.0, 0.0], 1.0)
    twice = (feature(mix, 1, [0.8, 0.0, 0.0], 1.0) + feature(mix, 1, [0.0, 0.0, 0.0], 1.0)) / 2
    assert relevancy(mix, twice, text) == pytest.approx(relevancy(mix, alone, text))
    half = (alone + feature(mix, 1, [0.0, 0.0, 0.0], 0.0)) / 2
    drawn = relevancy(mix, feature(mix, 1, [0.0] * 3, 0.0), text)
    expected = (relevancy(mix, alone, text) + drawn) / 2
    assert relevancy(mix, half, text) == pytest.approx(expected, abs=1e-6)


def test_what_stands_out_is_counted_from_the_best_of_the_others() -> None:
    mix, text = mixture()
    one = feature(mix, 1, [0.6, 0.4, 0.1], 1.0)
    ahead, photograph, known = mix.standing_out(one[:, SPOKEN:], text)
    assert float(ahead) == pytest.approx(0.2)
    assert (float(photograph), float(known)) == pytest.approx((1.0, 1.0))


def test_rare_places_are_where_a_concept_is_seen_best() -> None:
    mix, _ = mixture()
    seen = torch.zeros(1, CONCEPTS, 4, 8)
    seen[0, 1, 2, 5], seen[0, 2, 0, 0] = 0.8, 0.3
    places = mix.rare_places(mix.evidence(seen, torch.ones(1))[0])
    assert torch.allclose(places, torch.tensor([[5.5 / 8, 2.5 / 4]]))


def test_cars_are_found_in_a_photograph(shipped: EmbeddedExtractor) -> None:
    features = shipped.dense(photograph("cars.jpg"))[0]
    text = shipped.text(["car", "toilet", "guitar", "sofa"])
    best = shipped.relevancy(features.flatten(1).T, text).amax(0)
    assert best[0] > 0.9
    assert best[1:].max() < 0.5


def test_drawn_pictures_give_no_evidence(shipped: EmbeddedExtractor) -> None:
    from f4x_ros.sim.open import open_source

    rgb = np.array(open_source("demo:320x240").load(10).rgb)
    spoken, evidence = shipped.dense_parts(torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255)
    assert evidence.shape[2:] == (1, 1)
    assert not evidence.any()
    assert spoken.shape[1] == shipped.language_dim
