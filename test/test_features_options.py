# SPDX-License-Identifier: Apache-2.0
"""Options of extractors: one checker with the map's own, and what is documented of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from f4x_ros.core.base import checked_values, option, parameters_of
from f4x_ros.core.config import Config
from f4x_ros.core.features import extractor_class, parse_options
from f4x_ros.core.features.weights import CHECKPOINTS

BUILT_IN = ("embedded", "color", "openclip", "sam2", "dinov2")


@dataclass(frozen=True)
class Table:
    name: str = option("", "text")
    kind: str = option("soft", "one of two", choices=("soft", "hard"))
    share: float = option(0.5, "a share", low=0, high=1)
    count: int = option(3, "a number", low=1)
    sizes: tuple[int, ...] = option((0, 8), "numbers", low=0, high=64)
    loud: bool = option(False, "yes or no")


@pytest.mark.parametrize(
    ("name", "value", "typed"),
    [
        ("name", "a b", "a b"),
        ("name", 7, "7"),
        ("kind", "hard", "hard"),
        ("share", "1", 1.0),
        ("count", "12", 12),
        ("count", 12.0, 12),
        ("sizes", "64", (64,)),
        ("sizes", "8,0,8", (8, 0, 8)),
        ("loud", "True", True),
        ("loud", False, False),
    ],
)
def test_values_get_the_type_of_the_default(name: str, value: object, typed: object) -> None:
    found = checked_values(parameters_of(Table), {name: value})  # type: ignore[dict-item]
    assert found == {name: typed}
    assert type(found[name]) is type(typed)
    assert Table(**found) == Table(**{name: typed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("size", "1", "is unknown; known: name, kind, share, count, sizes, loud"),
        ("kind", "wet", "is 'wet', expected one of soft, hard"),
        ("share", "1.5", "is 1.5, expected 0 to 1"),
        ("share", "nan", "is 'nan', expected a value of type float"),
        ("count", "0", "is 0, expected at least 1"),
        ("count", "2.5", "is '2.5', expected a value of type int"),
        ("count", True, "is 'True', expected a value of type int"),
        ("sizes", "8,65", "is 65, expected 0 to 64"),
        ("sizes", "8,", "is '', expected a value of type int"),
        ("loud", "maybe", "is 'maybe', expected a value of type bool"),
    ],
)
def test_what_does_not_fit_is_named_with_what_was_expected(name: str, value: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"knob '{name}' of it {why}")):
        checked_values(parameters_of(Table), {name: value}, kind="knob", owner=" of it")


@pytest.mark.parametrize("value", ["-1", "many", "1.5"])
def test_the_map_and_its_extractors_complain_in_the_same_words(value: str) -> None:
    with pytest.raises(ValueError, match="expected") as of_map:
        Config.from_dotted({"mapping.coarse_px": value})
    with pytest.raises(ValueError, match="expected") as of_extractor:
        extractor_class("sam2").load({"points_per_side": value})
    begin, other = "parameter 'mapping.coarse_px'", "option 'points_per_side' of extractor 'sam2'"
    said = str(of_map.value).replace(begin, other).replace("1 to 64", "1 to 128")
    assert str(of_extractor.value) == said


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_option_stands_in_the_documentation_with_its_default(root: Path, name: str) -> None:
    text = (root / "doc" / "features.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {name}\n(.*?)^## ", text, re.M | re.S)
    rows = dict(re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", section, re.M))
    told = {}
    for names, default in rows.items():
        options = re.findall(r"`(\w+)`", names)
        defaults = default.split(", ") if len(options) > 1 else [default]
        told |= dict(zip(options, defaults, strict=True))
    parameters = {one.name: one for one in parameters_of(extractor_class(name).Options)}
    assert told.keys() == parameters.keys()
    for known, said in told.items():
        default = parameters[known].default
        if "`" in said:
            assert str(default).lower() == said.strip("`").lower(), known
        else:  # told in words: left to the files, or to the model
            assert default in ("", 0, (0,)), known
    assert all(one.doc for one in parameters.values())


def test_what_chooses_a_checkpoint_are_options_of_its_extractor() -> None:
    for known in CHECKPOINTS:
        options = parameters_of(extractor_class(known.extractor).Options)
        assert checked_values(options, parse_options(known.options))["model"]
        assert known.option in {one.name for one in options}
