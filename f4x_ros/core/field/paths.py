# SPDX-License-Identifier: Apache-2.0
"""Where bodies were: the rigid motions that carry Gaussians through time.

A Gaussian of a body is written down where it was at one moment (its column `placed_s`), and is
anywhere else by the body's motion from then to there. So one set of Gaussians is the body at all
times, and what any view teaches is kept.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor

from f4x_ros.core.data import Pose, poses
from f4x_ros.core.field.gaussians import GaussianSet

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

    def before(self, count: int) -> Moved:
        """Those of the first `count` rows."""
        kept = (self.rows < count).nonzero()[:, 0]
        return Moved(self.rows[kept], self.turns[kept], self.shifts[kept], self.quats[kept])

    def gradients(self, means: Tensor, quats: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients [N, 3], [N, 4] at the time as those where the rows are written down."""
        back = torch.einsum("mji,mj->mi", self.turns, means[self.rows])
        turned = product(self.quats * self.quats.new_tensor([1, -1, -1, -1]), quats[self.rows])
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


class BodyPaths:
    """Poses `T_map_body` of bodies over time, seconds of the field.

    A body rests before its first pose and after its last.
    """

    def __init__(self) -> None:
        self._times: dict[int, list[float]] = {}
        self._poses: dict[int, list[Pose]] = {}

    def __len__(self) -> int:
        return len(self._times)

    def __contains__(self, body: object) -> bool:
        return body in self._times

    @property
    def next_id(self) -> int:
        """The lowest id that no body has had."""
        return 1 + max(self._times, default=NO_BODY)

    def span_s(self, body: int) -> tuple[float, float]:
        """Times of the first and the last pose of a body."""
        times = self._times[body]
        return times[0], times[-1]

    def add(self, body: int, time_s: float, T_map_body: Pose) -> None:
        """One more pose of a body, new or known; its times must grow."""
        times, known = self._times.setdefault(body, []), self._poses.setdefault(body, [])
        if len(times) > 1 and self._needless(body, time_s, T_map_body):
            times[-1], known[-1] = time_s, T_map_body
            return
        times.append(time_s)
        known.append(T_map_body)
        if sum(len(one) for one in self._times.values()) > MAX_POSES:
            self._thin()

    def at(self, body: int, time_s: float) -> Pose:
        """`T_map_body` at a time."""
        times, known = self._times[body], self._poses[body]
        right = bisect.bisect_left(times, time_s)
        if right == 0 or right == len(times):
            return known[min(right, len(times) - 1)]
        share = (time_s - times[right - 1]) / (times[right] - times[right - 1])
        return poses.interpolate(known[right - 1], known[right], share)

    def moved(self, table: GaussianSet, time_s: float) -> Moved | None:
        """What of a table is elsewhere at a time than where it is written down; None: nothing."""
        return self.motion(table["body_ids"], table["placed_s"], time_s)

    def motion(self, bodies: Tensor, placed_s: Tensor, time_s: float) -> Moved | None:
        """The same of Gaussians of these bodies [N], written down where they were then [N]."""
        if not self._times or not len(bodies):
            return None
        rows = (bodies != NO_BODY).nonzero()[:, 0]
        if not len(rows):
            return None
        own, then = bodies[rows].cpu().numpy(), placed_s[rows].cpu().numpy()
        pairs = np.stack([own.astype(np.float64), then], 1)
        kinds, of = np.unique(pairs, axis=0, return_inverse=True)
        motions = self._motions(kinds[:, 0].astype(int), kinds[:, 1], time_s)
        still = np.abs(motions - np.eye(4)).max((1, 2)) < 1e-7
        of = of.reshape(-1)
        if still.all():
            return None
        going = ~still[of]
        of = of[going]
        at = torch.from_numpy(np.flatnonzero(going)).to(rows.device)
        quats = Rotation.from_matrix(motions[:, :3, :3]).as_quat()[:, [3, 0, 1, 2]]
        device = rows.device
        return Moved(
            rows[at],
            torch.from_numpy(motions[:, :3, :3].astype(np.float32)[of]).to(device),
            torch.from_numpy(motions[:, :3, 3].astype(np.float32)[of]).to(device),
            torch.from_numpy(quats.astype(np.float32)[of]).to(device),
        )

    def _motions(
        self, bodies: NDArray[np.int_], since_s: NDArray[np.float64], time_s: float
    ) -> NDArray[np.float64]:
        """[K, 4, 4] motions of bodies from some times to one."""
        out = np.tile(np.eye(4), (len(bodies), 1, 1))
        for body in np.unique(bodies).tolist():
            if body not in self._times:
                continue
            mine = bodies == body
            T_body_map = [poses.inverse(one) for one in self._at_all(body, since_s[mine])]
            out[mine] = self.at(body, time_s) @ np.stack(T_body_map)
        return out

    def _at_all(self, body: int, times_s: NDArray[np.float64]) -> list[Pose]:
        times, known = np.array(self._times[body]), self._poses[body]
        if len(times) == 1:
            return [known[0]] * len(times_s)
        stack = np.stack(known)
        when = np.clip(times_s, times[0], times[-1])
        turns = Slerp(times, Rotation.from_matrix(stack[:, :3, :3]))(when).as_matrix()
        places = [np.interp(when, times, stack[:, axis, 3]) for axis in range(3)]
        out = np.tile(np.eye(4), (len(when), 1, 1))
        out[:, :3, :3], out[:, :3, 3] = turns, np.stack(places, 1)
        return list(out)

    def _needless(self, body: int, time_s: float, T_map_body: Pose) -> bool:
        """Whether the last pose lies on the way from the one before it to a new one."""
        times, known = self._times[body], self._poses[body]
        share = (times[-1] - times[-2]) / (time_s - times[-2])
        between = poses.interpolate(known[-2], T_map_body, share)
        off = float(np.linalg.norm(between[:3, 3] - known[-1][:3, 3]))
        return off < _SAME_M and poses.rotation_angle_rad(between, known[-1]) < _SAME_RAD

    def _thin(self) -> None:
        """Leave out every other pose of the older half of each path."""
        for body, times in self._times.items():
            half = len(times) // 2
            kept = [*range(0, half, 2), *range(half, len(times))]
            self._times[body] = [times[one] for one in kept]
            self._poses[body] = [self._poses[body][one] for one in kept]

    # --- files ---------------------------------------------------------------------------------

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Bodies [P] int64, times [P] and poses [P, 4, 4], for saving."""
        ids = [body for body, times in self._times.items() for _ in times]
        known = [pose for one in self._poses.values() for pose in one]
        return {
            "body": np.array(ids, np.int64),
            "time_s": np.array([t for times in self._times.values() for t in times], np.float64),
            "T_map_body": np.stack(known) if known else np.zeros((0, 4, 4)),
        }

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """The inverse of `arrays`, into fresh paths; ValueError for times that do not grow."""
        rows = zip(arrays["body"].tolist(), arrays["time_s"].tolist(), strict=True)
        for (body, time_s), pose in zip(rows, arrays["T_map_body"], strict=True):
            times = self._times.setdefault(int(body), [])
            if times and time_s <= times[-1]:
                raise ValueError(f"body {body} has time {time_s} s after {times[-1]} s")
            times.append(float(time_s))
            known = self._poses.setdefault(int(body), [])
            known.append(poses.check_pose(f"the pose of body {body}", pose))


def joined(parts: Sequence[Moved | None]) -> Moved | None:
    """All of several that are of the same table; None if there are none."""
    real = [one for one in parts if one is not None]
    if not real:
        return None
    return Moved(*(torch.cat(columns) for columns in zip(*real, strict=True)))
