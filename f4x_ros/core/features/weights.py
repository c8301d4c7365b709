# SPDX-License-Identifier: Apache-2.0
"""Checkpoints by name: what they are, where they lie on this machine, how they come here.

They lie in the cache of the Hugging Face hub, which timm, open_clip and sam2 share. Nothing here
uses the network but `fetch`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.download import SHA256, download, one_line

HOST = "https://huggingface.co"

TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
"""Files of the library transformers that some text models read words with."""


class Checkpoint(NamedTuple):
    """Weights somebody published."""

    name: str
    extractor: str
    options: str  # what chooses the model, in features.options
    repository: str  # on the hub
    file: str
    megabytes: float  # 10^6 bytes of tensors in the library's own model
    licence: str
    sha256: str  # empty where neither we nor the library can vouch for one
    companions: tuple[str, ...] = ()  # other files of the repository that are needed beside it

    @property
    def url(self) -> str:
        """Where it is published."""
        return self.url_of(self.file)

    def url_of(self, file: str) -> str:
        """Where a file of its repository is published."""
        return f"{HOST}/{self.repository}/resolve/main/{file}"

    @property
    def option(self) -> str:
        """The option of its extractor that takes a file."""
        return "pretrained" if self.extractor == "openclip" else "checkpoint"

    def chosen(self, file: Path | None = None) -> dict[str, str]:
        """Options of its extractor that choose it, in the cache or as a file elsewhere."""
        pairs = dict(part.split("=", 1) for part in self.options.split())
        if file is not None:
            pairs[self.option] = str(file)
        return pairs

    @property
    def file_name(self) -> str:
        """A name for it outside the cache: many are published as `model.safetensors`."""
        return self.name + Path(self.file).suffix

    def carried(self, to: Path) -> Path:
        """Where it lies in a folder to be carried; with companions, in one of its own there."""
        return to / self.name / self.file if self.companions else to / self.file_name


def _sam2(name: str, megabytes: float) -> Checkpoint:
    """File names as in sam2.build_sam.HF_MODEL_ID_TO_FILENAMES."""
    file = name.replace("-hiera-", "_hiera_").replace("-", "_") + ".pt"
    model = f"model={name}"
    return Checkpoint(name, "sam2", model, f"facebook/{name}", file, megabytes, "Apache-2.0", "")


def _timm(name: str, megabytes: float, licence: str = "Apache-2.0") -> Checkpoint:
    """Repositories as in the library's own table; DINOv3, C-RADIO have licences to agree to."""
    model = f"model={name.partition('.')[0]}"
    file = "model.safetensors"
    return Checkpoint(name, "dinov2", model, f"timm/{name}", file, megabytes, licence, "")


def _clip(
    model: str, tag: str, repository: str, megabytes: float, licence: str = "MIT"
) -> Checkpoint:
    """Repositories as in open_clip.pretrained."""
    options = f"model={model} pretrained={tag}"
    file = "open_clip_model.safetensors"
    name = f"{model}.{tag}"
    return Checkpoint(name, "openclip", options, repository, file, megabytes, licence, "")


def _siglip2(model: str, megabytes: float) -> Checkpoint:
    """Its words are read by a tokenizer of the library transformers."""
    known = _clip(model, "webli", f"timm/{model}", megabytes, "Apache-2.0")
    return known._replace(companions=TOKENIZER)


def _mobileclip2(model: str, megabytes: float) -> Checkpoint:
    """Apple lets its weights be used for research only."""
    repository = f"timm/{model}-OpenCLIP"
    return _clip(model, "dfndr2b", repository, megabytes, "Apple AMLR (research only)")


CHECKPOINTS = (
    _sam2("sam2.1-hiera-tiny", 155.9),
    _sam2("sam2.1-hiera-small", 184.2),
    _sam2("sam2.1-hiera-base-plus", 323.4),
    _sam2("sam2.1-hiera-large", 897.8),
    _sam2("sam2-hiera-tiny", 155.8),
    _sam2("sam2-hiera-small", 184.2),
    _sam2("sam2-hiera-base-plus", 323.3),
    _sam2("sam2-hiera-large", 897.7),
    _timm("vit_small_patch14_dinov2.lvd142m", 88.2),
    _timm("vit_base_patch14_dinov2.lvd142m", 346.3),
    _timm("vit_large_patch14_dinov2.lvd142m", 1217.5),
    _timm("vit_small_patch14_reg4_dinov2.lvd142m", 88.2),
    _timm("vit_base_patch14_reg4_dinov2.lvd142m", 346.3),
    _timm("vit_large_patch14_reg4_dinov2.lvd142m", 1217.5),
    _timm("vit_small_patch16_dinov3.lvd1689m", 86.3, "DINOv3 License"),
    _timm("vit_base_patch16_dinov3.lvd1689m", 342.6, "DINOv3 License"),
    _timm("naflexvit_base_patch16_radio_v3.c_radio", 393.0, "NVIDIA Open Model License"),
    _timm("naflexvit_large_patch16_radio_v3.c_radio", 1279.7, "NVIDIA Open Model License"),
    _clip("ViT-B-32", "laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", 605.1),
    _clip("ViT-B-16", "laion2b_s34b_b88k", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", 598.5),
    _clip("ViT-B-16", "datacomp_xl_s13b_b90k", "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K", 598.5),
    _siglip2("ViT-B-32-SigLIP2-256", 1507.4),
    _siglip2("ViT-B-16-SigLIP2-256", 1500.9),
    _siglip2("ViT-B-16-SigLIP2-512", 1503.3),
    _siglip2("ViT-L-16-SigLIP2-256", 3526.1),
    _mobileclip2("MobileCLIP2-S0", 299.5),
    _mobileclip2("MobileCLIP2-S2", 397.5),
    _mobileclip2("MobileCLIP2-S3", 996.2),
    _mobileclip2("MobileCLIP2-B", 599.1),
    _mobileclip2("MobileCLIP2-L-14", 1710.5),
)
"""Checkpoints known by name; any other is used as checkpoint=PATH."""


def checkpoint(name: str) -> Checkpoint:
    """The checkpoint of that name; ValueError lists those there are."""
    for known in CHECKPOINTS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in CHECKPOINTS)
    raise BadInputError(f"checkpoint {name!r} is unknown, expected one of {names}")


def cache_folder() -> Path:
    """The hub's cache, as huggingface_hub itself chooses it."""
    home = os.environ.get("XDG_CACHE_HOME", "~/.cache") + "/huggingface"
    hub = os.environ.get("HF_HOME", home) + "/hub"
    hub = os.environ.get("HUGGINGFACE_HUB_CACHE", hub)
    return Path(os.path.expandvars(os.environ.get("HF_HUB_CACHE", hub))).expanduser()


def place(known: Checkpoint, cache: Path | None = None) -> Path:
    """The folder of the cache in which it lies, or would."""
    return (cache or cache_folder()) / f"models--{known.repository.replace('/', '--')}"


def cached(known: Checkpoint, cache: Path | None = None) -> Path | None:
    """The file in the cache, of the revision `main` if that is there, else None."""
    folder = place(known, cache)
    main = folder / "refs" / "main"
    revisions = sorted(folder.glob("snapshots/*"))
    if main.is_file():
        revisions.insert(0, folder / "snapshots" / main.read_text().strip())
    files = (revision / known.file for revision in revisions)
    return next((file for file in files if file.is_file()), None)


def locate(known: Checkpoint, *, cache: Path | None = None, allow_download: bool = False) -> Path:
    """Its file on this machine; a download only where that is allowed.

    Raises:
        ValueError: it is not here; says which file of which size, and the command that fetches it.
    """
    found = cached(known, cache)
    if found is not None:
        return found
    if allow_download:
        return fetch(known, cache=cache)
    by_hand = f"(or curl -Lo {known.file_name} {known.url})"
    if known.companions:
        by_hand = f"(with {' and '.join(known.companions)} beside it)"
    raise BadInputError(
        f"checkpoint {known.file} ({known.megabytes:.0f} MB) of {known.name} is not in "
        f"{place(known, cache)}. Where there is a network: f4x weights fetch {known.name} --to . "
        f"{by_hand}; then give the file as {known.option}=PATH. "
        "To fetch it from here: allow_download=true"
    )


def fetch(
    known: Checkpoint,
    *,
    to: Path | None = None,
    cache: Path | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Path:
    """Download into the folder `to`, or else, by huggingface_hub, into the cache.

    Args:
        progress: called with the bytes that came so far; with `to` only.

    Raises:
        ValueError: it cannot be fetched, or what came is not what is published.
    """
    if to is not None:
        file = known.carried(to)
        for companion in known.companions:
            download(known.url_of(companion), file.parent / companion)
        return download(known.url, file, known.sha256, progress)
    try:
        hub = import_module("huggingface_hub")
    except ImportError as error:
        raise BadInputError(
            f"the cache belongs to huggingface_hub, which is not installed here ({error}): "
            "pip install 'f4x-ros[models]', or name a folder (--to)"
        ) from error
    try:
        for companion in known.companions:
            hub.hf_hub_download(known.repository, companion, cache_dir=cache)
        path = hub.hf_hub_download(known.repository, known.file, cache_dir=cache)
    except Exception as error:  # the library, httpx and the system each have their own
        raise BadInputError(
            f"checkpoint {known.name} cannot be fetched: {one_line(error)}"
        ) from error
    return Path(path)


def published_sha256(file: Path) -> str:
    """What the hub said the SHA-256 is: its cache names the file a link leads to so; else empty."""
    name = file.resolve().name
    return name if SHA256.fullmatch(name) else ""
