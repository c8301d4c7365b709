# SPDX-License-Identifier: Apache-2.0
"""The map on disk: one zip of numpy arrays and a JSON header (no pickle), and PLY for viewers."""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from f4x_ros.core.ask import PromptSet
from f4x_ros.core.base import atomic_write, on_host
from f4x_ros.core.config import Config
from f4x_ros.core.data import Frame, PinholeCamera
from f4x_ros.core.errors import CorruptError
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.field import GaussianField
from f4x_ros.core.files import map_layout
from f4x_ros.core.motion import Trajectory
from f4x_ros.core.objects import Tracker
from f4x_ros.core.observe import ExposureTrack

FORMAT = "f4x-map-6"  # 2: tracks; 3: several models; 4: pieces; 5: history of tracks; 6: bodies
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

    path: Path
    config: Config
    prompts: list[str]
    thresholds: list[float]
    last: LastView
    fingerprints: dict[str, str]
    groups: dict[str, dict[str, NDArray[Any]]]
    edits: dict[str, NDArray[Any]]  # as `core.edit` wrote them; {} of a map without edits

    def restore(
        self,
        field: GaussianField,
        codec: LatentCodec,
        exposures: ExposureTrack,
        trajectory: Trajectory,
        tracker: Tracker,
    ) -> None:
        """Fill fresh objects with what was stored; ValueError if it does not fit them."""
        for name, target in (("present", field.present), ("past", field.past)):
            target.append({k: v.to(field.device) for k, v in self._tensors(name).items()})
        with reading(self.path, "codec"):
            codec.load_state_dict(self._tensors("codec"))
        exposures.load_state(self._tensors("exposures"))
        path = self.groups["trajectory"]
        trajectory.load_arrays(path["stamps_ns"], path["T_map_camera"], int(path["origin_ns"]))
        with reading(self.path, "bodies"):
            field.paths.load_arrays(self.groups["bodies"])
        with reading(self.path, "tracks"):
            tracker.load_state(self.groups["tracks"])

    def _tensors(self, group: str) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(value) for name, value in self.groups[group].items()}


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
    tracker: Tracker,
    fingerprints: Mapping[str, str],
    edits: Mapping[str, NDArray[Any]],
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
        "fingerprints": dict(fingerprints),
    }
    present, past = field.whole()
    groups: dict[str, dict[str, NDArray[Any]]] = {
        "present": _columns(present),
        "past": _columns(past),
        "codec": {k: v.numpy() for k, v in codec.state_dict().items()},
        "exposures": {k: v.numpy() for k, v in exposures.state().items()},
        "trajectory": trajectory.arrays(),
        "bodies": field.paths.arrays(),
        "tracks": tracker.state(),
        "edits": dict(edits),  # has a version of its own; without edits there is nothing of it
    }
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr("header.json", json.dumps(header, indent=1))
        for group, arrays in groups.items():
            for name, value in arrays.items():
                with bundle.open(f"{group}/{name}.npy", "w", force_zip64=True) as entry:
                    # (ascontiguousarray would turn a number into an array of one)
                    whole = np.asarray(value, order="C")
                    np.lib.format.write_array(entry, whole, allow_pickle=False)


def _columns(gaussians: Mapping[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
    stored = {n: column for n, column in gaussians.items() if n not in map_layout.NOT_STORED}
    return dict(zip(stored, on_host(*stored.values()), strict=True))


def load(path: Path) -> StoredMap:
    """Read a map file.

    Raises:
        ValueError: it is no map, it is of another version, or a part of it is missing, damaged or
            does not fit the others; names the file and the part.
        OSError: it cannot be opened.
    """
    try:
        bundle = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError) as error:
        raise CorruptError(f"{path} is not a map file ({error}), expected {FORMAT}") from error
    with bundle:
        header = _header(path, bundle)
        with reading(path, "config"):
            config = Config.from_dotted(header["config"])
        with reading(path, "camera"):
            camera = PinholeCamera(**header["camera"])
        with reading(path, "header"):
            last = LastView(camera, str(header["frame_id"]), str(header["map_frame"]))
            prompts = [str(text) for text in header["prompts"]]
            thresholds = [float(value) for value in header["thresholds"]]
            fingerprints = {str(k): str(v) for k, v in header["fingerprints"].items()}
        arrays = {}
        for name in bundle.namelist():
            if name.endswith(".npy"):
                with reading(path, name[:-4]), bundle.open(name) as entry:
                    arrays[name[:-4]] = np.lib.format.read_array(entry, allow_pickle=False)
    groups = map_layout.checked_groups(path, arrays, config.field.latent_dim)
    edits = {
        name.removeprefix("edits/"): array
        for name, array in arrays.items()
        if name.startswith("edits/")
    }
    return StoredMap(path, config, prompts, thresholds, last, fingerprints, groups, edits)


def _header(path: Path, bundle: zipfile.ZipFile) -> dict[str, Any]:
    with reading(path, "header"):
        header = json.loads(bundle.read("header.json"))
        version = header.get("format")
    if version != FORMAT:
        raise CorruptError(f"{path} has format {version!r}, expected {FORMAT}")
    whole: dict[str, Any] = header
    return whole


@contextmanager
def reading(path: Path, part: str) -> Iterator[None]:
    """Whatever is wrong with a part of a map file becomes a ValueError that names both."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ArithmeticError,
        AttributeError,
        LookupError,
        NotImplementedError,
        TypeError,
        ValueError,
    ) as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise CorruptError(f"{path} is not a map file: its '{part}' says {kind}{error}") from error


def export_ply(path: Path, gaussians: Mapping[str, torch.Tensor]) -> None:
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
