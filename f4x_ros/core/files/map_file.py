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
from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.errors import CorruptError
from f4x_ros.core.features.codec import LatentCodec
from f4x_ros.core.field import GaussianField
from f4x_ros.core.files import map_layout
from f4x_ros.core.motion import CameraMemory, Cameras, LastView
from f4x_ros.core.objects import Tracker

FORMAT = "f4x-map-6"  # 2: tracks; 3: several models; 4: pieces; 5: history of tracks; 6: bodies
_SH_C0 = 0.28209479177387814  # of the spherical harmonic of degree 0


@dataclass(frozen=True, eq=False)
class StoredMap:
    """The content of a map file."""

    path: Path
    config: Config
    prompts: list[str]
    thresholds: list[float]
    cameras: list[tuple[str, LastView]]  # names and what is left of the last frame, `main` first
    fingerprints: dict[str, str]
    groups: dict[str, dict[str, NDArray[Any]]]
    edits: dict[str, NDArray[Any]]  # as `core.edit` wrote them; {} of a map without edits

    def restore(
        self,
        field: GaussianField,
        codec: LatentCodec,
        cameras: Cameras,
        tracker: Tracker,
    ) -> None:
        """Fill fresh objects with what was stored; ValueError if it does not fit them."""
        for name, target in (("present", field.present), ("past", field.past)):
            target.append({k: v.to(field.device) for k, v in self._tensors(name).items()})
        with reading(self.path, "codec"):
            codec.load_state_dict(self._tensors("codec"))
        seen = [cameras.blank(name, last) for name, last in self.cameras]
        for number, camera in enumerate(seen):
            camera.exposures.load_state(self._tensors(_of_camera("exposures", number)))
            path = self.groups[_of_camera("trajectory", number)]
            camera.path.load_arrays(path["stamps_ns"], path["T_map_camera"], int(path["origin_ns"]))
            camera.mapped = len(camera.path)
        cameras.restore(seen, int(self.groups["trajectory"]["origin_ns"]))
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
    cameras: Cameras,
    field: GaussianField,
    codec: LatentCodec,
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
        **_last_view(cameras.main),
        "fingerprints": dict(fingerprints),
    }
    if len(cameras) > 1:
        header["more_cameras"] = [_last_view(camera) for camera in cameras.known[1:]]
    present, past = field.whole()
    groups: dict[str, dict[str, NDArray[Any]]] = {
        "present": _columns(present),
        "past": _columns(past),
        "codec": {k: v.numpy() for k, v in codec.state_dict().items()},
        "bodies": field.paths.arrays(),
        "tracks": tracker.state(),
        "edits": dict(edits),  # has a version of its own; without edits there is nothing of it
    }
    for number, camera in enumerate(cameras.known):
        exposures = {k: v.numpy() for k, v in camera.exposures.state().items()}
        groups[_of_camera("exposures", number)] = exposures
        groups[_of_camera("trajectory", number)] = camera.path.arrays()
    groups["trajectory"]["origin_ns"] = np.array(cameras.origin_ns)
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr("header.json", json.dumps(header, indent=1))
        for group, arrays in groups.items():
            for name, value in arrays.items():
                with bundle.open(f"{group}/{name}.npy", "w", force_zip64=True) as entry:
                    # (ascontiguousarray would turn a number into an array of one)
                    whole = np.asarray(value, order="C")
                    np.lib.format.write_array(entry, whole, allow_pickle=False)


def _of_camera(group: str, number: int) -> str:
    """Where what belongs to a camera is: of the first, as where there is only one."""
    return f"{group}_{number}" if number else group


def _last_view(camera: CameraMemory) -> dict[str, Any]:
    last = camera.last
    assert last is not None  # a known camera had a frame
    named = {"camera_name": camera.name} if camera.name else {}
    return {
        "camera": dataclasses.asdict(last.camera),
        "frame_id": last.frame_id,
        "map_frame": last.map_frame,
        **named,
    }


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
            views = [header, *header.get("more_cameras", ())]
            cameras = [_stored_view(view) for view in views]
            if len({name for name, _ in cameras}) < len(cameras):
                raise ValueError(f"two of one name: {[name for name, _ in cameras]}")
        with reading(path, "header"):
            prompts = [str(text) for text in header["prompts"]]
            thresholds = [float(value) for value in header["thresholds"]]
            fingerprints = {str(k): str(v) for k, v in header["fingerprints"].items()}
        arrays = {}
        for name in bundle.namelist():
            if name.endswith(".npy"):
                with reading(path, name[:-4]), bundle.open(name) as entry:
                    arrays[name[:-4]] = np.lib.format.read_array(entry, allow_pickle=False)
    groups = map_layout.checked_groups(path, arrays, config.field.latent_dim, len(cameras))
    edits = {
        name.removeprefix("edits/"): array
        for name, array in arrays.items()
        if name.startswith("edits/")
    }
    return StoredMap(path, config, prompts, thresholds, cameras, fingerprints, groups, edits)


def _stored_view(view: Mapping[str, Any]) -> tuple[str, LastView]:
    """The name of a camera, and what is left of its last frame."""
    camera = PinholeCamera(**view["camera"])
    last = LastView(camera, str(view["frame_id"]), str(view["map_frame"]))
    return str(view.get("camera_name", "")), last


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
