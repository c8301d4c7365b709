# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_world import COLORS, BoxWorld, iou

from f4x_ros.core.config import Config
from f4x_ros.core.features import (
    Examples,
    Words,
    describe,
    extractor_names,
    make_extractor,
    parse_options,
)
from f4x_ros.core.perception import Perception

PLUGIN = """
from dataclasses import dataclass
from f4x_ros.core.features import Words, option

@dataclass(frozen=True)
class DepthOptions:
    layers: int = option(8, "of depth", low=1, high=16)

class Depths(Words):
    '''Layers of depth.'''

    Options = DepthOptions
    name, dim, licence, threshold = "depths", 4, "MIT", 0.25

    def __init__(self, *, device="cpu", options=None):
        super().__init__(device=device)
        self.options = options

    def dense(self, images): ...
    def text(self, prompts): ...
    def relevancy(self, features, text): ...

def depths(device, options): ...
"""


def install(folder: Path, entry_points: str, modules: dict[str, str]) -> None:
    """Lay a package out in `folder` as pip would."""
    info = folder / "f4x_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: f4x-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[f4x.extractors]\n{entry_points}")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


def test_the_default_of_the_configuration_is_known() -> None:
    extractor = make_extractor(Config().features.extractor)
    assert isinstance(extractor, Words)
    assert extractor.name == Config().features.extractor


def test_an_unknown_name_gets_the_known_ones() -> None:
    expected = r"extractor 'colour' is unknown.*'embedded', 'color', 'openclip'"
    with pytest.raises(ValueError, match=expected):
        make_extractor("colour")


def test_another_package_offers_an_extractor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "depths = f4x_plugin_a:Depths\n", {"f4x_plugin_a": PLUGIN})
    monkeypatch.syspath_prepend(tmp_path)
    extractor: Any = make_extractor("depths", device="cpu", options={"layers": "4"})
    assert isinstance(extractor, Words)
    assert extractor.options.layers == 4
    with pytest.raises(ValueError, match="'layers' of extractor 'depths' is 17, expected 1 to 16"):
        make_extractor("depths", options={"layers": "17"})
    assert extractor_names()[0] == "embedded"
    assert extractor_names()[-1] == "depths"
    assert ("depths", True, "Layers of depth.") in describe()


def test_the_extractor_of_the_documentation_answers_words_and_examples(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (root / "doc" / "features.md").read_text(encoding="utf-8")
    _, _, section = text.partition("## Another extractor\n")
    (code,) = re.findall(r"```python\n(.*?)```", section, re.S)
    (point,) = re.findall(r'^light = "my_package:(\w+)"$', section, re.M)
    install(tmp_path, f"light = my_package:{point}\n", {"my_package": code})
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(make_extractor("light"), Words)
    assert isinstance(make_extractor("light"), Examples)
    given = {"features.extractor": "light", "features.options": "gamma=0.8"}
    perception = Perception(Config.from_dotted({**given, "mapping.iterations": 1}), ["dark"])
    for index in range(3):
        percept = perception.process(BoxWorld()(index))
    there = BoxWorld().mask(2, "red") | BoxWorld().mask(2, "blue")
    assert iou(percept.labels == 1, there) > 0.7
    answer = perception.query("dark")
    assert answer.present
    assert answer.encoder == "light"
    shown = np.full((9, 9, 3), COLORS["red"], np.uint8)
    found = perception.query(example=shown)
    assert found.mask[there].mean() > found.mask[~there].mean() + 0.3
    with pytest.raises(ValueError, match="prompt 'mug', expected one of dark, bright"):
        perception.query("mug")
    with pytest.raises(ValueError, match=r"'gamma' of extractor 'light' is 0, expected 0\.1 to 10"):
        make_extractor("light", options={"gamma": "0"})


def test_another_package_cannot_replace_a_built_in_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "color = f4x_plugin_b:Depths\n", {"f4x_plugin_b": PLUGIN})
    monkeypatch.syspath_prepend(tmp_path)
    assert make_extractor("color").dim == 16
    assert extractor_names().count("color") == 1


def test_what_does_not_derive_from_an_extractor_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "depths = f4x_plugin_d:depths\n", {"f4x_plugin_d": PLUGIN})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"'depths' \(f4x_plugin_d:depths\) is .*expected a class"):
        make_extractor("depths")
    found = {status.name: status for status in describe()}
    assert not found["depths"].available
    assert "features.FeatureExtractor" in found["depths"].message


def test_a_broken_package_is_told_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path,
        "gone = f4x_no_such_module:X\nbad = f4x_plugin_c:X\n",
        {"f4x_plugin_c": "raise RuntimeError('no accelerator')"},
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"'gone' .*f4x_no_such_module"):
        make_extractor("gone")
    found = {status.name: status for status in describe()}
    assert found["color"].available
    assert not found["gone"].available
    assert found["bad"].message == "no accelerator"


def test_without_the_extra_openclip_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    options = {"model": "ViT-B-32", "pretrained": "weights.pt"}
    with pytest.raises(ValueError, match=r"'openclip' needs .*pip install 'f4x-ros\[models\]'"):
        make_extractor("openclip", options=options)
    found = {status.name: status for status in describe()}
    assert not found["openclip"].available
    assert "f4x-ros[models]" in found["openclip"].message


def test_a_torchvision_of_another_torch_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "raise RuntimeError('operator torchvision::nms does not exist')"
    (tmp_path / "open_clip.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "open_clip", raising=False)
    with pytest.raises(ValueError, match=r"f4x-ros\[models\].*torchvision::nms does not exist"):
        make_extractor("openclip", options={"pretrained": "weights.pt"})


@pytest.mark.parametrize("name,library", [("sam2", "sam2.build_sam"), ("dinov2", "timm")])
def test_without_the_extra_the_wrappers_name_it(
    name: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=rf"'{name}' needs .*pip install 'f4x-ros\[models\]'"):
        make_extractor(name)
    found = {status.name: status for status in describe()}
    assert not found[name].available
    assert "f4x-ros[models]" in found[name].message


def test_wrong_options_are_told_before_heavy_libraries_load() -> None:
    with pytest.raises(ValueError, match="option 'modle' of extractor 'openclip'"):
        make_extractor("openclip", options={"modle": "ViT-B-32"})
    with pytest.raises(ValueError, match="option 'modle' of extractor 'sam2'"):
        make_extractor("sam2", options={"modle": "tiny"})
    with pytest.raises(ValueError, match="'min_iou' of extractor 'sam2' is 80, expected 0 to 1"):
        make_extractor("sam2", options={"min_iou": "80"})
    with pytest.raises(ValueError, match=r"'size' of .* is 'big', expected a value of type int"):
        make_extractor("dinov2", options={"size": "big"})
    with pytest.raises(ValueError, match="'size' of extractor 'openclip' is 9000, expected 0 to"):
        make_extractor("openclip", options={"size": "224,9000"})
    with pytest.raises(ValueError, match=r"'attention' of .* is 'qq', expected one of auto, sclip"):
        make_extractor("openclip", options={"attention": "qq"})
    with pytest.raises(ValueError, match="option 'size' of extractor 'embedded'"):
        make_extractor("embedded", options={"size": "2"})
    with pytest.raises(ValueError, match="'scale' of extractor 'color' is unknown; known: none"):
        make_extractor("color", options={"scale": "2"})


def test_importing_the_features_imports_no_model_library() -> None:
    import subprocess

    code = (
        "import sys, f4x_ros.core.features.openclip, f4x_ros.core.features.sam2, "
        "f4x_ros.core.features.dinov2;"
        "print([n for n in ('open_clip', 'sam2', 'hydra', 'torchvision', 'timm', 'transformers') "
        "if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "text,options",
    [
        ("", {}),
        ("model=ViT-B-32", {"model": "ViT-B-32"}),
        ("a=1  b='/a path/w.pt' c=", {"a": "1", "b": "/a path/w.pt", "c": ""}),
        ("tag=x=y", {"tag": "x=y"}),
    ],
)
def test_options_are_read_as_written(text: str, options: dict[str, str]) -> None:
    assert parse_options(text) == options


@pytest.mark.parametrize("text", ["model", "=x", "a=1 b", "a='open"])
def test_options_that_are_none_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"features\.options"):
        parse_options(text)
