# SPDX-License-Identifier: Apache-2.0
"""Where bodies were: the rigid motions that carry Gaussians through time.

A Gaussian of a body is written down where it was at one moment (its column `placed_s`), and is
anywhere else by the body's motion from then to there. So one set of Gaussians is the body at all
times, and what any view teaches is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dc_field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.data import Pose, poses, turns
from f4x_ros.core.field.gaussians import GaussianSet

Array = NDArray[np.float64]

NO_BODY = 0
"""Body of a Gaussian that moves with nothing."""

MAX_POSES = 100_000  # of all bodies together, 14 MB; then every other one of the oldest half goes
_SAME_M, _SAME_RAD = 2e-3, 5e-3  # poses that a line between their neighbours replaces so well


class Moved(NamedTuple):
    """Rows of a table that are elsewhere at another time, and how they get there."""

    rows: Tensor  # [M] indices
    turns: Tensor  # [M, 3, 3] float32
    shifts: Tensor  # [M, 3] metres
    quats: Tensor  # [M, 4] wxyz, the same turns

    def means(self, means: Tensor) -> Tensor:
        """All points [N, 3], with these rows where they are at the time."""
        there = torch.einsum("mij,mj->mi", self.turns, means[self.rows]) + self.shifts
        return means.index_copy(0, self.rows, there)

    def turned(self, quats: Tensor) -> Tensor:
        """All quaternions [N, 4] wxyz, with these rows turned."""
        return quats.index_copy(0, self.rows, product(self.quats, quats[self.rows]))

    def among(self, chosen: Tensor, count: int) -> Moved | None:
        """The same of a selection [K] of the table's `count` rows; None if it has none of them."""
        place = torch.full((count,), -1, dtype=torch.long, device=chosen.device)
        place[chosen] = torch.arange(len(chosen), device=chosen.device)
        at = place[self.rows]
        kept = (at >= 0).nonzero()[:, 0]
        if not len(kept):
            return None
        return Moved(at[kept], self.turns[kept], self.shifts[kept], self.quats[kept])

    def after(self, count: int) -> Moved:
        """The same of a table with `count` rows before these."""
        return self._replace(rows=self.rows + count)

    def gradients(self, means: Tensor, quats: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients [N, 3], [N, 4] at the time as those where the rows are written down."""
        back = torch.einsum("mji,mj->mi", self.turns, means[self.rows])
        conjugate = torch.cat([self.quats[:, :1], -self.quats[:, 1:]], 1)
        turned = product(conjugate, quats[self.rows])
        return means.index_copy(0, self.rows, back), quats.index_copy(0, self.rows, turned)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton products [M, 4] of quaternions wxyz."""
    w, x, y, z = a.unbind(-1)
    p, q, r, s = b.unbind(-1)
    return torch.stack(
        [
            w * p - x * q - y * r - z * s,
            w * q + x * p + y * s - z * r,
            w * r - x * s + y * p + z * q,
            w * s + x * r - y * q + z * p,
        ],
        -1,
    )


@dataclass(eq=False)
class _Path:
    """Poses of one body in the order of time; rows from `count` on are room for more."""

    times: Array = dc_field(default_factory=lambda: np.zeros(4))
    places: Array = dc_field(default_factory=lambda: np.zeros((4, 3)))
    quats: Array = dc_field(default_factory=lambda: np.zeros((4, 4)))  # xyzw
    count: int = 0

    def put(self, row: int, time_s: float, T_map_body: Pose) -> None:
        """Write a pose down in a row, the last one or the one after it."""
        if row == len(self.times):
            for name in ("times", "places", "quats"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros_like(old)]))
        self.times[row], self.places[row] = time_s, T_map_body[:3, 3]
        self.quats[row] = poses.to_quaternion(T_map_body)
        self.count = row + 1

    def at(self, times_s: Array) -> tuple[Array, Array]:
        """Places [N, 3] and quaternions [N, 4] at some times [N]."""
        times = self.times[: self.count]
        if self.count == 1:
            many = len(times_s)
            return np.tile(self.places[0], (many, 1)), np.tile(self.quats[0], (many, 1))
        when = np.clip(times_s, times[0], times[-1])
        right = np.clip(np.searchsorted(times, when), 1, self.count - 1)
        left = right - 1
        share = (when - times[left]) / (times[right] - times[left])
        places = self.places[left] + share[:, None] * (self.places[right] - self.places[left])
        return places, turns.slerp(self.quats[left], self.quats[right], share)

    def goes_on(self, time_s: Array) -> bool:
        """Whether it moves after a time [1]."""
        last = self.count - 1
        if time_s[0] >= self.times[last]:
            return False
        place, quat = (one[0] for one in self.at(time_s))
        return bool(
            np.abs(place - self.places[last]).max() > _SAME_M
            or abs(float(quat @ self.quats[last])) < np.cos(_SAME_RAD / 2)
        )

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all but some poses."""
        self.times, self.places = self.times[list(rows)], self.places[list(rows)]
        self.quats, self.count = self.quats[list(rows)], len(rows)


class BodyPaths:
    """Poses `T_map_body` of bodies over time, seconds of the field.

    A body rests before its first pose and after its last.
    """

    def __init__(self) -> None:
        self._paths: dict[int, _Path] = {}
        self._next = NO_BODY + 1
        self._count = 0  # poses of all

    def __len__(self) -> int:
        return len(self._paths)

    def new_id(self) -> int:
        """An id that no body has had."""
        self._next += 1
        return self._next - 1

    def add(self, body: int, time_s: float, T_map_body: Pose) -> None:
        """One more pose of a body, new or known; its times must grow."""
        path = self._paths.setdefault(body, _Path())
        self._next = max(self._next, body + 1)
        needless = path.count > 1 and self._needless(path, time_s, T_map_body)
        path.put(path.count - 1 if needless else path.count, time_s, T_map_body)
        self._count += not needless
        if self._count > MAX_POSES:
            self._thin()

    def drop(self, body: int) -> None:
        """Forget a path: what carries this body's id has never moved."""
        path = self._paths.pop(body, None)
        self._count -= path.count if path is not None else 0

    def begin_at(self, body: int, time_s: float, T_map_body: Pose) -> None:
        """A pose of a known body before its first."""
        path = self._paths[body]
        times, places, quats = (
            np.array(one[: path.count]) for one in (path.times, path.places, path.quats)
        )
        path.put(0, time_s, T_map_body)
        path.times = np.concatenate([path.times[:1], times])
        path.places = np.concatenate([path.places[:1], places])
        path.quats = np.concatenate([path.quats[:1], quats])
        path.count = len(path.times)
        self._count += 1

    def at(self, body: int, time_s: float) -> Pose:
        """`T_map_body` at a time."""
        places, quats = self._paths[body].at(np.array([time_s]))
        return poses.from_quaternion(places[0], quats[0])

    def away(self, time_s: float) -> list[int]:
        """Bodies that were elsewhere at a time than where they came to rest."""
        when = np.array([time_s])
        return [body for body, path in self._paths.items() if path.goes_on(when)]

    def moved(self, table: GaussianSet, time_s: float) -> Moved | None:
        """What of a table is elsewhere at a time than where it is written down; None: nothing."""
        return self.motion(table["body_ids"], table["placed_s"], [time_s])[0]

    def motion(
        self, bodies: Tensor, placed_s: Tensor, times_s: Sequence[float]
    ) -> list[Moved | None]:
        """The same at some times, of Gaussians of these bodies [N], written down then [N]."""
        nothing: list[Moved | None] = [None] * len(times_s)
        if not self._paths or not len(bodies) or not times_s:
            return nothing
        rows = (bodies != NO_BODY).nonzero()[:, 0]
        if not len(rows):
            return nothing
        own, then = on_host(bodies[rows], placed_s[rows])
        pairs = np.stack([own.astype(np.float64), then], 1)
        kinds, of = np.unique(pairs, axis=0, return_inverse=True)
        of = of.reshape(-1)
        shifts, quats = self._motions(kinds[:, 0].astype(int), kinds[:, 1], np.array(times_s))
        return [_going(rows, of, *one) for one in zip(shifts, quats, strict=True)]

    def _motions(
        self, bodies: NDArray[np.int_], since_s: Array, times_s: Array
    ) -> tuple[Array, Array]:
        """Shifts [T, K, 3] and quaternions [T, K, 4] of bodies from some times [K] to others."""
        shifts = np.zeros((len(times_s), len(bodies), 3))
        quats = np.zeros((len(times_s), len(bodies), 4))
        quats[..., 3] = 1
        for body in np.unique(bodies).tolist():
            path = self._paths.get(body)
            if path is None:
                continue
            mine = np.flatnonzero(bodies == body)
            from_places, from_quats = path.at(since_s[mine])
            from_quats = from_quats * _CONJUGATE
            to_places, to_quats = path.at(times_s)
            count, many = len(mine), len(times_s)
            turn = turns.products(np.repeat(to_quats, count, 0), np.tile(from_quats, (many, 1)))
            matrices = turns.matrices_of_quats(turn)
            back = np.einsum("nij,nj->ni", matrices, np.tile(from_places, (many, 1)))
            shifts[:, mine] = (np.repeat(to_places, count, 0) - back).reshape(many, count, 3)
            quats[:, mine] = turn.reshape(many, count, 4)
        return shifts, quats

    @staticmethod
    def _needless(path: _Path, time_s: float, T_map_body: Pose) -> bool:
        """Whether the last pose lies on the way from the one before it to a new one."""
        a, b = path.count - 2, path.count - 1
        share = (path.times[b] - path.times[a]) / (time_s - path.times[a])
        between = path.places[a] + share * (T_map_body[:3, 3] - path.places[a])
        if np.abs(between - path.places[b]).max() > _SAME_M:
            return False
        quat = poses.to_quaternion(T_map_body)[None]
        turn = turns.slerp(path.quats[a : a + 1], quat, np.array([share]))[0]
        cosine = min(abs(float(turn @ path.quats[b])), 1.0)
        return 2 * float(np.arccos(cosine)) < _SAME_RAD

    def _thin(self) -> None:
        """Leave out every other pose of the older half of each path."""
        for path in self._paths.values():
            half = path.count // 2
            path.keep([*range(0, half, 2), *range(half, path.count)])
        self._count = sum(path.count for path in self._paths.values())

    # --- files ---------------------------------------------------------------------------------

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Bodies [P] int64, times [P], places [P, 3] and quaternions [P, 4] xyzw, for saving."""
        paths = self._paths.items()
        counts = [path.count for _, path in paths]
        return {
            "body": np.repeat(np.array([body for body, _ in paths], np.int64), counts),
            "time_s": np.concatenate([np.zeros(0), *(p.times[: p.count] for _, p in paths)]),
            "place": np.concatenate([np.zeros((0, 3)), *(p.places[: p.count] for _, p in paths)]),
            "quat": np.concatenate([np.zeros((0, 4)), *(p.quats[: p.count] for _, p in paths)]),
        }

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of `arrays`, into fresh paths; ValueError for what cannot be."""
        columns = (arrays[name] for name in ("body", "time_s", "place", "quat"))
        for body, time_s, place, quat in zip(*columns, strict=True):
            path = self._paths.setdefault(int(body), _Path())
            if path.count and time_s <= path.times[path.count - 1]:
                raise ValueError(f"body {body} has time {time_s} s after a later one")
            path.put(path.count, float(time_s), poses.from_quaternion(place, quat))
            self._next = max(self._next, int(body) + 1)
            self._count += 1


_CONJUGATE = np.array([-1.0, -1.0, -1.0, 1.0])
_STILL = 1e-7  # metres, and of a quaternion


def _going(rows: Tensor, of: NDArray[np.intp], shifts: Array, quats: Array) -> Moved | None:
    """Rows [M] of which each has one of K motions, `of` [M]; None if all of them stand still."""
    still = (np.abs(shifts).max(1) < _STILL) & (np.abs(quats[:, :3]).max(1) < _STILL)
    if still.all():
        return None
    going = np.flatnonzero(~still[of])
    of, device = of[going], rows.device
    matrices = turns.matrices_of_quats(quats).astype(np.float32)
    return Moved(
        rows[torch.from_numpy(going).to(device)],
        torch.from_numpy(matrices[of]).to(device),
        torch.from_numpy(shifts.astype(np.float32)[of]).to(device),
        torch.from_numpy(quats[:, [3, 0, 1, 2]].astype(np.float32)[of]).to(device),
    )


def joined(parts: Sequence[Moved | None]) -> Moved | None:
    """All of several that are of the same table; None if there are none."""
    real = [one for one in parts if one is not None]
    if not real:
        return None
    return Moved(*(torch.cat(columns) for columns in zip(*real, strict=True)))
