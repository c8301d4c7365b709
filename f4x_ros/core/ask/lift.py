# SPDX-License-Identifier: Apache-2.0
"""Any per-pixel operator made consistent between views: run on pictures, kept by the field.

What Lift3D (Varma et al. 2024) trains a network for is here one transposed pass of the rasteriser
per view (`render.uplift`): every Gaussian takes the average of what the operator said about the
pixels it drew, and the target view is drawn from these averages. Nothing is optimised, for no
operator and no scene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from f4x_ros.core.data import PinholeCamera, Pose, viewmat
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import Snapshot
from f4x_ros.core.motion import Trajectory
from f4x_ros.core.observe import View
from f4x_ros.core.render import uplift

Operator = Callable[[Tensor], Tensor]
"""An image [3, H, W] in 0..1 to any quantity [C, h, w] of the same picture."""

Quantity = Literal["value", "depth"]

_SAME_DEPTH = 0.05  # share of the depth up to which picture and field show the same surface
_SOLID = 0.5  # alpha from which the field has a depth
_KNOWN = 0.05  # rendered share of Gaussians that a view has told about, below which is nothing


@dataclass(frozen=True, eq=False)
class PosedImage:
    """A picture [3, H, W] float 0..1 of the camera's size, and where it was taken.

    With a measured `depth` [H, W] (m, 0 = no reading), pixels that show something else than the
    field does at its time (a thing that has moved since) are left out.
    """

    image: Tensor
    camera: PinholeCamera
    T_map_camera: Pose
    depth: Tensor | None = None


def images_of(views: Sequence[View]) -> list[PosedImage]:
    """Recorded views (keyframes of the map) as pictures to lift from."""
    return [PosedImage(v.rgb.permute(2, 0, 1), v.camera, v.T_map_camera, v.depth) for v in views]


@torch.no_grad()
def drawn_images(
    snapshot: Snapshot, camera: PinholeCamera, path: Trajectory, backend: str, count: int = 24
) -> list[PosedImage]:
    """Pictures of the field itself, evenly in time along the camera's path.

    To lift from where no recorded ones are kept (a loaded map).
    """
    first, last = path.span_ns
    out = []
    for k in range(count):
        pose = path.at(first + (last - first) * k // max(1, count - 1))
        drawn = snapshot.render(snapshot.colors, camera, pose, backend)
        out.append(PosedImage(drawn.image.permute(2, 0, 1).clamp(0, 1), camera, pose))
    return out


@dataclass(frozen=True, eq=False)
class Lifted:
    """An operator's output as a property of the field; draw it from anywhere.

    Attributes:
        snapshot: the N Gaussians that carry it.
        values: [N, C] mean over the pixels a Gaussian drew.
        weights: [N] pixels behind it; 0 = no view showed it.
        quantity: see `lift`.
        backend: rasteriser.
    """

    snapshot: Snapshot
    values: Tensor
    weights: Tensor
    quantity: Quantity
    backend: str

    @torch.no_grad()
    def render(self, camera: PinholeCamera, T_map_camera: Pose) -> tuple[Tensor, Tensor]:
        """What the operator would have said of this view, [C, H, W], and how sure [H, W] 0..1.

        The second is the share of the pixel that is drawn by Gaussians some view has shown; where
        there is hardly any, the values are 0.
        """
        known = (self.weights > 0).to(self.values.dtype)[:, None]
        channels = torch.cat([self.values * known, known], 1)
        out = self.snapshot.render(channels, camera, T_map_camera, self.backend)
        share = out.image[..., -1]
        values = out.image[..., :-1] / share.clamp(min=_KNOWN)[..., None]
        if self.quantity == "depth":
            values = values * out.expected_depth[..., None]
        values = torch.where((share > _KNOWN)[..., None], values, 0)
        return values.permute(2, 0, 1).contiguous(), share.clamp(max=1)


@torch.no_grad()
def lift(
    snapshot: Snapshot,
    operator: Operator,
    views: Sequence[PosedImage],
    backend: str,
    *,
    quantity: Quantity = "value",
) -> Lifted:
    """Run an operator on pictures and gather what it says in the Gaussians they show.

    Args:
        snapshot: the field at the pictures' time.
        operator: called once per view, without gradients.
        views: at least one; the more, the more is known and the steadier.
        backend: rasteriser, resolved.
        quantity: "value" for what means the same from every view (class scores, colours, a style);
            "depth" for a positive depth along the optical axis, in any unit of its own: gathered
            as a multiple of the field's depth in each view, and given back in metres of
            the target view times the operator's scale.

    Raises:
        ValueError: no view, an image or depth that does not fit its camera, or an operator's output
            that is not [C, h, w], is not finite or changes its C between views.
    """
    if not views:
        raise BadInputError("views is empty, expected at least one picture with its pose")
    if quantity not in ("value", "depth"):
        raise BadInputError(f"quantity is {quantity!r}, expected 'value' or 'depth'")
    total, weights = None, snapshot.means.new_zeros(len(snapshot))
    for view in views:
        pixels, trust = _said(snapshot, operator, view, backend, quantity)
        if total is not None and pixels.shape[-1] != total.shape[1]:
            raise BadInputError(
                f"operator gave {pixels.shape[-1]} channels after {total.shape[1]}, "
                "expected the same number for every view"
            )
        sums, weight = uplift(
            snapshot.means,
            snapshot.quats,
            snapshot.scales,
            snapshot.opacities,
            viewmat(view.T_map_camera, snapshot.means.device),
            view.camera.K_tensor(snapshot.means.device),
            view.camera.width,
            view.camera.height,
            pixels,
            trust,
            backend=backend,
        )
        total = sums if total is None else total + sums
        weights = weights + weight
    assert total is not None
    values = total / weights.clamp(min=1e-9)[:, None]
    return Lifted(snapshot, values, weights, quantity, backend)


def _said(
    snapshot: Snapshot, operator: Operator, view: PosedImage, backend: str, quantity: Quantity
) -> tuple[Tensor, Tensor | None]:
    """The operator's output [H, W, C] at the view's size, and where it counts [H, W]."""
    camera, device = view.camera, snapshot.means.device
    size = (camera.height, camera.width)
    if view.image.shape != (3, *size):
        raise BadInputError(f"image has shape {tuple(view.image.shape)}, expected (3, {size})")
    if view.depth is not None and view.depth.shape != size:
        raise BadInputError(f"depth has shape {tuple(view.depth.shape)}, expected {size}")
    said = operator(view.image.to(device, torch.float32)).to(device, torch.float32)
    if said.ndim != 3 or 0 in said.shape:
        raise BadInputError(f"operator gave shape {tuple(said.shape)}, expected [C, h, w]")
    if not bool(torch.isfinite(said).all()):
        raise BadInputError("operator gave values that are not finite")
    if said.shape[1:] != size:
        said = interpolate(said[None], size, mode="bilinear", align_corners=False)[0]
    pixels = said.permute(1, 2, 0).contiguous()
    if quantity == "value" and view.depth is None:
        return pixels, None
    drawn = snapshot.render(snapshot.colors, camera, view.T_map_camera, backend)
    depth = drawn.expected_depth
    trust = torch.ones_like(depth)
    if view.depth is not None:
        measured = view.depth.to(device)
        trust = ((measured <= 0) | ((measured - depth).abs() < _SAME_DEPTH * depth)).to(depth.dtype)
    if quantity == "depth":
        trust = trust * ((drawn.alpha > _SOLID) & (depth > 0))
        pixels = pixels / depth.clamp(min=1e-6)[..., None]
    return pixels, trust
