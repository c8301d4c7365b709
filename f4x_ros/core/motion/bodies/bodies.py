# SPDX-License-Identifier: Apache-2.0
"""Bodies: found by what comes and goes, aligned to each frame, carried with their Gaussians."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.field import BodyPaths, GaussianSet
from f4x_ros.core.motion.bodies import gaussians
from f4x_ros.core.motion.bodies.align import about
from f4x_ros.core.motion.bodies.body import ESTABLISHED, Body, BodyState
from f4x_ros.core.motion.bodies.finding import Finder
from f4x_ros.core.motion.bodies.following import follow
from f4x_ros.core.motion.bodies.labels import at_rest
from f4x_ros.core.motion.bodies.motion import BodyMotion
from f4x_ros.core.motion.bodies.picture import RgbdPicture
from f4x_ros.core.motion.bodies.sight import Sight
from f4x_ros.core.motion.passing import on_its_way, rest_s
from f4x_ros.core.observe import View
from f4x_ros.core.render import render

_SOLID = 0.9  # alpha of a map that tells how noisy the depth is
_UNKNOWN_S = 0.3  # what appeared has moved for about so long before it was found
_REMEMBERED = 256  # bodies that are lost, or rest, and are still known


class Bodies:
    """What moves in a field.

    Args:
        paths: of the field, where the motions are written down.
        tolerance: depth error of the sensor, share of the depth.
        backend: rasteriser, resolved.
        seed: of the choice of points.
    """

    def __init__(self, paths: BodyPaths, tolerance: float, backend: str, seed: int) -> None:
        self._paths, self._tolerance, self._backend = paths, tolerance, backend
        self._rng = np.random.default_rng(seed)
        self._finder = Finder(paths, self._rng)
        self._known: dict[int, Body] = {}
        self._last_s: float | None = None

    @property
    def known(self) -> tuple[Body, ...]:
        """All that are remembered, the oldest first."""
        return tuple(self._known.values())

    @property
    def active(self) -> list[Body]:
        """Those that are followed."""
        return [one for one in self._known.values() if one.followed]

    @property
    def moving(self) -> list[int]:
        """Ids of those that move."""
        return [one.id for one in self._known.values() if one.moving]

    def motions(self) -> dict[int, BodyMotion]:
        """How each body moves that was found and is not lost, by its id."""
        return {
            one.id: one.motion()
            for one in self._known.values()
            if one.fits >= ESTABLISHED and one.state is not BodyState.LOST
        }

    @torch.no_grad()
    def advance(self, view: View, present: GaussianSet, interval_s: float) -> Tensor:
        """Follow the bodies to a new frame, find new ones, and carry their Gaussians there.

        Args:
            view: the frame.
            present: the working set; its columns of places and bodies are written.
            interval_s: usual time from frame to frame.

        Returns:
            [H, W] int32 body of each pixel, 0 = none.
        """
        self._predict(view.time_s)
        sight = self._sight(view, present, interval_s)
        for body in sorted(self.active, key=lambda one: -one.surface_m2):
            follow(body, sight, self._rng)
            self._paths.add(body.id, view.time_s, body.filter.T_map_body)
            if body.appeared and body.state is BodyState.MOVING:
                self._trace_back(body)
        gaussians.carry(present, self._paths, view.time_s)
        self._finder.find(sight, present, self._known)
        for body in self.active:
            if body.seen_s == view.time_s:
                body.see(sight.surface(sight.taken == body.id), view.T_map_camera[:3, 3])
        gaussians.let_go(present, [one.id for one in self.active], sight)
        self._forget()
        return torch.from_numpy(sight.taken).to(view.depth.device)

    @torch.no_grad()
    def pass_by(self, view: View, present: GaussianSet) -> None:
        """Move on to a frame that nothing is learned from."""
        self._predict(view.time_s)
        for body in self.active:
            self._paths.add(body.id, view.time_s, body.filter.T_map_body)
        gaussians.carry(present, self._paths, view.time_s)

    def _trace_back(self, body: Body) -> None:
        """What came from somewhere was on its way before it was known to be a body."""
        body.appeared = False
        pose = self._paths.at(body.id, body.began_s)
        middle = pose[:3, :3] @ body.filter.local_middle + pose[:3, 3]
        earlier = about(pose, middle, -_UNKNOWN_S * body.filter.twist)
        self._paths.begin_at(body.id, body.began_s - _UNKNOWN_S, earlier)

    def _predict(self, time_s: float) -> None:
        if self._last_s is not None:
            for body in self.active:
                body.filter.predict(time_s - self._last_s, seen=body.misses == 0)
        self._last_s = time_s

    def _sight(self, view: View, present: GaussianSet, interval_s: float) -> Sight:
        """The frame, and what the map without the bodies says of it."""
        still = ~gaussians.among(present, [one.id for one in self.active])
        lately = on_its_way(present, interval_s)
        lately &= view.time_s - present["seen_s"] < rest_s(interval_s)
        rows = still.nonzero()[:, 0]
        out = render(
            present["means"][rows],
            present["quats"][rows],
            present["log_scales"][rows].exp(),
            present["logit_opacities"][rows].sigmoid(),
            lately[rows, None].to(torch.float32),
            view.viewmat,
            view.K,
            *view.size,
            backend=self._backend,
        )
        columns = (view.rgb8, view.depth, out.expected_depth, out.alpha, out.image[..., 0])
        rgb, read, depth, alpha, moves = on_host(*columns)
        picture = RgbdPicture(view.camera, rgb, read)
        picture = picture.measured(depth, picture.known & (alpha > _SOLID))
        rest = at_rest(picture, depth, alpha, moves, self._tolerance)
        taken = np.zeros(read.shape, np.int32)
        return Sight(
            view.time_s, interval_s, self._finder.jitter, view.T_map_camera, picture, rest, taken
        )

    def _forget(self) -> None:
        """Drop what is not followed and never moved; of the others keep in mind the last.

        The paths of what has moved stay: they are where it was.
        """
        for one in list(self._known.values()):
            if not one.followed and not one.has_moved:
                self._paths.drop(one.id)
                del self._known[one.id]
        idle = [one.id for one in self._known.values() if not one.followed]
        for body in idle[: max(0, len(idle) - _REMEMBERED)]:
            del self._known[body]
