# SPDX-License-Identifier: Apache-2.0
"""A mover that is hidden behind another thing for three seconds: does it keep its id?

    python bench/hidden.py [--seeds 8000:8010] [--set KEY=VALUE] [--json FILE]

Each seed draws a room with a cabinet in its middle. One thing drives along behind it: two seconds
in sight, three hidden, then in sight again. Its class, colour and speed, the side it comes from,
whether it halts behind the cabinet, and what else stands around are the seed's. Poses are given.

`same_id` is the share of seeds in which the track that has it when it was last well in sight has it
again at the end. Beside it: how long it was hidden, how long a track was kept for it meanwhile and
how far that was off, and whether its covariance held the truth.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from f4x_ros.cli.settings import read_settings
from f4x_ros.cli.table import table
from f4x_ros.core.base.atomic import atomic_write
from f4x_ros.core.config import Config
from f4x_ros.core.data import Frame, Outputs, PinholeCamera, Pose, Track, TrackState
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.perception import Perception
from f4x_ros.sim.camera_paths import Stare
from f4x_ros.sim.motion import upright
from f4x_ros.sim.raycast import Raycaster
from f4x_ros.sim.scene import Light, Scene, SceneSpec, build_scene
from f4x_ros.sim.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.sim.truth import WorldTruth, truth_of

RATE_HZ = 15.0
SEEN_S, HIDDEN_S = 2.0, 3.0
_LAST_S = 2.5  # in sight again
_VISIBLE, _HIDDEN = 0.6, 0.02  # shares of the silhouette
_NEAR_M = 0.5  # a track that is so near is of it
_MOVERS = ("robot vacuum", "toy car", "backpack", "football", "basket")
_SIZES = {
    "toy car": {"length": 0.26, "width": 0.11, "height": 0.075},
    "football": {"radius": 0.12},
}
_CABINET_X, _CABINET_Y = 0.0, 0.1
_LANE_Y = 0.75
_START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, eq=False)
class Passing:
    """Along a lane in a straight line, with a halt behind the cabinet in some seeds."""

    x0: float
    speed: float  # m/s, its sign is the direction
    halt_at_s: float
    halt_s: float

    def __call__(self, t: float) -> Pose:
        driven = min(t, self.halt_at_s) + max(0.0, t - self.halt_at_s - self.halt_s)
        yaw = 0.0 if self.speed > 0 else math.pi
        return upright(self.x0 + self.speed * driven, _LANE_Y, 0.0, yaw)


@dataclass(frozen=True)
class Outcome:
    """What became of the mover of one seed.

    Attributes:
        seed: of the world.
        mover: its name.
        halts: whether it halts behind the cabinet.
        hidden_s: for how long it could not be seen.
        id_before: of its track when it was last in sight; None = it had none.
        id_after: of its track in the last moment.
        same_id: both are one.
        kept_share: of the hidden frames in which its track was still published.
        hidden_error_m: median distance of that track from where it truly was.
        inside_95: share of them in which the track's covariance held the truth (95 %).
        grew: whether that covariance grew meanwhile.
    """

    seed: int
    mover: str
    halts: bool
    hidden_s: float
    id_before: int | None
    id_after: int | None
    same_id: bool
    kept_share: float | None
    hidden_error_m: float | None
    inside_95: float | None
    grew: bool | None


def scene_of(seed: int) -> tuple[Scene, str, bool]:
    """The world of a seed, the name of its mover, and whether it halts."""
    kit = Kit("hidden", seed)
    speed = float(kit.rng.uniform(0.35, 0.55))
    halts = bool(seed % 2)
    halt_s = 1.0 if halts else 0.0
    # The shadow of the cabinet on the lane, seen from the camera, is as wide as the hidden way
    hidden_m = speed * (HIDDEN_S - halt_s)
    eye = (0.0, -2.6, 1.35)
    share = (_CABINET_Y - eye[1]) / (_LANE_Y - eye[1])
    cls = _MOVERS[(seed // 2) % len(_MOVERS)]
    kit.put("cabinet", None, _CABINET_X, _CABINET_Y,
            size={"width": share * (hidden_m + 0.3), "depth": 0.35, "height": 1.0})  # fmt: skip
    side = float(kit.pick(-1.0, 1.0))
    x0 = -side * (hidden_m / 2 + speed * SEEN_S)
    way = Passing(x0, side * speed, SEEN_S + (HIDDEN_S - halt_s) / 2, halt_s)
    # (a ball would have to roll: it slides, as a thing on wheels does)
    size = _SIZES.get(cls)
    height = 0.12 if cls == "football" else 0.0
    name = kit.put(cls, None, 0.0, 0.0, height, motion=way, size=size)
    for other, x, y in (("chair", 2.1, 1.6), ("potted plant", -2.2, 1.7), ("trash can", 1.9, -0.6)):
        kit.put(other, None, x, y, off_m=0.15, off_rad=0.5)
    spec = SceneSpec(
        room=room(
            (5.6, 5.8, 2.6),
            FLOORS[kit.pick("oak", "tiles", "ash")],
            WALLS[kit.pick("cream", "sky", "sage")],
        ),
        things=tuple(kit.things),
        lights=kit.lights(Light((0.4, -0.6, 2.4), (1.7, 1.65, 1.55), 0.1)),
        ambient=(0.34, 0.34, 0.35),
        camera=Stare(eye, (0.0, 0.75, 0.3), 0.02, 9.0, phase=kit.phase()),
    )
    return build_scene(spec), name, halts


def run(seed: int, config: Config) -> Outcome:
    """Map the world of a seed and look what became of its mover's track."""
    scene, name, halts = scene_of(seed)
    camera = PinholeCamera(320, 240, 262.0, 262.0, 160.0, 120.0)
    caster = Raycaster(scene)
    mover = next(made.label.id for made in scene.objects if made.label.name == name)
    perception = Perception(config, sorted({made.label.name for made in scene.objects}))
    seen: list[tuple[float, NDArray[np.float64], tuple[Track, ...]]] = []
    for index in range(round((SEEN_S + HIDDEN_S + _LAST_S) * RATE_HZ)):
        frame, truth = _frame(scene, caster, camera, index)
        percept = perception.process(frame, Outputs(masks=False, cloud=False, moving=False))
        place = truth.T_map_center[mover][:3, 3]
        seen.append((truth.visibility[mover], place, percept.tracks))
    return outcome(seed, name, halts, seen)


def _frame(
    scene: Scene, caster: Raycaster, camera: PinholeCamera, index: int
) -> tuple[Frame, WorldTruth]:
    t = index / RATE_HZ
    pose, stamp_ns = scene.spec.camera(t), _START_NS + round(t * 1e9)
    drawing = caster.draw(camera, pose, t, index)
    frame = Frame(stamp_ns, drawing.rgb, camera, drawing.depth, pose)
    return frame, truth_of(scene, drawing, t, stamp_ns, pose)


def outcome(
    seed: int,
    name: str,
    halts: bool,
    seen: Sequence[tuple[float, NDArray[np.float64], tuple[Track, ...]]],
) -> Outcome:
    """From visibility, true place and tracks of each frame to what became of the track."""
    shares = np.array([share for share, _, _ in seen])
    hidden = np.flatnonzero(shares < _HIDDEN)
    if not len(hidden):
        raise BadInputError(f"the mover of seed {seed} is never hidden, expected it to be")
    before = [k for k in range(hidden[0]) if shares[k] >= _VISIBLE]
    after = [k for k in range(hidden[-1] + 1, len(seen)) if shares[k] >= _VISIBLE]
    id_before = _usual([_nearest(*seen[k][1:]) for k in before[-5:]])
    id_after = _usual([_nearest(*seen[k][1:]) for k in after[-5:]])
    kept = [
        (track, seen[k][1])
        for k in hidden
        for track in seen[k][2]
        if track.id == id_before and track.state is not TrackState.LOST
    ]
    errors = [float(np.linalg.norm(track.position - place)) for track, place in kept]
    inside = [_holds(track, place) for track, place in kept]
    spreads = [float(np.trace(track.pose_covariance[:3, :3])) for track, _ in kept]
    known = id_before is not None
    return Outcome(
        seed=seed,
        mover=name,
        halts=halts,
        hidden_s=float((hidden[-1] - hidden[0] + 1) / RATE_HZ),
        id_before=id_before,
        id_after=id_after,
        same_id=known and id_before == id_after,
        kept_share=len(kept) / len(hidden) if known else None,
        hidden_error_m=float(np.median(errors)) if errors else None,
        inside_95=float(np.mean(inside)) if inside else None,
        grew=spreads[-1] > spreads[0] if len(spreads) > 1 else None,
    )


def _nearest(place: NDArray[np.float64], tracks: Sequence[Track]) -> int | None:
    """The confirmed track nearest to a place; None where none is near."""
    near = [
        (float(np.linalg.norm(track.position - place)), track.id)
        for track in tracks
        if track.state is TrackState.CONFIRMED
    ]
    near = [one for one in near if one[0] < _NEAR_M]
    return min(near)[1] if near else None


def _usual(ids: Sequence[int | None]) -> int | None:
    """The id that is there most often."""
    return max(set(ids), key=ids.count) if ids else None


def _holds(track: Track, place: NDArray[np.float64]) -> bool:
    """Whether the place is within the 95 % ellipsoid of a track."""
    error = track.position - place
    return bool(error @ np.linalg.solve(track.pose_covariance[:3, :3], error) <= 7.815)


def summary(outcomes: Sequence[Outcome]) -> dict[str, float | int | None]:
    """Over all seeds."""
    kept = [one.kept_share for one in outcomes if one.kept_share is not None]
    errors = [one.hidden_error_m for one in outcomes if one.hidden_error_m is not None]
    inside = [one.inside_95 for one in outcomes if one.inside_95 is not None]
    return {
        "seeds": len(outcomes),
        "same_id": float(np.mean([one.same_id for one in outcomes])),
        "tracked_before": sum(one.id_before is not None for one in outcomes),
        "hidden_s": float(np.median([one.hidden_s for one in outcomes])),
        "kept_share": float(np.mean(kept)) if kept else None,
        "hidden_error_m": float(np.median(errors)) if errors else None,
        "inside_95": float(np.mean(inside)) if inside else None,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="8000:8010", help="from:to, the last one left out")
    parser.add_argument("--set", action="append", default=[], dest="assignments",
                        metavar="KEY=VALUE", help="an option")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="leave the numbers there")
    options = parser.parse_args(arguments)
    first, stop = (int(part) for part in options.seeds.split(":"))
    config, _ = read_settings(None, options.assignments)
    outcomes = []
    for seed in range(first, stop):
        outcomes.append(run(seed, config))
        print(f"seed {seed}: {outcomes[-1]}", flush=True)
    numbers = summary(outcomes)
    print(table([(name, "-" if v is None else f"{v:.3g}") for name, v in numbers.items()]))
    if options.json:
        document = {**numbers, "outcomes": [asdict(one) for one in outcomes]}
        with atomic_write(Path(options.json)) as file:
            file.write(json.dumps(document, indent=2).encode())


if __name__ == "__main__":
    main()
