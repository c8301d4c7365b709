# SPDX-License-Identifier: Apache-2.0
"""The map on disk: one zip of numpy arrays and a JSON header (no pickle), and PLY for viewers."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from f4x_ros.core.atomic import atomic_write
from f4x_ros.core.camera import PinholeCamera
from f4x_ros.core.config import Config
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.frame import Frame
from f4x_ros.core.gaussians import GaussianField, GaussianSet
from f4x_ros.core.mapping.exposure import ExposureTrack
from f4x_ros.core.query.prompts import PromptSet
from f4x_ros.core.trajectory import Trajectory

FORMAT = "f4x-map-1"
_OPTIMISER_COLUMNS = frozenset({"adam_m", "adam_v", "steps", "contradictions"})
_SH_C0 = 0.28209479177387814  # of the spherical harmonic of degree 0


@dataclass(frozen=True)
class LastView:
    """The camera and the frames a loaded map was last seen with."""

    camera: PinholeCamera
    frame_id: str
    map_frame: str


@dataclass(frozen=True, eq=False)
class StoredMap:
    """The content of a map file."""

    config: Config
    prompts: list[str]
    thresholds: list[float]
    last: LastView
    arrays: dict[str, NDArray[Any]]

    def restore(
        self,
        field: GaussianField,
        codec: LatentCodec,
        exposures: ExposureTrack,
        trajectory: Trajectory,
    ) -> None:
        """Fill fresh objects with what was stored."""
        groups: dict[str, dict[str, torch.Tensor]] = {}
        for name, value in self.arrays.items():
            group, key = name.split("/")
            groups.setdefault(group, {})[key] = torch.from_numpy(value)
        for name, target in (("present", field.present), ("past", field.past)):
            target.append({k: v.to(field.device) for k, v in groups[name].items()})
        codec.load_state_dict(groups["codec"])
        exposures.load_state(groups["exposures"])
        path = groups["trajectory"]
        trajectory.load_arrays(
            path["stamps_ns"].numpy(), path["T_map_camera"].numpy(), int(path["origin_ns"])
        )


def save(
    path: Path,
    *,
    config: Config,
    prompts: PromptSet,
    last: Frame | LastView,
    field: GaussianField,
    codec: LatentCodec,
    exposures: ExposureTrack,
    trajectory: Trajectory,
) -> None:
    """Write all that answering needs; OSError names the path, and nothing half-written is left."""
    header = {
        "format": FORMAT,
        "config": config.to_dotted(),
        "prompts": list(prompts.texts),
        "thresholds": list(prompts.thresholds),
        "camera": dataclasses.asdict(last.camera),
        "frame_id": last.frame_id,
        "map_frame": last.map_frame,
    }
    arrays = {
        **_columns("present", field.present),
        **_columns("past", field.past),
        **{f"codec/{k}": v.numpy() for k, v in codec.state_dict().items()},
        **{f"exposures/{k}": v.numpy() for k, v in exposures.state().items()},
        **{f"trajectory/{k}": v for k, v in trajectory.arrays().items()},
    }
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr("header.json", json.dumps(header, indent=1))
        for name, value in arrays.items():
            with bundle.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(value), allow_pickle=False)


def _columns(prefix: str, gaussians: GaussianSet) -> dict[str, NDArray[Any]]:
    return {
        f"{prefix}/{name}": tensor.detach().cpu().numpy()
        for name, tensor in gaussians.items()
        if name not in _OPTIMISER_COLUMNS
    }


def load(path: Path) -> StoredMap:
    """Read a map file.

    Raises:
        ValueError: it is no map, it is damaged, or it is of another version.
        OSError: it cannot be opened.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            header = json.loads(bundle.read("header.json"))
            if header.get("format") != FORMAT:
                raise ValueError(f"{path} has format {header.get('format')!r}, expected {FORMAT}")
            arrays = {}
            for name in bundle.namelist():
                if name.endswith(".npy"):
                    with bundle.open(name) as entry:
                        arrays[name[:-4]] = np.lib.format.read_array(entry, allow_pickle=False)
            _check_complete(path, arrays)
            return StoredMap(
                config=Config.from_dotted(header["config"]),
                prompts=header["prompts"],
                thresholds=header["thresholds"],
                last=LastView(
                    PinholeCamera(**header["camera"]), header["frame_id"], header["map_frame"]
                ),
                arrays=arrays,
            )
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError, EOFError) as error:
        raise ValueError(f"{path} is not a map file ({error}), expected {FORMAT}") from error


def _check_complete(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """ValueError unless every table of a map is there."""
    for group in ("present", "past", "codec", "exposures", "trajectory"):
        if not any(name.startswith(f"{group}/") for name in arrays):
            raise ValueError(f"{path} is not a whole map file: it has no '{group}'")


def export_ply(path: Path, gaussians: GaussianSet) -> None:
    """Write the 3DGS PLY layout (Kerbl et al., 2023) with degree-0 colours.

    Binary little endian; `f_dc` are spherical harmonics, `scale` logarithms, `opacity` logits,
    `rot` wxyz: what SuperSplat, antimatter15/splat, Blender add-ons and gsplat's viewer read.
    """
    names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"]
    names += ["scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    rows = torch.cat(
        [
            gaussians["means"],
            torch.zeros_like(gaussians["means"]),
            (gaussians["colors"] - 0.5) / _SH_C0,
            gaussians["logit_opacities"][:, None],
            gaussians["log_scales"],
            torch.nn.functional.normalize(gaussians["quats"], dim=-1),
        ],
        dim=1,
    )
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
    lines += [f"property float {name}" for name in names]
    lines += ["end_header", ""]
    with atomic_write(path) as file:
        file.write("\n".join(lines).encode("ascii"))
        file.write(rows.detach().cpu().numpy().astype("<f4").tobytes())
