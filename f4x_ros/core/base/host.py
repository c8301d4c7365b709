# SPDX-License-Identifier: Apache-2.0
"""Results brought from the device to the host, many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def on_host(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    """Arrays of tensors of one device, in their order.

    From a GPU they come in one piece, so the host waits once for all of them. Those of the CPU
    share their memory; do not write to it.
    """
    if all(one.device.type == "cpu" for one in tensors):
        return tuple(one.detach().numpy() for one in tensors)
    import torch

    widest = sorted(range(len(tensors)), key=lambda k: -tensors[k].element_size())  # aligns them
    whole = torch.cat([_bytes(tensors[k]) for k in widest]).cpu().numpy()
    found, place = {}, 0
    for k in widest:
        size = tensors[k].numel() * tensors[k].element_size()
        part = whole[place : place + size].view(_numpy_type(tensors[k].dtype))
        found[k] = part.reshape(tensors[k].shape)
        place += size
    return tuple(found[k] for k in range(len(tensors)))


def _bytes(values: Tensor) -> Tensor:
    import torch

    flat = values.detach().contiguous().view(-1)
    # (an empty tensor may have a stride of 0, and then has no view of its bytes)
    return flat.view(torch.uint8) if len(flat) else flat.new_empty(0, dtype=torch.uint8)


def _numpy_type(dtype: torch.dtype) -> np.dtype[Any]:
    import torch

    return torch.empty(0, dtype=dtype).numpy().dtype
