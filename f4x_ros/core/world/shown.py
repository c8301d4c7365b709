# SPDX-License-Identifier: Apache-2.0
"""Pictures of the map from anywhere at any moment: colours, depth and labels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from f4x_ros.core.ask import Asker, Labelling, PromptSet, prompts_at_once
from f4x_ros.core.base import on_host
from f4x_ros.core.base.limits import MAX_ORBIT_RAD, MAX_PICTURE_PX
from f4x_ros.core.data import PinholeCamera, Pose, RenderedView, ShownView
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import EMPTY_ALPHA, to_picture
from f4x_ros.core.render import RenderOutput
from f4x_ros.core.world.memory import Memory
from f4x_ros.core.world.points import velocities

_MIDDLE = 0.1  # of the picture's sides: whose depth says about what a view is turned
_USUAL_M = 2.0  # where there is nothing in the middle


def check_moment(memory: Memory, stamp_ns: int) -> None:
    """ValueError for a moment that cannot be shown: it has not been yet.

    (Moments before the first frame are refused where the pose of then is looked up.)
    """
    ahead_s = (stamp_ns - memory.stamp_ns) / 1e9
    if memory.stamp_ns and ahead_s > 0:
        raise BadInputError(
            f"stamp {stamp_ns / 1e9:.3f} s is {ahead_s:.3f} s after the last frame, expected a "
            "moment until then: what is going to be cannot be drawn (predictions have boxes)"
        )


def sized(camera: PinholeCamera, width: int) -> PinholeCamera:
    """The same view with so many columns; 0 = as it is.

    Raises:
        ValueError: more than `MAX_PICTURE_PX` on a side.
    """
    if not 0 <= width <= MAX_PICTURE_PX:
        raise BadInputError(f"width is {width}, expected 0 to {MAX_PICTURE_PX} (0 = the camera's)")
    made = camera.scaled(width / camera.width) if width else camera
    if max(made.width, made.height) > MAX_PICTURE_PX:
        raise BadInputError(
            f"the picture has {made.width}x{made.height} pixels, expected at most "
            f"{MAX_PICTURE_PX} on a side: say a smaller width"
        )
    return made


@torch.no_grad()
def shown(
    memory: Memory,
    asker: Asker,
    prompts: PromptSet | None,
    *,
    stamp_ns: int,
    view: Pose | None,
    camera: PinholeCamera | None,
    orbit_rad: float,
    width: int,
    want_velocity: bool,
) -> ShownView:
    """The map as `Perception.show` says."""
    if not abs(orbit_rad) <= MAX_ORBIT_RAD:  # (NaN is refused, too)
        raise BadInputError(f"orbit is {orbit_rad:g} rad, expected within {MAX_ORBIT_RAD:g} of 0")
    check_moment(memory, stamp_ns)
    last, pose, time_s = memory.viewpoint(view, stamp_ns)
    asked = sized(camera or last.camera, width)
    if orbit_rad:
        small = asked.scaled(min(1.0, 160 / asked.width))
        picture = _picture(memory, asker, stamp_ns, pose, small)[0]
        pose = orbited(pose, _middle_m(picture.depth), orbit_rad)
    picture, labels = _picture(memory, asker, stamp_ns, pose, asked, prompts)
    return ShownView(
        **vars(picture),
        stamp_ns=stamp_ns or memory.stamp_ns,
        frame_id=last.frame_id,
        map_frame=last.map_frame,
        camera=asked,
        T_map_camera=pose,
        labels=labels,
        prompts=() if prompts is None else prompts.texts,
        velocity=_flow(memory, asker, stamp_ns, pose, asked, time_s) if want_velocity else None,
    )


def _picture(
    memory: Memory,
    asker: Asker,
    stamp_ns: int,
    pose: Pose,
    camera: PinholeCamera,
    prompts: PromptSet | None = None,
) -> tuple[RenderedView, NDArray[np.uint16] | None]:
    """Colours and depth, and the labels that the published masks would have."""
    scene = memory.scene(stamp_ns, pose, camera, wanted=prompts)
    snapshot, exposure = scene.snapshot, memory.exposures.at(scene.time_s)

    def drawn(parts: list[Tensor]) -> RenderOutput:
        return snapshot.render(torch.cat(parts, 1), camera, pose, asker.backend)

    if prompts is None:
        return to_picture(drawn([snapshot.colors]), exposure), None
    _, scores = asker.standing(memory.distiller, snapshot, prompts)
    first, *others = torch.split(scores, prompts_at_once(*camera.shape), 1)
    out = drawn([snapshot.colors, first])
    labelling = Labelling(out.alpha, prompts.thresholds, keep=False)
    labelling.add(out.image[..., 3:])
    for more in others:
        labelling.add(drawn([more]).image)
    return to_picture(out, exposure), labelling.result()[1]


def _flow(
    memory: Memory,
    asker: Asker,
    stamp_ns: int,
    pose: Pose,
    camera: PinholeCamera,
    time_s: float,
) -> NDArray[np.float32]:
    """Velocity [H, W, 3] of what each pixel shows, m/s, map frame; 0 where the map is empty."""
    snapshot = memory.scene(stamp_ns, pose, camera).snapshot
    last_s = memory.seconds(memory.stamp_ns)
    going = velocities(snapshot, memory.field.paths, time_s, last_s)
    out = snapshot.render(going, camera, pose, asker.backend)
    mean = out.image / out.alpha.clamp(min=EMPTY_ALPHA)[..., None]
    (flow,) = on_host(torch.where((out.alpha > EMPTY_ALPHA)[..., None], mean, 0))
    return flow.astype(np.float32)


def _middle_m(depth: NDArray[np.float32]) -> float:
    """Median depth of the middle of a picture [H, W], metres."""
    height, width = depth.shape
    rows, columns = max(1, round(height * _MIDDLE)), max(1, round(width * _MIDDLE))
    y, x = height // 2, width // 2
    middle = depth[max(0, y - rows) : y + rows, max(0, x - columns) : x + columns]
    there = middle[middle > 0]
    return float(np.median(there)) if there.size else _USUAL_M


def orbited(T_map_camera: Pose, distance_m: float, angle_rad: float) -> Pose:
    """A pose turned about a point ahead, around the map's z axis; positive: to the right."""
    target = T_map_camera[:3, 3] + distance_m * T_map_camera[:3, 2]
    turn = Rotation.from_rotvec([0.0, 0.0, angle_rad]).as_matrix()
    made = np.eye(4)
    made[:3, :3] = turn @ T_map_camera[:3, :3]
    made[:3, 3] = target + turn @ (T_map_camera[:3, 3] - target)
    return made
