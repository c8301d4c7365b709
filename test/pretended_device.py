# SPDX-License-Identifier: Apache-2.0
"""A second device that is only pretended: it refuses what a GPU refuses, and counts its waits.

Tensors of it hold their numbers in the memory of the CPU, but only `PretendedDevice` computes with
them. They say that they are on `DEVICE`, for which this torch has no kernels: what the mode does
not see, fails. As with CUDA

- tensors of both devices in one operation are an error, but for numbers (0-dim tensors of the CPU),
- `numpy()` is an error, and so is whatever takes the address of the data,
- reading a number, a copy to the CPU, and everything whose result has a size that only the device
  knows (masks as indices, `nonzero`, `unique`, ...) makes the host wait: a synchronisation.

Copies to the device are counted apart. (For memory that is not pinned torch waits there, too, but
what is sent was known before, so it could be sent at any time.)
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import gsplat_stand_in
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

import f4x_ros.core.perception.door as perception_module
import f4x_ros.core.render as render_module
from f4x_ros.core.render import RenderOutput

DEVICE = torch.device("lazy")
"""No kernel is registered for it, and autograd serves it in the thread that asks."""

ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = str(ROOT / "f4x_ros")
_MASKS = (torch.bool, torch.uint8)
_WAITS = {
    "_linalg_check_errors": 1,
    "_linalg_eigh": 1,
    "_linalg_svd": 1,
    "_local_scalar_dense": 1,
    "_unique": 1,
    "_unique2": 1,
    "argwhere": 1,
    "bincount": 2,  # for the least and for the largest number
    "equal": 1,
    "histc": 2,
    "masked_select": 1,
    "nonzero": 1,
    "unique_consecutive": 1,
    "unique_dim": 1,
    "unique_dim_consecutive": 1,
}
"""How often torch's CUDA kernels make the host wait, by the name of the operator."""

_INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")
_INDEXED = (torch.Tensor.__getitem__, torch.Tensor.__setitem__)
_FROM_HOST = (torch.tensor, torch.as_tensor, torch.asarray)


class MixedDevicesError(RuntimeError):
    """Tensors of both devices met."""


class PretendedTensor(torch.Tensor):
    """A tensor of the pretended device."""

    raw: Tensor
    number: bool  # made of a number by torch itself, that keeps such on the CPU where CUDA is meant

    @staticmethod
    def __new__(cls, raw: Tensor) -> PretendedTensor:
        self = torch.Tensor._make_wrapper_subclass(
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=DEVICE,
        )
        self.raw, self.number = raw, False
        return self

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> None:
        raise RuntimeError(f"{func} on the pretended device outside of its mode")

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError(f"can't convert {DEVICE} device type tensor to numpy; use .cpu() first")

    def data_ptr(self) -> int:
        raise RuntimeError(f"the data of a tensor on {DEVICE} has no address here")

    def __repr__(self, **_: Any) -> str:
        return f"{self.raw!r} on {DEVICE}"


class Place(NamedTuple):
    """A line of the package."""

    file: str  # below the root
    line: int
    function: str


@dataclass(frozen=True)
class Event:
    """The host waited, or sent something."""

    op: str
    times: int
    stack: tuple[Place, ...]  # lines of the package, the innermost first

    def within(self, function: str) -> bool:
        """Whether it happened while a function ran."""
        return any(place.function == function for place in self.stack)

    def __str__(self) -> str:
        if not self.stack:
            return f"{self.op} outside of the package"
        place = self.stack[0]
        return f"{self.op} at {place.file}:{place.line} {place.function}"


class Events(list[Event]):
    """Several."""

    @property
    def times(self) -> int:
        """How often it happened."""
        return sum(one.times for one in self)

    def within(self, function: str) -> Events:
        """Those that happened while a function ran."""
        return Events(one for one in self if one.within(function))

    def table(self) -> str:
        """How often, and where, the most frequent first."""
        counts: Counter[str] = Counter()
        for one in self:
            counts[str(one)] += one.times
        return "\n".join(f"{many:5d}  {where}" for where, many in counts.most_common())


class PretendedDevice:
    """Within this context there is a second device, `DEVICE`.

    Attributes:
        waits: synchronisations so far.
        uploads: copies to the device so far.
    """

    def __init__(self) -> None:
        self.waits, self.uploads = Events(), Events()
        self._stack = ExitStack()

    def __enter__(self) -> PretendedDevice:
        overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        self._stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, overwrite)
        self._stack.enter_context(mock.patch.object(torch, "autocast", _autocast))
        self._stack.enter_context(_Factories())
        self._stack.enter_context(_Operations(self.waits, self.uploads))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    @contextmanager
    def counted(self) -> Iterator[tuple[Events, Events]]:
        """Synchronisations and uploads within a context of its own; known when it ends."""
        waits, uploads = Events(), Events()
        before = len(self.waits), len(self.uploads)
        yield waits, uploads
        waits.extend(self.waits[before[0] :])
        uploads.extend(self.uploads[before[1] :])


def _autocast(device_type: str, **options: Any) -> contextlib.AbstractContextManager[Any]:
    """`torch.autocast` that knows of one device more."""
    return torch.amp.autocast("cpu" if device_type == DEVICE.type else device_type, **options)


class _Factories(TorchFunctionMode):
    """Makers of tensors from data of the host: torch makes them out of sight of dispatch modes."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FROM_HOST and _is_pretended(kwargs.get("device")):
            plain = {name: value for name, value in kwargs.items() if name != "device"}
            return func(*args, **plain).to(DEVICE)
        if func is torch.Tensor.new_tensor and isinstance(args[0], PretendedTensor):
            return torch.tensor(*args[1:], **{"dtype": args[0].dtype, **kwargs}).to(DEVICE)
        if func in _INDEXED and isinstance(args[0], PretendedTensor):
            args = (args[0], _sent(args[1]), *args[2:])
        return func(*args, **kwargs)


class _Operations(TorchDispatchMode):
    """Everything that is computed."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled, and to say so takes longer than most operations

    def __init__(self, waits: Events, uploads: Events) -> None:
        super().__init__()
        self._waits, self._uploads = waits, uploads

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [one for one in _flat((*args, *kwargs.values())) if isinstance(one, Tensor)]
        own = [one for one in tensors if isinstance(one, PretendedTensor)]
        goal = kwargs.get("device")
        if not own and not _is_pretended(goal):
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        pretended = _is_pretended(goal) if goal is not None else True
        if name == "copy_":
            pretended = isinstance(args[0], PretendedTensor)
            self._note_copy(name, source=args[1], pretended=pretended)
        elif goal is not None and tensors:
            self._note_copy(name, source=tensors[0], pretended=pretended)
        else:
            _check(func, tensors)
            self._note(self._waits, name, _times(name, args, kwargs))
        plain = {key: _raw(value) for key, value in kwargs.items()}
        if goal is not None:
            plain["device"] = torch.device("cpu")
        out = func(*(_raw(one) for one in args), **plain)
        if own and torch.Tag.inplace_view in func.tags:  # its size changes, not what is in it
            with no_dispatch():
                own[0].data = PretendedTensor(own[0].raw)
        if not pretended:
            return out
        known = {id(one.raw): one for one in own}  # what is written into stays the same tensor
        out = _wrapped(out, known)
        if name == "scalar_tensor":
            out.number = True
        return out

    def _note_copy(self, name: str, *, source: Tensor, pretended: bool) -> None:
        from_device = isinstance(source, PretendedTensor)
        if from_device != pretended:
            self._note(self._uploads if pretended else self._waits, name, 1)

    @staticmethod
    def _note(events: Events, name: str, times: int) -> None:
        if times:
            events.append(Event(name, times, _lines()))


def _is_pretended(device: Any) -> bool:
    return device is not None and torch.device(device).type == DEVICE.type


def _sent(index: Any) -> Any:
    """An index with its lists as tensors of the device, as torch makes them."""
    if isinstance(index, tuple):
        return tuple(_sent(one) for one in index)
    return torch.tensor(index).to(DEVICE) if isinstance(index, list | np.ndarray) else index


def _flat(values: Sequence[Any]) -> Iterator[Any]:
    for one in values:
        if isinstance(one, list | tuple):
            yield from one
        else:
            yield one


def _raw(value: Any) -> Any:
    if isinstance(value, PretendedTensor):
        return value.raw
    if isinstance(value, list | tuple):
        return [_raw(one) for one in value]
    return value


def _wrapped(value: Any, known: dict[int, PretendedTensor]) -> Any:
    if isinstance(value, Tensor):
        same = known.get(id(value))
        return PretendedTensor(value) if same is None else same
    if isinstance(value, list | tuple):
        return type(value)(_wrapped(one, known) for one in value)
    return value


def _check(func: Any, tensors: Sequence[Tensor]) -> None:
    """Numbers of the host may meet the device, its other tensors may not."""
    if any(not isinstance(one, PretendedTensor) and one.ndim for one in tensors):
        found = Event(str(func), 1, _lines())
        shapes = ", ".join(f"{list(one.shape)} on {one.device}" for one in tensors)
        raise MixedDevicesError(f"{found} mixes devices: {shapes}")


def _times(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> int:
    """How often the CUDA kernel of an operator makes the host wait."""
    if name in _INDEXING:
        masks = [one for one in args[1] if one is not None and one.dtype in _MASKS]
        return 0 if len(masks) == 1 and _fills(args, kwargs) else len(masks)
    if name == "repeat_interleave":
        return int(kwargs.get("output_size") is None)
    if name == "isin":  # few are compared one by one, many are sorted
        elements, tests = (one.numel() if isinstance(one, Tensor) else 1 for one in args[:2])
        return int(tests >= 10 * elements**0.145)
    return _WAITS.get(name, 0)


def _fills(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether a mask is assigned a number: then torch fills, and nobody waits."""
    if len(args) < 3 or kwargs.get("accumulate", len(args) > 3 and args[3]):
        return False
    value = args[2]
    return value.number if isinstance(value, PretendedTensor) else value.numel() == 1


def _lines() -> tuple[Place, ...]:
    """Lines of the package that are being executed."""
    frame = sys._getframe(2)
    found = []
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_PACKAGE):
            name = str(Path(file).relative_to(ROOT))
            found.append(Place(name, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(found)


# --- the package on it ---------------------------------------------------------------------------


class _Drawn(torch.autograd.Function):
    """A rasteriser of the device: one operation, whatever it does inside."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, ...]:
        tensors, options = given[:7], given[7:]
        _check("rasterization", tensors)
        with torch.enable_grad():
            *leaves, K = (one.raw.detach() for one in tensors)
            leaves = [one.requires_grad_() for one in leaves]
            width, height, near, eps2d = options
            out = render_module.render(*leaves, K, width, height, near=near, eps2d=eps2d)
        ctx.leaves, ctx.seen = leaves, (out.image, out.depth, out.alpha)
        return tuple(PretendedTensor(one.detach()) for one in ctx.seen)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        found = torch.autograd.grad(ctx.seen, ctx.leaves, [one.raw for one in gradients])
        return (*(PretendedTensor(one) for one in found), None, None, None, None, None)


def _draw(*given: Any) -> RenderOutput:
    return RenderOutput(*_Drawn.apply(*given))


def let_perception_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Perception` takes the device for a GPU and draws with gsplat, which is pretended, too."""
    real = perception_module.choose_device
    choose = lambda name: DEVICE if name == "auto" else real(name)  # noqa: E731
    monkeypatch.setattr(perception_module, "choose_device", choose)
    monkeypatch.setattr(render_module, "_cuda_problem", lambda: "ok")
    gsplat_stand_in.install(monkeypatch, _draw)
