# SPDX-License-Identifier: Apache-2.0
"""The pretended device refuses what CUDA refuses, and counts what makes its host wait."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pretended_device import DEVICE, MixedDevicesError, PretendedDevice, PretendedTensor
from render_scenes import cloud
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.render import padded, reference


@pytest.fixture
def device():
    with PretendedDevice() as made:
        yield made


def line() -> Tensor:
    return torch.arange(6.0, device=DEVICE)


# --- what it refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "meet",
    [
        lambda x: x + torch.ones(6),
        lambda x: torch.cat([x, torch.ones(2)]),
        lambda x: x[torch.tensor([0, 1])],
        lambda x: x.index_add_(0, torch.zeros(1, dtype=torch.long), x[:1]),
        lambda x: torch.where(torch.ones(6, dtype=torch.bool), x, 0),
        lambda x: torch.ones(6).add_(x),
    ],
)
def test_tensors_of_both_devices_may_not_meet(
    device: PretendedDevice, meet: Callable[[Tensor], Tensor]
) -> None:
    with pytest.raises(MixedDevicesError, match=r"aten\.\w+.*on lazy.*on cpu|on cpu.*on lazy"):
        meet(line())


def test_an_error_names_the_line_of_the_package_that_mixes(device: PretendedDevice) -> None:
    scene = cloud(3, channels=1, dtype=torch.float32)
    view = [one.to(DEVICE) for one in (scene.viewmat, scene.K)]
    with pytest.raises(MixedDevicesError, match=r"f4x_ros/core/render/projection\.py:\d+ project"):
        reference.render(*scene.args()[:5], *view, 8, 8, 0.1, 0.3)


def test_numbers_of_the_host_may_meet_the_device(device: PretendedDevice) -> None:
    x = line() * torch.tensor(2.0) + 1
    assert x.tolist() == [1, 3, 5, 7, 9, 11]
    assert not device.uploads


def test_neither_numpy_nor_an_address_is_to_be_had(device: PretendedDevice) -> None:
    with pytest.raises(TypeError, match="numpy"):
        line().numpy()
    with pytest.raises(TypeError, match="numpy"):
        np.asarray(line())
    with pytest.raises(RuntimeError, match="address"):
        line().data_ptr()


def test_nothing_is_computed_outside_of_the_mode() -> None:
    with PretendedDevice():
        x = line()
    with pytest.raises(RuntimeError, match="outside of its mode"):
        x + 1


# --- what it counts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask, times",
    [
        (lambda x: float(x.sum()), 1),
        (lambda x: bool((x > 2).any()), 1),
        (lambda x: x.cpu(), 1),
        (lambda x: x.to("cpu", torch.float64), 1),
        (lambda x: torch.zeros(6).copy_(x), 1),
        (lambda x: x.tolist(), 1),
        (lambda x: (x > 2).nonzero(), 1),
        (lambda x: x[x > 2], 1),
        (lambda x: x.masked_select(x > 2), 1),
        (lambda x: torch.unique(x, return_inverse=True), 1),
        (lambda x: torch.bincount(x.long()), 2),
        (lambda x: x.repeat_interleave(x.long()), 1),
        (lambda x: x.repeat_interleave(x.long(), output_size=15), 0),
        (lambda x: x.__setitem__(x > 2, x[:3].clone()), 1),
        (lambda x: x.__setitem__(x > 2, 5.0), 0),
        (lambda x: torch.isin(x, x[:2]), 0),
        (lambda x: x[x[:2].long()], 0),
        (lambda x: torch.where(x > 2, x, 0).sort().values.cumsum(0).topk(2), 0),
        (lambda x: torch.linalg.inv(torch.eye(3, device=DEVICE)), 1),
        (lambda x: on_host(x, x > 2, x.long()), 1),
    ],
)
def test_waits_are_counted(
    device: PretendedDevice, ask: Callable[[Tensor], object], times: int
) -> None:
    x = line()
    with device.counted() as (waits, _):
        ask(x)
    assert waits.times == times, waits.table()


def test_what_is_sent_is_listed_and_is_no_wait(device: PretendedDevice) -> None:
    x = line()
    with device.counted() as (waits, uploads):
        torch.tensor([1.0, 2.0], device=DEVICE)
        torch.as_tensor(np.ones(3), device=DEVICE)
        x.new_tensor([1, 2])
        torch.ones(6).to(x)
        x.copy_(torch.ones(6))
        assert x[[0, 1]].tolist() == [1, 1]
    assert uploads.times == 6
    assert waits.times == 1  # the list


def test_lines_of_the_package_are_told(device: PretendedDevice) -> None:
    with device.counted() as (waits, _):
        on_host(line())
    assert str(waits[0]).startswith("_to_copy at f4x_ros/core/base/host.py:")
    assert waits.within("on_host").times == 1
    assert not waits.within("another")


# --- what it computes ----------------------------------------------------------------------------


def test_gradients_are_those_of_the_cpu(device: PretendedDevice) -> None:
    def slope(x: Tensor) -> Tensor:
        leaf = x.detach().requires_grad_()
        y = (leaf[leaf > 1] ** 2).sum() + leaf[1:3].exp().sum()
        return torch.autograd.grad(y, leaf)[0]

    assert torch.equal(slope(line()).cpu(), slope(torch.arange(6.0)))


def test_views_write_through_and_shapes_follow(device: PretendedDevice) -> None:
    x = line().view(2, 3)
    x[0] = 7
    y = x[1:]
    y += 1
    y.squeeze_(0)
    assert isinstance(y, PretendedTensor)
    assert y.shape == (3,)
    assert x.tolist() == [[7, 7, 7], [4, 5, 6]]
    assert torch.quantile(x, 0.5).item() == 6.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bool, torch.int32])
@pytest.mark.parametrize("shape", [(0,), (5,), (2, 3), (0, 4)])
def test_arrays_come_over_as_they_are(
    device: PretendedDevice, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    other = torch.arange(3, dtype=torch.float64)
    values = (torch.arange(24).reshape(4, 6)[: shape[0], : shape[-1]] * 3).to(dtype)
    values = values.reshape(-1)[: int(np.prod(shape))].reshape(shape)
    for place in (DEVICE, torch.device("cpu")):
        have = on_host(values.to(place), other.to(place), values.to(place))
        own = values.numpy().dtype
        assert [one.dtype for one in have] == [own, np.float64, own]
        for one, want in zip(have, (values, other, values), strict=True):
            assert np.array_equal(one, want.numpy())
            assert one.flags.aligned


@pytest.mark.parametrize("draw", [padded.render, reference.render])
def test_the_rasterisers_in_torch_run_on_a_device(
    device: PretendedDevice, draw: Callable[..., object]
) -> None:
    results = []
    for place in (DEVICE, torch.device("cpu")):
        scene = cloud(30, channels=4, dtype=torch.float64)
        given = [one.to(place) if isinstance(one, Tensor) else one for one in scene.args()]
        leaves = [one.detach().requires_grad_() for one in given[:6]]
        out = draw(*leaves, *given[6:], 0.1, 0.3)
        found = torch.autograd.grad(out.image.sum() + out.depth.sum() + out.alpha.sum(), leaves)
        results.append([one.cpu() for one in (out.image, out.depth, out.alpha, *found)])
    for have, want in zip(*results, strict=True):
        assert torch.allclose(have, want)
