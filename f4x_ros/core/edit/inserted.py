# SPDX-License-Identifier: Apache-2.0
"""Splats from files: read from a PLY or another map, and put into a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from f4x_ros.core.edit.change import moved
from f4x_ros.core.edit.edit import Edit
from f4x_ros.core.errors import BadInputError, CorruptError
from f4x_ros.core.field import Snapshot

COLUMNS = {"means": 3, "quats": 4, "scales": 3, "opacities": 1, "colors": 3}
"""What an inserted splat is made of, and the numbers of each."""

_SH_C0 = 0.28209479177387814  # of the spherical harmonic of degree 0
_MOST = 2_000_000  # Gaussians of a file that are taken in
_HEADER = 65536  # bytes a header may have

Rows = dict[str, NDArray[Any]]


def read_ply(path: str | Path) -> Rows:
    """The Gaussians of a PLY in the 3DGS layout (Kerbl et al., 2023), of degree-0 colours.

    Higher harmonics are left out.

    Raises:
        ValueError: it is none, or damaged; names the file and what was expected.
        OSError: it cannot be read.
    """
    data = Path(path).expanduser().read_bytes()
    end = data.find(b"end_header\n", 0, _HEADER)
    if not data.startswith(b"ply") or end < 0:
        raise CorruptError(f"{path} is no PLY, expected one of Gaussians (3DGS layout)")
    lines = data[:end].decode("ascii", "replace").splitlines()
    if "format binary_little_endian 1.0" not in lines:
        raise CorruptError(f"{path} is {lines[1]!r}, expected format binary_little_endian 1.0")
    count = next((int(x.split()[2]) for x in lines if x.startswith("element vertex ")), -1)
    names = [x.split()[2] for x in lines if x.startswith("property float ")]
    if any(x.startswith("property") and not x.startswith("property float ") for x in lines):
        raise CorruptError(f"{path} has properties that are no floats, expected Gaussians")
    if not 0 < count <= _MOST:
        raise CorruptError(f"{path} has {count} Gaussians, expected 1 to {_MOST}")
    body = data[end + len(b"end_header\n") :]
    if len(body) < count * 4 * len(names):
        raise CorruptError(
            f"{path} is cut off: {len(body)} bytes, expected {count * 4 * len(names)}"
        )
    table = np.frombuffer(body, "<f4", count * len(names)).reshape(count, len(names))
    column = {name: table[:, k] for k, name in enumerate(names)}

    def some(*wanted: str) -> NDArray[np.float32]:
        missing = [name for name in wanted if name not in column]
        if missing:
            raise CorruptError(f"{path} has no {missing[0]!r}, expected a PLY of Gaussians")
        return np.stack([column[name] for name in wanted], 1).astype(np.float32)

    return checked_rows(
        {
            "means": some("x", "y", "z"),
            "quats": some("rot_0", "rot_1", "rot_2", "rot_3"),
            "scales": np.exp(some("scale_0", "scale_1", "scale_2").clip(-30, 5)),
            "opacities": 1 / (1 + np.exp(-some("opacity")[:, 0].clip(-30, 30))),
            "colors": (some("f_dc_0", "f_dc_1", "f_dc_2") * _SH_C0 + 0.5).clip(0, 1),
        },
        str(path),
    )


def checked_rows(rows: Rows, what: str) -> Rows:
    """The columns of a splat, if they are that.

    Raises:
        ValueError: one is missing, has another shape or is not finite; names it.
    """
    counts = {len(rows[name]) for name in COLUMNS if name in rows}
    for name, width in COLUMNS.items():
        if name not in rows:
            raise BadInputError(f"{what} has no {name}, expected {', '.join(COLUMNS)}")
        shape = (len(rows[name]),) if width == 1 else (len(rows[name]), width)
        if rows[name].shape != shape or len(counts) != 1:
            raise BadInputError(f"{name} of {what} is {rows[name].shape}, expected {shape}")
        if not np.isfinite(rows[name]).all():
            raise BadInputError(f"{name} of {what} is not finite")
    return {name: np.ascontiguousarray(rows[name], np.float32) for name in COLUMNS}


def rows_of_map(present: Mapping[str, NDArray[Any]], what: str) -> Rows:
    """What is there at the end of a map, from the columns of its file."""
    return checked_rows(
        {
            "means": present["means"],
            "quats": present["quats"],
            "scales": np.exp(present["log_scales"]),
            "opacities": 1 / (1 + np.exp(-present["logit_opacities"])),
            "colors": present["colors"],
        },
        what,
    )


def inserted(edit: Edit, like: Snapshot) -> Snapshot:
    """What an insertion puts in, with no feature and no id; on the device of a snapshot."""
    assert edit.rows is not None
    own = {name: torch.from_numpy(edit.rows[name]).to(like.means) for name in COLUMNS}
    count = len(own["means"])
    nothing = {
        name: torch.zeros((count, *getattr(like, name).shape[1:]), device=like.means.device).to(
            getattr(like, name).dtype
        )
        for name in ("latents", "latent_weights", "latent_vars", "object_ids", "piece_ids",
                     "body_ids", "seen_s")
    }  # fmt: skip
    birth = torch.full((count,), -torch.inf, dtype=like.birth_s.dtype, device=like.means.device)
    return moved(Snapshot(**own, **nothing, birth_s=birth), edit.transform, edit.scale)
