# SPDX-License-Identifier: Apache-2.0
"""Differentiable rendering of Gaussians: one function, several backends of one signature.

| backend     | where                          | what                                          |
|-------------|--------------------------------|-----------------------------------------------|
| `cuda`      | CUDA tensors                   | gsplat                                        |
| `cpu`       | CPU tensors                    | compiled C++/OpenMP (`csrc/`)                 |
| `padded`    | anywhere                       | tiled torch, if the compiled one is missing   |
| `reference` | anywhere, small scenes         | dense torch, the oracle of the tests          |

All follow gsplat 1.5: EWA projection with `eps2d` px^2 added to the 2D covariance, alpha at most
0.999, contributions under 1/255 skipped, a pixel ends before its transmittance would fall to 1e-4,
pixel centres at +0.5. All give gradients to means, quats, scales, opacities, colors and viewmat;
none to K. Gaussians nearer than `near` or with a shape that is not finite are not drawn.
"""

from __future__ import annotations

import functools
import importlib.util
import warnings
from typing import TYPE_CHECKING

import torch

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.render import cpu, cuda, native, padded, reference
from f4x_ros.core.render.checks import check_gaussians, check_tensor, check_view
from f4x_ros.core.render.output import RenderOutput

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "BACKENDS",
    "EPS2D",
    "RenderOutput",
    "available_backends",
    "render",
    "resolve_backend",
    "uplift",
]

EPS2D = 0.3
"""px^2 that are added to the 2D covariance of what is drawn, unless something else is asked for."""

BACKENDS = ("cuda", "cpu", "padded", "reference")
_RENDER = {
    "cuda": cuda.render,
    "cpu": cpu.render,
    "padded": padded.render,
    "reference": reference.render,
}


def available_backends() -> dict[str, str]:
    """Each backend's name with "ok", or with the reason why it cannot run here and what to do."""
    return {"cuda": _cuda_problem(), "cpu": _cpu_problem(), "padded": "ok", "reference": "ok"}


def resolve_backend(name: str, device: torch.device | str) -> str:
    """The backend that `name` means for tensors on `device`.

    "auto" is `cpu` for tensors of the CPU and `cuda` for others; where that one cannot run it is
    `padded`, with one warning per process that says why. ValueError on unknown names, on a backend
    for another device, and on a named backend that cannot run here.
    """
    device = torch.device(device)
    native_name = "cpu" if device.type == "cpu" else "cuda"
    if name == "auto":
        problem = available_backends()[native_name]
        if problem == "ok":
            return native_name
        _warn_once(native_name, problem)
        return "padded"
    if name not in BACKENDS:
        raise BadInputError(f"backend is {name!r}, expected 'auto' or one of {', '.join(BACKENDS)}")
    if name in ("cuda", "cpu"):
        if name != native_name:
            raise BadInputError(f"backend is {name!r} but the tensors are on {device}")
        problem = available_backends()[name]
        if problem != "ok":
            raise BadInputError(f"backend {name!r} cannot run here: {problem}")
    return name


def render(
    means: Tensor,  # [N, 3] metres, map frame
    quats: Tensor,  # [N, 4] wxyz, any length
    scales: Tensor,  # [N, 3] metres, standard deviations along the Gaussian's axes
    opacities: Tensor,  # [N] 0..1
    colors: Tensor,  # [N, C] any quantity, C >= 1
    viewmat: Tensor,  # [4, 4] T_camera_map
    K: Tensor,  # [3, 3] pixels
    width: int,
    height: int,
    *,
    near: float = 0.01,  # metres
    eps2d: float = EPS2D,  # px^2
    backend: str = "auto",
) -> RenderOutput:
    """Draw Gaussians into a pinhole camera (Kerbl et al. 2023), differentiably.

    Tensors share one device and one type, float32 or float64. Returns image [H, W, C], accumulated
    depth [H, W] and alpha [H, W]. Raises ValueError on shapes, types, devices or sizes that do not
    fit.
    """
    check_gaussians(means, quats, scales, opacities)
    check_tensor("colors", colors, (means.shape[0], None), means)
    if not colors.shape[1]:
        raise BadInputError("colors has 0 channels, expected at least 1")
    check_view(viewmat, K, width, height, near, eps2d, means)
    draw = _RENDER[resolve_backend(backend, means.device)]
    return draw(means, quats, scales, opacities, colors, viewmat, K, width, height, near, eps2d)


def uplift(
    means: Tensor,  # [N, 3] metres, map frame
    quats: Tensor,  # [N, 4] wxyz, any length
    scales: Tensor,  # [N, 3] metres
    opacities: Tensor,  # [N] 0..1
    viewmat: Tensor,  # [4, 4] T_camera_map
    K: Tensor,  # [3, 3] pixels
    width: int,
    height: int,
    features: Tensor,  # [H, W, C], C may be 0
    weight: Tensor | None = None,  # [H, W] of each pixel, 1 if None
    *,
    near: float = 0.01,
    eps2d: float = EPS2D,
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Carry pixels back to the Gaussians that drew them: the transposed pass of `render`.

    With w[g, p] the compositing weight of Gaussian g at pixel p, returns
    sum_p w[g, p] weight[p] features[p] as [N, C] and sum_p w[g, p] weight[p] as [N]. Their quotient
    is the feature of a Gaussian; the second alone tells how much of it is seen. No gradients flow
    through it.
    """
    check_gaussians(means, quats, scales, opacities)
    check_view(viewmat, K, width, height, near, eps2d, means)
    check_tensor("features", features, (height, width, None), means)
    if weight is not None:
        check_tensor("weight", weight, (height, width), means)
    name = resolve_backend(backend, means.device)
    shape = (means, quats, scales, opacities, viewmat, K, width, height)
    if name == "cpu":
        return cpu.uplift(*shape, features, weight, near, eps2d)
    return _uplift_by_autograd(name, *shape, features, weight, near, eps2d)


def _uplift_by_autograd(
    name: str,
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    viewmat: Tensor,
    K: Tensor,
    width: int,
    height: int,
    features: Tensor,
    weight: Tensor | None,
    near: float,
    eps2d: float,
) -> tuple[Tensor, Tensor]:
    """The image is linear in the colours, so its gradient in them is the transposed pass."""
    w = means.new_ones(height, width, 1) if weight is None else weight.detach()[..., None]
    pixels = torch.cat([features.detach() * w, w], -1)
    with torch.enable_grad():
        colors = means.new_zeros(means.shape[0], pixels.shape[-1], requires_grad=True)
        out = _RENDER[name](
            means.detach(),
            quats.detach(),
            scales.detach(),
            opacities.detach(),
            colors,
            viewmat.detach(),
            K,
            width,
            height,
            near,
            eps2d,
        )
        (total,) = torch.autograd.grad(out.image, colors, pixels)
    return total[:, :-1], total[:, -1]


def _cpu_problem() -> str:
    try:
        native.library()
    except native.NativeError as e:
        return str(e)
    return "ok"


@functools.cache
def _cuda_problem() -> str:
    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    if importlib.util.find_spec("gsplat") is None:
        return "gsplat is not installed; pip install 'gsplat>=1.5.3,<1.6'"
    return "ok"


@functools.cache
def _warn_once(name: str, problem: str) -> None:
    warnings.warn(
        f"rendering falls back to padded torch, many times slower than backend {name!r}: {problem}",
        RuntimeWarning,
        stacklevel=4,
    )
