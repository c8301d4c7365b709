# SPDX-License-Identifier: Apache-2.0
"""Automatic exposure of the camera: a gain and an offset per colour channel and view.

The picture of a view is modelled as `gain * field + offset * alpha`, learned with the map from
each view alone (as the per-image affine of Kerbl et al., "A Hierarchical 3D Gaussian
Representation", 2024, reduced to its diagonal). Views that were not learned from are shown with the
exposure interpolated in time between their neighbours.
"""

from __future__ import annotations

import bisect

import torch
from torch import Tensor

_LEARNING_RATE = 3e-3
# Pull towards gain 1 and offset 0 per step. It fixes the scale of the field's colours, and holds an
# offset back that would make up for new Gaussians that are not opaque yet, in view after view.
_PRIOR_GAIN, _PRIOR_OFFSET = 4e-3, 2e-2
_BETAS = (0.9, 0.99)
_MAX_VIEWS = 2000  # exposures kept, 4 MB; then a quarter of them goes
_LEARNING = 200  # the latest are left alone: they still change


class Exposure:
    """Gain and offset of one view with their Adam state."""

    def __init__(self, values: Tensor, *, learn: bool) -> None:
        self.values = values  # [2, 3]: gain, offset
        self.learn = learn
        self._m = torch.zeros_like(values)
        self._v = torch.zeros_like(values)
        self._steps = 0

    @classmethod
    def neutral(cls, device: torch.device | str, *, learn: bool) -> Exposure:
        """Gain 1 and offset 0."""
        values = torch.tensor([[1.0] * 3, [0.0] * 3], device=device)
        return cls(values, learn=learn)

    def step(self, gradient: Tensor) -> None:
        """One Adam step and the pull of the prior."""
        self._steps += 1
        b1, b2 = _BETAS
        self._m.lerp_(gradient, 1 - b1)
        self._v.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        spread = self._v.sqrt().mul_((1 - b2**self._steps) ** -0.5).add_(1e-8)
        rate = _LEARNING_RATE / (1 - b1**self._steps)
        self.values = torch.addcdiv(self.values, self._m, spread, value=-rate)
        self.values[0] += _PRIOR_GAIN * (1 - self.values[0])
        self.values[1] *= 1 - _PRIOR_OFFSET


def apply(values: Tensor, color: Tensor, alpha: Tensor) -> Tensor:
    """A picture [H, W, 3] with alpha [H, W] as a camera of exposure [2, 3] sees it."""
    return color * values[0] + values[1] * alpha[..., None]


class ExposureTrack:
    """Exposures in the order of time.

    At most `_MAX_VIEWS`. When they are more, those go that interpolation between their neighbours
    replaces best, so the past is shown as before wherever the camera's exposure was steady.
    """

    def __init__(self, device: torch.device | str, *, learn: bool) -> None:
        self._device = device
        self._learn = learn
        self._times: list[float] = []
        self._exposures: list[Exposure] = []

    def begin(self, time_s: float) -> Exposure:
        """The exposure of a new view; it starts where the last one stands."""
        if self._exposures:
            last = self._exposures[-1]
            exposure = Exposure(last.values.clone(), learn=self._learn)
        else:
            exposure = Exposure.neutral(self._device, learn=self._learn)
        self._times.append(time_s)
        self._exposures.append(exposure)
        if len(self._times) > _MAX_VIEWS:
            self._thin()
        return exposure

    def __len__(self) -> int:
        return len(self._times)

    def _thin(self) -> None:
        """Drop a quarter, never two neighbours, by what that changes of the interpolation."""
        inner = torch.arange(1, len(self._times) - _LEARNING, 2)
        times = torch.tensor(self._times, dtype=torch.float64)
        values = torch.stack([e.values.detach().cpu().double().flatten() for e in self._exposures])
        share = (times[inner] - times[inner - 1]) / (times[inner + 1] - times[inner - 1])
        without = torch.lerp(values[inner - 1], values[inner + 1], share[:, None])
        error = (without - values[inner]).abs().amax(1)
        drop = inner[error.argsort(stable=True)[: len(self._times) // 4]]
        kept = sorted(set(range(len(self._times))) - set(drop.tolist()))
        self._times = [self._times[i] for i in kept]
        self._exposures = [self._exposures[i] for i in kept]

    def at(self, time_s: float) -> Tensor:
        """[2, 3] linearly interpolated in time, constant outside."""
        if not self._times:
            return Exposure.neutral(self._device, learn=False).values
        right = bisect.bisect_left(self._times, time_s)
        if right == 0:
            return self._exposures[0].values
        if right == len(self._times):
            return self._exposures[-1].values
        t0, t1 = self._times[right - 1], self._times[right]
        share = (time_s - t0) / (t1 - t0)
        return torch.lerp(self._exposures[right - 1].values, self._exposures[right].values, share)

    def state(self) -> dict[str, Tensor]:
        """Times [M] and values [M, 2, 3] for saving."""
        values = [e.values for e in self._exposures]
        stacked = torch.stack(values) if values else torch.zeros(0, 2, 3)
        return {
            "times_s": torch.tensor(self._times, dtype=torch.float64),
            "values": stacked.detach().cpu(),
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        self._times = [float(t) for t in state["times_s"]]
        self._exposures = [Exposure(v.to(self._device), learn=False) for v in state["values"]]
