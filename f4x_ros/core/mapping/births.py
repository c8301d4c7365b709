# SPDX-License-Identifier: Apache-2.0
"""Views that are asked when a place was last seen empty, or last seen to hold something."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from f4x_ros.core.field import FOREVER
from f4x_ros.core.observe import Sights, View, sights

At = Callable[[Sequence[float]], Tensor] | None
"""Where points are at K times, seconds of the field, [K, N, 3]; None = they do not move."""

_RECENT = 16  # views of the last seconds, at most
_RECENT_S = 2.0  # how far back they reach ...
_AT_ONCE = 32  # views that are asked together
_AT_LEAST = 8  # ... but so many are kept however old they are


class RecentViews:
    """The views of each camera of the last two seconds, thinned evenly to a fixed number.

    Keyframes are not enough: a camera that stands still makes none, and the edges of things, where
    a slow mover grows, are only judged safely some views after or before they were there.
    """

    def __init__(self) -> None:
        self._of: dict[str, list[View]] = {}  # by camera, oldest first

    @property
    def views(self) -> list[View]:
        """All of them, oldest first."""
        if len(self._of) == 1:
            return list(*self._of.values())
        return sorted((v for own in self._of.values() for v in own), key=lambda v: v.time_s)

    @property
    def last(self) -> list[View]:
        """The last view of each camera that had one of late; none before the first."""
        last = [own[-1] for own in self._of.values()]
        newest_s = max((view.time_s for view in last), default=0.0)
        return [view for view in last if newest_s - view.time_s <= _RECENT_S]

    def add(self, view: View) -> None:
        """Remember the newest view; forget what is too old or too close to its neighbours."""
        own = self._of.setdefault(view.camera_name, [])
        own.append(view)
        while len(own) > _AT_LEAST and view.time_s - own[0].time_s > _RECENT_S:
            del own[0]
        if len(own) > _RECENT:
            times = [v.time_s for v in own]
            gaps = [b - a for a, b in zip(times[:-2], times[2:], strict=True)]
            del own[1 + gaps.index(min(gaps))]


def birth_times(
    recent: Sequence[View],
    keyframes: Sequence[View],
    means: Tensor,
    margin_m: Tensor,
    tolerance: float,
    at: At = None,
) -> Tensor:
    """After when each new point has appeared: the last time a view saw its place empty.

    Args:
        recent: views of the last seconds.
        keyframes: older views; only those that look at one of the points are asked.
        means: points [N, 3] in the map frame.
        margin_m: extent of each point towards the camera [N], metres.
        tolerance: depth error of the sensor, share of the depth.
        at: where the points were at other times; None = where they are.

    Returns:
        [N] float64 seconds of the field; -inf where no view saw the place empty: then it is taken
        to have been there always, only not seen.
    """
    return _last_time(recent, keyframes, means, margin_m, tolerance, lambda told: told.empty, at)


def held_times(
    recent: Sequence[View],
    keyframes: Sequence[View],
    means: Tensor,
    margin_m: Tensor,
    tolerance: float,
    at: At = None,
) -> Tensor:
    """Until when each point is known to have been in its place: the last view that looked there.

    A view looks at a place if it has a reading in that direction that does not go through it.
    Arguments are those of `birth_times`.

    Returns:
        [N] float64 seconds of the field; -inf where no view that is left has looked there.
    """

    def held(told: Sights) -> Tensor:
        return told.looked & ~told.empty

    return _last_time(recent, keyframes, means, margin_m, tolerance, held, at)


def _last_time(
    recent: Sequence[View],
    keyframes: Sequence[View],
    means: Tensor,
    margin_m: Tensor,
    tolerance: float,
    says: Callable[[Sights], Tensor],
    at: At,
) -> Tensor:
    """When the last of the views said yes to each point [N], -inf where none did."""
    time_s = torch.full((len(means),), -FOREVER, dtype=torch.float64, device=means.device)
    known = {id(view) for view in recent}
    older = [view for view in keyframes if id(view) not in known]
    views = [*recent, *_looking_at(older, means, at)]
    for start in range(0, len(views) if len(means) else 0, _AT_ONCE):
        some = views[start : start + _AT_ONCE]
        yes = says(sights(some, _places(some, means, at), margin_m, tolerance))
        times = torch.tensor([view.time_s for view in some], dtype=torch.float64)
        told = torch.where(yes, times.to(time_s)[:, None], -FOREVER)
        time_s = torch.maximum(time_s, told.amax(0))
    return time_s


def _places(views: Sequence[View], means: Tensor, at: At) -> Tensor:
    """Points [N, 3], or where they are at the time of each view, [K, N, 3]."""
    return means if at is None else at([view.time_s for view in views])


def _looking_at(views: Sequence[View], means: Tensor, at: At) -> list[View]:
    """The views in whose image at least one of the points [N, 3] lies."""
    if not views or not len(means):
        return []
    seen = (share_in_view(views, _places(views, means, at)) > 0).tolist()
    return [view for view, one in zip(views, seen, strict=True) if one]


def share_in_view(views: Sequence[View], means: Tensor) -> Tensor:
    """Share [K] of points [N, 3] or [K, N, 3] that each of K views has in its image."""
    viewmats = torch.stack([v.viewmat for v in views])  # [K, 4, 4]
    lenses = [(c.fx, c.fy, c.cx, c.cy) for c in (v.camera for v in views)]
    fx, fy, cx, cy = means.new_tensor(lenses).T[..., None]  # [K, 1] each
    sizes = means.new_tensor([v.size for v in views])[..., None]  # [K, 2, 1]
    p = viewmats[:, :3, :3] @ means.mT + viewmats[:, :3, 3:]
    x, y, z = p.unbind(1)  # [K, N] each
    u, v = fx * x + cx * z, fy * y + cy * z  # times z: no division
    inside = (z > 0) & (u >= 0) & (u < sizes[:, 0] * z) & (v >= 0) & (v < sizes[:, 1] * z)
    share: Tensor = inside.float().mean(1)
    return share
