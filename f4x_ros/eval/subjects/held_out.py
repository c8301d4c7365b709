# SPDX-License-Identifier: Apache-2.0
"""Frames kept aside to measure the finished map."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame, PinholeCamera, Pose
from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.metrics.common import (
    depth_errors_m,
    depth_ratios,
    mean_or_none,
    median_or_none,
    psnr_db,
)

_PERFECT_DB = 100.0  # stands for the infinity of two equal pictures, so that means exist


class Quality(NamedTuple):
    """What the held-out frames say about the map; None where nothing could be compared."""

    psnr_db: float | None  # mean over the frames
    depth_median_error_m: float | None  # over the pixels of all frames
    frames: int  # compared
    psnr_of: Mapping[str, float | None] = MappingProxyType({})  # of each camera with a name
    depth_scale: float | None = None  # depth of the map by measured depth, median over all pixels
    depth_relative_error: float | None = None  # median over all pixels after this scale


@dataclass(frozen=True, eq=False)
class _Kept:
    """A frame, losslessly compressed."""

    stamp_ns: int
    camera: PinholeCamera
    T_map_camera: Pose
    rgb_png: NDArray[np.uint8]
    depth_zlib: bytes | None
    observed_zlib: bytes | None
    camera_name: str

    @classmethod
    def of(cls, frame: Frame) -> _Kept:
        done, png = cv2.imencode(".png", frame.rgb)  # as BGR, and decoded as BGR: no swap needed
        if not done or frame.T_map_camera is None:
            raise BadInputError("the frame has no pose or its picture cannot be compressed")
        depth = None if frame.depth is None else zlib.compress(frame.depth.tobytes(), 1)
        seen = None if frame.observed is None else zlib.compress(frame.observed.tobytes(), 1)
        return cls(
            *(frame.stamp_ns, frame.camera, frame.T_map_camera, png, depth, seen),
            frame.camera_name,
        )

    @property
    def nbytes(self) -> int:
        return self.rgb_png.nbytes + len(self.depth_zlib or b"") + len(self.observed_zlib or b"")

    def rgb(self) -> NDArray[np.uint8]:
        return np.asarray(cv2.imdecode(self.rgb_png, cv2.IMREAD_COLOR), np.uint8)

    def depth(self) -> NDArray[np.float32] | None:
        if self.depth_zlib is None:
            return None
        flat = np.frombuffer(zlib.decompress(self.depth_zlib), np.float32)
        return flat.reshape(self.camera.height, self.camera.width)

    def observed(self) -> NDArray[np.bool_]:
        """``[H, W]`` pixels that show something."""
        size = (self.camera.height, self.camera.width)
        if self.observed_zlib is None:
            return np.ones(size, bool)
        return np.frombuffer(zlib.decompress(self.observed_zlib), np.bool_).reshape(size)


class _OfCamera:
    """Frames of one camera within `max_bytes`, evenly spaced."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: list[_Kept] = []
        self.nbytes = 0
        self._stride = 1
        self._seen = 0

    def __iter__(self) -> Iterator[_Kept]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, frame: Frame) -> None:
        if self._seen % self._stride == 0:
            self._kept.append(_Kept.of(frame))
            self.nbytes += self._kept[-1].nbytes
            while self.nbytes > self._max_bytes and len(self._kept) > 1:
                self._kept = self._kept[::2]
                self.nbytes = sum(kept.nbytes for kept in self._kept)
                self._stride *= 2
        self._seen += 1


class HeldOut:
    """Keeps frames of each camera within `max_bytes`.

    When there are too many, every second one goes, and from then on only every second is kept, so
    they stay evenly spaced over a run of any length.
    """

    def __init__(self, max_bytes: int = 200_000_000) -> None:
        self._max_bytes = max_bytes
        self._of: dict[str, _OfCamera] = {}

    @property
    def nbytes(self) -> int:
        """What is kept, compressed."""
        return sum(kept.nbytes for kept in self._of.values())

    def __len__(self) -> int:
        return sum(len(kept) for kept in self._of.values())

    def add(self, frame: Frame) -> None:
        """Keep a frame that has a pose."""
        name = frame.camera_name
        if name not in self._of:
            self._of[name] = _OfCamera(self._max_bytes)
        self._of[name].add(frame)

    def evaluate(self, perception: Any) -> Quality:
        """Compare each frame with what the map shows at its pose and its stamp.

        Only pixels that show something count; a frame without any is not compared.
        """
        psnrs, errors, ratios = dict[str, list[float]](), [], []
        for kept in (kept for own in self._of.values() for kept in own):
            seen = kept.observed()
            if not seen.any():
                continue
            view = perception.render(
                kept.camera, kept.T_map_camera, kept.stamp_ns, camera_name=kept.camera_name
            )
            own = psnrs.setdefault(kept.camera_name, [])
            own.append(min(_PERFECT_DB, psnr_db(view.color[seen], kept.rgb()[seen])))
            depth = kept.depth()  # (0, no reading, where nothing was seen)
            if depth is not None:
                errors.append(depth_errors_m(view, depth))
                ratios.append(depth_ratios(view, depth))
        all_of_them = [value for values in psnrs.values() for value in values]
        scale = median_or_none(ratios)
        relative = None
        if scale is not None:
            relative = median_or_none([np.abs(one / np.float32(scale) - 1) for one in ratios])
        return Quality(
            mean_or_none(all_of_them),
            median_or_none(errors),
            len(all_of_them),
            {name: mean_or_none(values) for name, values in psnrs.items() if name},
            scale,
            relative,
        )
