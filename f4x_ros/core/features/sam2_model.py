# SPDX-License-Identifier: Apache-2.0
"""Building a model of the library sam2 and filling it from a checkpoint."""

from __future__ import annotations

import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.options import existing_file, folder, model_library
from f4x_ros.core.features.weights import checkpoint, locate

# As sam2.build_sam does: one mask that is not stable is replaced by the best of three.
_DECODER = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


def import_sam2() -> Any:
    """The library's sam2.build_sam; ValueError naming the extra if it does not load."""
    return model_library("sam2", "sam2.build_sam")


def load_model(
    model: str,
    *,
    config: str,
    file: str,
    cache: str,
    allow_download: bool,
    device: torch.device,
) -> Any:
    """A sam2.modeling.sam2_base.SAM2Base in evaluation mode.

    Args:
        model: a published one, "sam2.1-hiera-tiny"; its configuration is the library's.
        config: YAML of another model in the library's format; needs `file`.
        file: checkpoint as published, {"model": state_dict}; empty: from the cache.

    Raises:
        ValueError: the library, a file or a name is missing or wrong; the message names it.
    """
    library = import_sam2()
    if config and not file:
        raise BadInputError(f"option config is {config!r}, expected the option checkpoint with it")
    known = _known(library, model)
    if file:
        path = existing_file("checkpoint", file)
    else:
        path = locate(checkpoint(model), cache=folder(cache), allow_download=allow_download)
    built = _own(config) if config else library.build_sam2(known, None, device="cpu")
    _fill(built, path)
    return built.to(device).eval().requires_grad_(False)


def _known(library: Any, model: str) -> str:
    """The library's configuration of a published model."""
    table: dict[str, tuple[str, str]] = library.HF_MODEL_ID_TO_FILENAMES
    if f"facebook/{model}" not in table:
        names = ", ".join(name.partition("/")[2] for name in table)
        raise BadInputError(
            f"model {model!r} of extractor 'sam2' is unknown, expected one of {names}"
        )
    return table[f"facebook/{model}"][0]


def _own(config: str) -> Any:
    omegaconf, hydra = import_module("omegaconf"), import_module("hydra.utils")
    extra = {"model": {"sam_mask_decoder_extra_args": _DECODER}}
    try:
        merged = omegaconf.OmegaConf.merge(omegaconf.OmegaConf.load(config), extra)
        return hydra.instantiate(merged.model, _recursive_=True)
    except Exception as error:  # yaml, omegaconf, hydra and the modules each have their own
        reason = " ".join(str(error).split())[:300]
        raise BadInputError(
            f"option config is {config!r}: no model comes of it: {reason}"
        ) from error


def _fill(model: Any, path: Path) -> None:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(loaded["model"])
    except (RuntimeError, KeyError, TypeError, OSError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInputError(
            f"checkpoint {str(path)!r} does not fit the model, expected {{'model': weights}} as "
            f"published for it: {type(error).__name__}: {reason}"
        ) from error
