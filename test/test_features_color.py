# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from f4x_ros.core.features import Words, language_of, make_extractor
from f4x_ros.core.features.color_terms import LEVELS, TERMS, memberships
from f4x_ros.sim import World

EXAMPLES = {
    "black": ["#0a0a0a", "#1c1c20"],
    "grey": ["#808080", "#5f6266", "#9a9a98"],
    "white": ["#ffffff", "#f0eee8", "#e0e2e6"],
    "red": ["#ff0000", "#cc1212", "#800000", "#dc143c"],
    "orange": ["#ff8c00", "#f2730d", "#ffa500"],
    "yellow": ["#ffff00", "#f2cc14", "#fff066"],
    "green": ["#00ff00", "#1a8c24", "#006400", "#98d890"],
    "blue": ["#0000ff", "#1438bf", "#87ceeb", "#000080"],
    "purple": ["#800080", "#78249e", "#4b0082"],
    "pink": ["#ffc0cb", "#ff69b4"],
    "brown": ["#73421f", "#8b4513", "#653700", "#a8794a"],
}


@pytest.fixture(scope="module")
def extractor() -> Words:
    return language_of(make_extractor("color"))


def hex_rgb(text: str) -> np.ndarray:
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def flat(rgb: np.ndarray, side: int = 32) -> torch.Tensor:
    """An image [1, 3, side, side] of one colour."""
    return torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1).repeat(1, 1, side, side)


def in_light(rgb: np.ndarray, factor: float) -> np.ndarray:
    """The sRGB colour of the same surface in `factor` times as much light."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) * factor
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def scores(extractor: Words, images: torch.Tensor, *prompts: str) -> torch.Tensor:
    """Relevancy [H, W, P] of the first image."""
    features = extractor.dense(images)[0]
    pixels = features.flatten(1).T
    return extractor.relevancy(pixels, extractor.text(prompts)).view(*images.shape[2:], -1)


def stripes(period: int, vertical: bool = True) -> torch.Tensor:
    wave = (torch.arange(320) // (period // 2) % 2).float() * 0.6 + 0.2
    image = wave.expand(1, 3, 320, 320).clone()
    return image if vertical else image.transpose(2, 3).contiguous()


@pytest.mark.parametrize("term,code", [(t, c) for t, codes in EXAMPLES.items() for c in codes])
def test_people_call_this_colour_by_this_word(extractor: Words, term: str, code: str) -> None:
    score = scores(extractor, flat(hex_rgb(code)), *TERMS)[0, 0]
    assert TERMS[int(score.argmax())] == term
    assert score.max() > extractor.threshold


@pytest.mark.parametrize("term", ["red", "yellow", "green", "blue", "purple"])
@pytest.mark.parametrize("light", [1.0, 0.6, 0.35])
def test_a_colour_in_shade_stays_that_colour(extractor: Words, term: str, light: float) -> None:
    shaded = in_light(hex_rgb(EXAMPLES[term][1]), light)
    assert scores(extractor, flat(shaded), term)[0, 0] > extractor.threshold


@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_memberships_are_a_partition(rgb: tuple[float, float, float]) -> None:
    shares = memberships(np.array(rgb))
    assert shares.sum() == pytest.approx(1)
    assert shares.min() >= 0


def test_the_table_agrees_with_the_formula(extractor: Words) -> None:
    rgb = np.random.default_rng(0).integers(0, LEVELS, (1, 3, 20, 20)) / (LEVELS - 1)
    features = extractor.dense(torch.tensor(rgb, dtype=torch.float32))
    assert np.allclose(features[0, :11], memberships(rgb[0].transpose(1, 2, 0)).transpose(2, 0, 1))


@pytest.mark.parametrize("height,width", [(240, 320), (31, 57), (1, 1), (3, 700)])
def test_there_is_one_feature_per_pixel(extractor: Words, height: int, width: int) -> None:
    features = extractor.dense(torch.rand(2, 3, height, width))
    assert features.shape == (2, extractor.dim, height, width)
    assert torch.allclose(features[:, :11].sum(1), torch.ones(2, height, width), atol=1e-5)
    assert torch.allclose(features[:, 13:].sum(1), torch.ones(2, height, width), atol=1e-5)
    assert features.min() >= 0


def test_images_of_a_batch_do_not_touch_each_other(extractor: Words) -> None:
    images = torch.rand(3, 3, 40, 60)
    together = extractor.dense(images)
    alone = torch.cat([extractor.dense(image[None]) for image in images])
    assert torch.allclose(together, alone, atol=1e-6)


def test_the_dimension_fits_the_default_latent() -> None:
    from f4x_ros.core.config import Config

    assert make_extractor("color").dim <= Config().field.latent_dim


@pytest.mark.parametrize(
    "same",
    [
        ("grey thing", "gray object", "a greyish surface"),
        ("red thing", "something red", "the red-coloured one", "RED"),
        ("purple", "violet thing"),
        ("red or orange thing", "orange, red", "red and orange objects"),
        ("navy object", "dark blue"),
    ],
)
def test_words_of_one_meaning_are_one_vector(extractor: Words, same: tuple[str, ...]) -> None:
    vectors = extractor.text(same)
    assert (vectors == vectors[0]).all()


def test_alternatives_match_either_and_modifiers_narrow(extractor: Words) -> None:
    image = torch.cat([flat(hex_rgb(c)) for c in ("#cc1212", "#f2730d", "#000060", "#87ceeb")], 3)
    found = scores(extractor, image, "red or orange", "blue", "dark blue", "light blue")
    selected = found[16, 16::32] > extractor.threshold
    assert selected.tolist() == [
        [True, False, False, False],
        [True, False, False, False],
        [False, True, True, False],
        [False, True, False, True],
    ]


@pytest.mark.parametrize("vertical", [True, False])
def test_stripes_are_striped_and_not_smooth(extractor: Words, vertical: bool) -> None:
    found = scores(extractor, stripes(12, vertical), "striped", "smooth", "textured")
    middle = found[100:220, 100:220].mean((0, 1))
    assert middle[0] > 0.8
    assert middle[1] < 0.1
    assert middle[2] > 0.9


def test_speckles_are_textured_but_not_striped(extractor: Words) -> None:
    rng = torch.Generator().manual_seed(0)
    image = torch.nn.functional.interpolate(
        torch.rand(1, 1, 60, 80, generator=rng), (240, 320), mode="nearest"
    ).repeat(1, 3, 1, 1)
    found = scores(extractor, image, "striped", "textured")[40:200, 40:280].mean((0, 1))
    assert found[0] < 0.2
    assert found[1] > 0.8


def test_a_single_outline_is_no_texture(extractor: Words) -> None:
    image = torch.full((1, 3, 240, 320), 0.2)
    image[..., 160:] = 0.8
    assert scores(extractor, image, "smooth").min() > 0.5


def test_what_is_absent_scores_low(extractor: Words) -> None:
    image = torch.cat([flat(hex_rgb(EXAMPLES[t][0])) for t in TERMS if t != "purple"], 3)
    assert scores(extractor, image, "purple thing").max() < 0.2


def test_the_average_of_views_scores_between_them(extractor: Words) -> None:
    red, grey = (extractor.dense(flat(hex_rgb(c)))[0, :, 0, 0] for c in ("#cc1212", "#808080"))
    text = extractor.text(["red"])
    ends = extractor.relevancy(torch.stack([red, grey]), text)
    score = extractor.relevancy(torch.stack([0.75 * red + 0.25 * grey]), text)
    assert float(score) == pytest.approx(float(0.75 * ends[0] + 0.25 * ends[1]), abs=1e-6)
    assert ends[0] > 0.9 > 0.01 > ends[1]


def test_a_feature_never_observed_is_nothing(extractor: Words) -> None:
    text = extractor.text(["black", "dark grey", "smooth"])
    assert not extractor.relevancy(torch.zeros(1, extractor.dim), text).any()


@pytest.fixture(scope="module")
def room(
    extractor: Words, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, np.ndarray, torch.Tensor]:
    """The demo world, the instance ids [H, W] of one of its frames, and features [1, C, H, W]."""
    world = World(width=240, cache=tmp_path_factory.mktemp("world"))
    drawing = world.drawing(100)
    image = torch.from_numpy(drawing.rgb).permute(2, 0, 1)[None].float() / 255
    return world, drawing.instances, extractor.dense(image)


@pytest.mark.parametrize(
    "prompt,names,bar",
    [
        ("red thing", {"red mug", "red chair"}, 0.90),
        ("yellow thing", {"yellow bowl", "yellow rubber duck"}, 0.85),
        ("blue object", {"blue rug", "blue book", "blue globe"}, 0.85),
        ("green thing", {"green sofa", "green bottle", "green apple"}, 0.80),
        ("violet object", {"purple ball"}, 0.50),
        (
            "brown surface",
            {"brown table", "brown bookshelf", "brown teddy bear", "floor"},
            0.85,
        ),
    ],
)
def test_things_of_the_demo_world_are_found_by_their_colour(
    extractor: Words,
    room: tuple[World, np.ndarray, torch.Tensor],
    prompt: str,
    names: set[str],
    bar: float,
) -> None:
    world, instances, features = room
    scores = extractor.relevancy(features[0].flatten(1).T, extractor.text([prompt]))
    selected = (scores[:, 0] > extractor.threshold).numpy().reshape(instances.shape)
    wanted = np.isin(instances, [i for i, label in world.labels.items() if label.name in names])
    assert (selected & wanted).sum() / (selected | wanted).sum() > bar


def test_a_colour_the_demo_world_lacks_selects_next_to_nothing(
    extractor: Words, room: tuple[World, np.ndarray, torch.Tensor]
) -> None:
    scores = extractor.relevancy(room[2][0].flatten(1).T, extractor.text(["pink thing"]))
    assert (scores > extractor.threshold).float().mean() < 1e-3


def test_an_unknown_word_is_named(extractor: Words) -> None:
    with pytest.raises(ValueError, match=r"prompt 'red mug': .*does not know 'mug'.*openclip"):
        extractor.text(["red thing", "red mug"])


@pytest.mark.parametrize(
    "prompt,why",
    [
        ("thing", "needs the name of a colour"),
        ("  ", "blank"),
        ("...", "needs the name of a colour"),
        ("red or dark blue", "one at a time"),
        ("navy and red", "one at a time"),
        ("red or striped", "one at a time"),
        ("not red", "does not know 'not'"),
        ("red \U0001fab4", "prompt 'red \U0001fab4': '\U0001fab4' is not understood"),
        ("red ♥ thing", "'♥' is not understood"),
        ("სავარძელი", "not understood"),
    ],
)
def test_what_cannot_be_answered_is_refused(extractor: Words, prompt: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        extractor.text([prompt])


def test_no_prompts_give_an_empty_answer(extractor: Words) -> None:
    text = extractor.text([])
    assert text.shape == (0, extractor.dim)
    assert extractor.relevancy(torch.rand(4, extractor.dim), text).shape == (4, 0)


def test_wrong_images_are_named(extractor: Words) -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 8, 8\), expected \[B, 3, H, W\]"):
        extractor.dense(torch.rand(3, 8, 8))
    with pytest.raises(ValueError, match="uint8, expected floating point"):
        extractor.dense(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match="expected a list of texts"):
        extractor.text("red")
