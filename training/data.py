# SPDX-License-Identifier: Apache-2.0
"""All drawn rooms in memory, ready for random crops on any device."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.store import StoredRoom
from training.views import HEIGHT, WIDTH
from training.vocabulary import Kind, kind_of, with_kinds

NOTHING = -1  # a pixel without a kind
_FOCI = 16  # places of an image that crops are centred on


@dataclass(frozen=True)
class Pool:
    """N images and what each pixel shows.

    Attributes:
        rgb: [N, H, W, 3] uint8.
        kinds: [N, H, W] int16 numbers of kinds, `NOTHING` where there is none.
        foci: [N, F, 2] int64 row and column of a pixel of some thing; things are equally frequent.
    """

    rgb: Tensor
    kinds: Tensor
    foci: Tensor

    def __len__(self) -> int:
        return len(self.rgb)

    def to(self, device: torch.device) -> Pool:
        """The same on a device."""
        return Pool(self.rgb.to(device), self.kinds.to(device), self.foci.to(device))


def kinds_of(rooms: Sequence[StoredRoom], known: Sequence[Kind]) -> tuple[Kind, ...]:
    """The known kinds and those of the rooms beyond them."""
    found = (kind_of(label) for room in rooms for label in room.labels.values())
    return with_kinds(known, found)


def read_pool(
    rooms: Sequence[StoredRoom], kinds: Sequence[Kind], cache: Path | None = None
) -> Pool:
    """Read all images; with a folder, packed arrays are kept there and mapped the next time.

    Raises:
        ValueError: an image is damaged or of another size.
    """
    arrays = _cached(rooms, kinds, cache) if cache is not None else _read(rooms, kinds)
    rgb, numbers, foci = (torch.from_numpy(array) for array in arrays)
    return Pool(rgb, numbers, foci)


Arrays = tuple[NDArray[np.uint8], NDArray[np.int16], NDArray[np.int64]]


def _read(rooms: Sequence[StoredRoom], kinds: Sequence[Kind]) -> Arrays:
    number = {kind: place for place, kind in enumerate(kinds)}
    total = sum(room.views for room in rooms)
    rgb = np.empty((total, HEIGHT, WIDTH, 3), np.uint8)
    shown = np.empty((total, HEIGHT, WIDTH), np.int16)
    foci = np.empty((total, _FOCI, 2), np.int64)
    row = 0
    for room in rooms:
        table = np.full(65536, NOTHING, np.int16)
        for identity, label in room.labels.items():
            table[identity] = number[kind_of(label)]
        for view in range(room.views):
            picture, ids = room.rgb(view), room.instances(view)
            if picture.shape != rgb.shape[1:]:
                raise ValueError(f"picture {view} of {room.folder} is {picture.shape}")
            rgb[row], shown[row] = picture, table[ids]
            rng = np.random.default_rng(zlib.crc32(f"{room.folder.name}/{view}".encode()))
            foci[row] = _some_pixels(ids, rng)
            row += 1
    return rgb, shown, foci


def _some_pixels(ids: NDArray[np.uint16], rng: np.random.Generator) -> NDArray[np.int64]:
    """[F, 2] pixels; each thing beyond floor, wall and ceiling is as likely as any other."""
    things = np.unique(ids[ids > 3])
    if not len(things):
        return np.stack([rng.integers(HEIGHT, size=_FOCI), rng.integers(WIDTH, size=_FOCI)], 1)
    order = rng.permutation(np.resize(rng.permutation(things), _FOCI))
    places = {thing: np.argwhere(ids == thing) for thing in np.unique(order)}
    return np.stack([places[thing][rng.integers(len(places[thing]))] for thing in order])


def _cached(rooms: Sequence[StoredRoom], kinds: Sequence[Kind], cache: Path) -> Arrays:
    names = json.dumps([[str(room.folder), room.views] for room in rooms] + [list(kinds)])
    stem = f"pool_{zlib.crc32(names.encode()):08x}"
    paths = [cache / f"{stem}_{part}.npy" for part in ("rgb", "kinds", "foci")]
    if not all(path.is_file() for path in paths):
        cache.mkdir(parents=True, exist_ok=True)
        rgb, numbers, foci = _read(rooms, kinds)
        np.save(paths[0], rgb)
        np.save(paths[1], numbers)
        np.save(paths[2], foci)
    mapped = [np.load(path, mmap_mode="c") for path in paths]
    return mapped[0], mapped[1], mapped[2]
