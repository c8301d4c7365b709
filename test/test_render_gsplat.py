# SPDX-License-Identifier: Apache-2.0
"""gsplat itself, its kernels replaced by its own functions in torch, draws what we expect of it.

Only the compositing of a tile has no such function that runs without CUDA: it is written down here
from its kernel (`RasterizeToPixels3DGSFwd.cu`). So names, order, shapes and conventions of what the
CUDA backend hands over are checked by gsplat's own code wherever it can be imported.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from render_scenes import cloud
from torch import Tensor

from f4x_ros.core.render import cuda, reference
from f4x_ros.core.render.projection import project, rotation_matrices

rendering = pytest.importorskip(
    "gsplat.rendering", reason="gsplat is not installed: pip install gsplat==1.5.3"
)
wrapper = pytest.importorskip("gsplat.cuda._wrapper")
in_torch = pytest.importorskip("gsplat.cuda._torch_impl")

LEAVES = ("means", "quats", "scales", "opacities", "colors", "viewmat")


def named(function: str, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Arguments by name, as gsplat's own function takes them."""
    bound = inspect.signature(getattr(wrapper, function)).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def fully_fused_projection(*args: Any, **kwargs: Any) -> Any:
    given = named("fully_fused_projection", args, kwargs)
    assert given["covars"] is None
    assert not given["packed"]
    assert given["camera_model"] == "pinhole"
    covars, _ = in_torch._quat_scale_to_covar_preci(
        given["quats"], given["scales"], compute_preci=False
    )
    names = ("means", "viewmats", "Ks", "width", "height", "eps2d", "near_plane", "far_plane")
    return in_torch._fully_fused_projection(**{n: given[n] for n in names}, covars=covars)


def isect_tiles(*args: Any, **kwargs: Any) -> Any:
    given = named("isect_tiles", args, kwargs)
    names = ("means2d", "radii", "depths", "tile_size", "tile_width", "tile_height")
    return in_torch._isect_tiles(**{n: given[n] for n in names})


def isect_offset_encode(*args: Any, **kwargs: Any) -> Any:
    return in_torch._isect_offset_encode(*named("isect_offset_encode", args, kwargs).values())


def rasterize_to_pixels(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Tile by tile, Gaussian by Gaussian, all pixels of the tile at once."""
    given = named("rasterize_to_pixels", args, kwargs)
    assert not given["packed"]
    assert given["backgrounds"] is None
    size, (_, rows, columns) = given["tile_size"], given["isect_offsets"].shape
    (means,), (conics,), (colors,), (opacities,) = (
        given[name] for name in ("means2d", "conics", "colors", "opacities")
    )
    starts = [*given["isect_offsets"].flatten().tolist(), len(given["flatten_ids"])]
    tiles = []
    for tile in range(rows * columns):
        y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        px = x.flatten() + 0.5 + tile % columns * size
        py = y.flatten() + 0.5 + tile // columns * size
        left, done = torch.ones(size * size), torch.zeros(size * size, dtype=torch.bool)
        picture = torch.zeros(size * size, colors.shape[1])
        for one in given["flatten_ids"][starts[tile] : starts[tile + 1]].tolist():
            dx, dy = means[one, 0] - px, means[one, 1] - py
            a, b, c = conics[one]
            sigma = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
            alpha = (opacities[one] * torch.exp(-sigma)).clamp(max=0.999)
            drawn = ~done & (sigma >= 0) & (alpha >= 1 / 255)
            done = done | (drawn & (left * (1 - alpha) <= 1e-4))
            share = torch.where(drawn & ~done, alpha, 0)
            picture = picture + (share * left)[:, None] * colors[one]
            left = left * (1 - share)
        tiles.append(torch.cat([picture, 1 - left[:, None]], 1).view(size, size, -1))
    grid = torch.stack(tiles).view(rows, columns, size, size, -1).transpose(1, 2)
    whole = grid.reshape(rows * size, columns * size, -1)
    whole = whole[: given["image_height"], : given["image_width"]]
    return whole[None, ..., :-1], whole[None, ..., -1:]


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (fully_fused_projection, isect_tiles, isect_offset_encode, rasterize_to_pixels):
        monkeypatch.setattr(rendering, one.__name__, one)


@pytest.mark.parametrize("channels", [1, 5, 40])  # gsplat draws 32 at a time
def test_gsplat_draws_what_the_reference_draws(without_kernels: None, channels: int) -> None:
    scene = cloud(60, channels=channels, dtype=torch.float32)
    scene.means[10:14, 2] = torch.linspace(0.1, 0.35, 4)  # nearer than what is drawn
    results = []
    for draw in (cuda.render, reference.render):
        values = dict(vars(scene))
        for name in LEAVES:
            values[name] = values[name].clone().requires_grad_()
        out = draw(**values, near=0.5, eps2d=0.7)
        loss = out.image.sum() + out.depth.sum() + out.alpha.sum()
        found = torch.autograd.grad(loss, [values[name] for name in LEAVES])
        results.append([out.image, out.depth, out.alpha, *found])
    have, want = results
    assert want[2].max() > 0.9
    for name, a, b in zip(("image", "depth", "alpha"), have, want, strict=False):
        assert a.shape == b.shape, name
        assert (a - b).abs().max() < 2e-4 * b.abs().max(), name
    for name, a, b in zip(LEAVES, have[3:], want[3:], strict=True):
        assert (a - b).norm() < 2e-3 * b.norm(), name


def test_quaternions_and_scales_mean_the_same_to_both() -> None:
    scene = cloud(50)
    covars, _ = in_torch._quat_scale_to_covar_preci(scene.quats, scene.scales, compute_preci=False)
    root = rotation_matrices(scene.quats) * scene.scales[:, None]
    assert torch.allclose(covars, root @ root.transpose(1, 2))


def test_cameras_and_pixels_mean_the_same_to_both() -> None:
    scene = cloud(50)
    covars, _ = in_torch._quat_scale_to_covar_preci(scene.quats, scene.scales, compute_preci=False)
    radii, means2d, depths, conics, _ = in_torch._fully_fused_projection(
        scene.means, covars, scene.viewmat[None], scene.K[None], scene.width, scene.height,
        eps2d=0.3, near_plane=0.5,
    )  # fmt: skip
    ours = project(
        scene.means, scene.quats, scene.scales, scene.opacities, scene.viewmat, scene.K,
        scene.width, scene.height, 0.5, 0.3,
    )  # fmt: skip
    assert len(ours.ids) > 20
    assert (radii[0, ours.ids] > 0).all()
    assert torch.allclose(ours.means2d, means2d[0, ours.ids])
    assert torch.allclose(ours.depths, depths[0, ours.ids])
    assert torch.allclose(ours.conics, conics[0, ours.ids])
