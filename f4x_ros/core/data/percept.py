# SPDX-License-Identifier: Apache-2.0
"""What goes out for each frame: masks, tracks, cloud and pictures of one stamp."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.poses import Pose
from f4x_ros.core.data.track import Track

UNLABELLED = 65535
"""Label of pixels that the field does not explain yet."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Semantic points in the map frame, one per Gaussian."""

    xyz: NDArray[np.float32]  # [N, 3] metres, map frame
    rgb: NDArray[np.uint8]  # [N, 3]
    label: NDArray[np.uint16]  # [N] 0 background, q + 1 prompt q, 65535 unlabelled
    score: NDArray[np.float32]  # [N] of the label's prompt, 0..1
    age: NDArray[np.float32]  # [N] seconds since the point was last observed
    object: NDArray[np.uint32]  # [N] track id, 0 = none

    def __len__(self) -> int:
        return len(self.xyz)

    def where(self, label: int) -> Cloud:
        """The points of one label."""
        rows = self.label == label
        return Cloud(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True)
class Outputs:
    """What a caller wants from `Perception.process`; the rest is not computed.

    `labels` without `masks` is what prompts by the hundred can pay for: a label and its probability
    for each pixel, whatever their number.
    """

    masks: bool = True  # [Q, H, W], and `labels`
    cloud: bool = True
    tracks: bool = True
    moving: bool = True
    labels: bool = False


@dataclass(eq=False)
class Percept:
    """Everything computed from one frame, with that frame's stamp, frame and camera."""

    stamp_ns: int
    frame_id: str
    map_frame: str
    camera: PinholeCamera
    T_map_camera: Pose
    prompts: tuple[str, ...]
    thresholds: tuple[float, ...]
    encoder: str
    masks: NDArray[np.float32] | None  # [Q, H, W] probability per prompt
    labels: NDArray[np.uint16] | None  # [H, W] 0 background, q + 1 prompt q, 65535 unlabelled
    tracks: tuple[Track, ...]
    cloud: Cloud | None
    color: NDArray[np.uint8]  # [H, W, 3] the field seen by the frame's camera
    depth: NDArray[np.float32]  # [H, W] metres, 0 where the field is empty
    alpha: NDArray[np.float32]  # [H, W] 0..1
    # [H, W] probability of the label's prompt; where there is none, of the likeliest prompt
    certainty: NDArray[np.float32] | None = None
    moving: NDArray[np.float32] | None = None  # [H, W] probability that it shows what moves now
    timings_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    camera_name: str = ""  # of the camera whose frame it was; "" = the only one


@dataclass(frozen=True, eq=False)
class RenderedView:
    """The field seen by a camera."""

    color: NDArray[np.uint8]  # [H, W, 3]
    depth: NDArray[np.float32]  # [H, W] metres, 0 where the field is empty
    alpha: NDArray[np.float32]  # [H, W] 0..1
