# SPDX-License-Identifier: Apache-2.0
"""Finding and loading the checkpoint of an open_clip model; no download unless it is allowed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.options import model_library
from f4x_ros.core.features.weights import (
    CHECKPOINTS,
    TOKENIZER,
    Checkpoint,
    cached,
    locate,
    place,
)

_HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


class Source(NamedTuple):
    """Where a model comes from."""

    model: str  # name of a built-in configuration, local-dir:FOLDER or hf-hub:ORG/NAME
    pretrained: str  # checkpoint file or tag
    allow_download: bool
    cache: str | None  # folder, None: the libraries' own


def import_open_clip() -> Any:
    """The library; ValueError naming the extra if it does not load."""
    return model_library("openclip", "open_clip")


class Loaded(NamedTuple):
    """A model in evaluation mode."""

    model: Any
    tokenizer: Any
    file: Path | None  # its checkpoint, or of a folder the configuration; None: the library's


def load_model(source: Source, device: torch.device) -> Loaded:
    """Model and tokenizer; ValueError says what is missing."""
    open_clip = import_open_clip()
    if source.model.startswith("local-dir:"):
        if source.pretrained:
            raise BadInputError(
                f"option pretrained is {source.pretrained!r}, expected none with {source.model!r}: "
                "the folder has the checkpoint"
            )
        arguments: dict[str, Any] = {}
    elif source.model.startswith("hf-hub:"):
        if not source.allow_download:
            raise BadInputError(f"model {source.model!r} needs allow_download=true")
        arguments = {"cache_dir": source.cache}
    else:
        arguments = _built_in(open_clip, source)
    words = _tokenizer_folder(open_clip, source, arguments.get("pretrained"))
    try:
        model = open_clip.create_model(
            source.model, device=device, require_pretrained=True, **arguments
        )
        tokenizer = _tokenizer(open_clip, source, words)
    except Exception as error:  # torch, safetensors, json and open_clip each have their own
        where = arguments.get("pretrained", source.model)
        reason = " ".join(str(error).split())[:300]
        raise BadInputError(f"checkpoint {str(where)!r} does not load: {reason}") from error
    return Loaded(model.eval().requires_grad_(False), tokenizer, _file(source, arguments))


def _file(source: Source, arguments: Mapping[str, Any]) -> Path | None:
    if "pretrained" in arguments:
        return Path(arguments["pretrained"])
    local = source.model.partition("local-dir:")[2]
    return Path(local).expanduser() / "open_clip_config.json" if local else None


def _built_in(open_clip: Any, source: Source) -> dict[str, Any]:
    """Arguments for a configuration by its name."""
    if open_clip.get_model_config(source.model) is None:
        raise BadInputError(
            f"model {source.model!r} is unknown to open_clip {open_clip.__version__}, expected "
            "one of open_clip.list_models(), such as ViT-B-32, ViT-B-16, ViT-L-14"
        )
    tags = open_clip.list_pretrained_tags_by_model(source.model)
    if not source.pretrained:
        raise BadInputError(
            "option pretrained of extractor 'openclip' is missing, expected a checkpoint file or, "
            f"for model {source.model!r}, one of the tags {', '.join(tags) or '(none)'}"
        )
    path = Path(source.pretrained).expanduser()
    if path.is_file():
        published = [open_clip.get_pretrained_cfg(source.model, tag) for tag in tags]
        return {"pretrained": str(path), **_prepared(_agreed(published))}
    if source.pretrained not in tags:
        raise BadInputError(
            f"option pretrained is {source.pretrained!r}: there is no such file, and model "
            f"{source.model!r} has no such tag; its tags are {', '.join(tags) or '(none)'}"
        )
    config = open_clip.get_pretrained_cfg(source.model, source.pretrained)
    return {"pretrained": _of_tag(open_clip, source, config), **_prepared(config)}


def _prepared(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for what a published checkpoint was trained with."""
    return {
        "force_quick_gelu": config.get("quick_gelu", False),
        "force_preprocess_cfg": {key: config[key] for key in ("mean", "std") if config.get(key)},
    }


def _agreed(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all published checkpoints of a model share: a file alone does not say how it was made.

    All of SigLIP want other pixels than CLIP does, which is what the library takes for a file.
    """
    if not configs:
        return {}
    return {
        key: configs[0].get(key)
        for key in ("quick_gelu", "mean", "std")
        if all(config.get(key) == configs[0].get(key) for config in configs)
    }


def _of_tag(open_clip: Any, source: Source, config: dict[str, Any]) -> str:
    """The file of a tag, from the caches or, where that is allowed, fetched."""
    cache = Path(source.cache).expanduser() if source.cache else None
    for known in CHECKPOINTS:
        if known.name == f"{source.model}.{source.pretrained}":
            return str(locate(known, cache=cache, allow_download=source.allow_download))
    places = _cached_places(config, cache)
    for found in places.values():
        if found is not None:
            return found
    if not source.allow_download:
        raise BadInputError(
            f"checkpoint {source.pretrained!r} of model {source.model!r} is not in the cache; "
            f"looked for {' and '.join(places)}. Give a file as pretrained=PATH, or fetch it "
            "with allow_download=true"
        )
    try:
        fetched: str = open_clip.download_pretrained(config, cache_dir=source.cache)
    except Exception as error:  # urllib, huggingface_hub and requests each have their own
        raise BadInputError(
            f"checkpoint {source.pretrained!r} of model {source.model!r} cannot be fetched: {error}"
        ) from error
    return fetched


def _cached_places(config: dict[str, Any], cache: Path | None) -> dict[str, str | None]:
    """Where open_clip keeps a tag's checkpoint, in words, and the file if it is there."""
    places: dict[str, str | None] = {}
    if hub := config.get("hf_hub"):
        repository, name = os.path.split(hub)
        for candidate in (name,) if name else _HUB_NAMES:
            published = Checkpoint("", "openclip", "", repository, candidate, 0, "", "")
            found = cached(published, cache)
            places[f"{candidate} in {place(published, cache)}"] = str(found) if found else None
    elif url := config.get("url"):
        file = (cache or Path("~/.cache/clip").expanduser()) / os.path.basename(url)
        places[str(file)] = str(file) if file.is_file() else None
    return places


def _tokenizer_folder(open_clip: Any, source: Source, checkpoint: str | None) -> Path | None:
    """Where a tokenizer of the library transformers lies; None: open_clip brings its own.

    Looked for beside the checkpoint and in the hub's cache; else it would be fetched when made.
    """
    if source.model.startswith("hf-hub:"):
        return None
    text = _text_config(open_clip, source)
    if text.get("hf_model_name") and not source.allow_download:
        raise BadInputError(
            f"model {source.model!r} takes its words from {text['hf_model_name']!r} of the "
            "transformers library, which may have to be fetched: set allow_download=true"
        )
    name = text.get("hf_tokenizer_name")
    if not name:
        return None
    cache = Path(source.cache).expanduser() if source.cache else None
    local = source.model.partition("local-dir:")[2]
    beside = Path(local).expanduser() if local else Path(checkpoint or "").parent
    published = Checkpoint("", "openclip", "", name, TOKENIZER[0], 0, "", "")
    kept = cached(published, cache)
    for folder in (beside, *([kept.parent] if kept else [])):
        if (folder / TOKENIZER[0]).is_file():
            return folder
    if source.allow_download and not local:
        return None
    raise BadInputError(
        f"model {source.model!r} reads words with {' and '.join(TOKENIZER)} of {name}, which are "
        f"neither in {beside} nor in {place(published, cache)}: put them beside the checkpoint "
        "(f4x weights fetch brings them), or set allow_download=true"
    )


def _text_config(open_clip: Any, source: Source) -> dict[str, Any]:
    """What a model's configuration says of its text side."""
    try:
        found: dict[str, Any] = (open_clip.get_model_config(source.model) or {}).get("text_cfg", {})
    except (OSError, ValueError) as error:
        raise BadInputError(f"model {source.model!r} does not load: {error}") from error
    return found


def _tokenizer(open_clip: Any, source: Source, folder: Path | None) -> Any:
    """As open_clip makes it, from a folder where it would otherwise ask the hub."""
    if folder is None:
        return open_clip.get_tokenizer(source.model, cache_dir=source.cache)
    text = _text_config(open_clip, source)
    return open_clip.tokenizer.HFTokenizer(
        str(folder),
        context_length=text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH),
        tokenizer_mode=text.get("tokenizer_mode"),
        **text.get("tokenizer_kwargs", {}),
    )


def token_count(tokenizer: Any, text: str) -> int:
    """How many tokens a text has, without those at its start and end."""
    if hasattr(tokenizer, "encode"):
        return len(tokenizer.encode(text))
    found = tokenizer.tokenizer(tokenizer.clean_fn(text), add_special_tokens=False)
    return len(found["input_ids"])
