# SPDX-License-Identifier: Apache-2.0
"""One source through one subject, and every number that its truth allows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadSampleError
from f4x_ros.eval.metrics.common import psnr_db as psnr_of_pixels_db
from f4x_ros.eval.metrics.geometry import cloud_scores, depth_coverage, depth_l1_m
from f4x_ros.eval.metrics.queries import PhraseIou, PhraseScores, fall
from f4x_ros.eval.metrics.rendering import psnr_db, ssim
from f4x_ros.eval.metrics.tracks import TrackScores
from f4x_ros.eval.protocol.asides import AsideView, views_aside
from f4x_ros.eval.protocol.click_questions import click_numbers
from f4x_ros.eval.protocol.costs import Costs
from f4x_ros.eval.protocol.frame_scores import FrameScores
from f4x_ros.eval.protocol.points import point_scores
from f4x_ros.eval.protocol.questions import (
    Answers,
    Vocabulary,
    aside_moments,
    ask_at_the_time,
    ask_everything,
)
from f4x_ros.eval.subjects.camera_path import CameraPath
from f4x_ros.eval.subjects.feed import Feed
from f4x_ros.eval.subjects.report import Report
from f4x_ros.eval.subjects.subject import Subject, is_held_out
from f4x_ros.io.source import Source
from f4x_ros.sim import World, WorldTruth

Numbers = dict[str, Any]
"""Metrics in nested dictionaries; None = there was nothing to measure."""

_CLOUD_COLUMNS = 160  # of the true depth images: denser than their voxels within 3 m
_CLOUD_EVERY = 2  # frames
_VOXEL_M = 0.02
_VOXEL_BIAS = 1 << 20  # makes all three numbers of a voxel positive, within 21 km
_MOVER_SHARE = 0.003  # of the picture that moves, for its PSNR to be measured
_PERFECT_DB = 100.0  # stands for the infinity of two equal pictures


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that came of one run.

    Attributes:
        name: of the source.
        numbers: "query", "motion", "tracks", "predictions", "points", "history", "camera",
            "geometry", "render", "cost", "run".
        scores: frame by frame; None without truth.
        answers: to questions; None without truth.
        source: the world, for pictures; None without truth.
        run: report of the recorder, flat.
    """

    name: str
    numbers: Numbers
    run: Report
    scores: FrameScores | None = None
    answers: Answers | None = None
    source: World | None = None


def evaluate(
    source: Source, subject: Subject, progress: Callable[[int], None] = lambda done: None
) -> Evaluation:
    """Feed all frames of a source to a subject, ask on the way and at the end, then measure.

    Args:
        source: a `World` for all metrics; any other source is measured against itself (held-out
            frames, cost); its frames that cannot be used cost themselves, and are in its `left_out`
            afterwards.
        subject: fresh, with neither frames nor prompts.
        progress: called with the number of frames done.

    Raises:
        ValueError: there is no frame that the subject can use.
    """
    if isinstance(source, World):
        return _evaluate_world(source, subject, progress)
    costs = Costs()
    subject.begin(subject.understood(["red thing", "blue thing", "green thing", "yellow thing"]))
    feed = Feed(source, needs_pose=not subject.finds_pose, needs_depth=not subject.finds_depth)
    feed.run(lambda frame: costs.add(subject.process(frame)), progress)
    source.left_out = feed.left_out
    run = subject.finish()
    numbers = {
        "render": {"psnr_past_db": run.get("psnr_heldout_db")},
        "geometry": {"depth_median_m": run.get("depth_median_error_m")},
        "cost": costs.numbers(run),
        "run": _about(source, subject, run),
    }
    return Evaluation(source.name, numbers, run)


def _evaluate_world(world: World, subject: Subject, progress: Callable[[int], None]) -> Evaluation:
    words = Vocabulary.of(world, subject)
    standing = words.standing()
    subject.begin([phrase.text for phrase in standing])
    scores, pictures, costs = FrameScores(world, standing), _Pictures(), Costs()
    at_the_time = PhraseIou()
    begun = False
    for index in range(len(world)):
        frame, truth = world[index], world.truth(index)
        if subject.finds_pose:  # told where the map lies, and nothing else
            told = index == 0 or (subject.finds_depth and not begun)
            frame = replace(frame, T_map_camera=truth.T_map_camera if told else None)
        try:
            observed = subject.process(frame)
        except BadSampleError as error:  # the camera is lost: there is nothing to compare
            world.left_out.add(error.reason, 1, frame.stamp_ns)
            progress(index + 1)
            continue
        begun = True
        costs.add(observed)
        scores.add(truth, observed, subject.predictions())
        if is_held_out(index) and observed.color is not None:
            pictures.live(observed.color, frame.rgb, truth)
        ask_at_the_time(world, subject, words, index, at_the_time)
        progress(index + 1)
    aside = views_aside(world, aside_moments(len(world)))
    answers = ask_everything(world, subject, words, aside, scores.seen_px, at_the_time)
    pictures.past(world, subject)
    pictures.aside(world, subject, aside)
    geometry = pictures.geometry() | _cloud(world, subject)
    events = subject.events()
    run = subject.finish()
    render = pictures.render()
    if render["psnr_past_db"] is None:  # the subject cannot be asked for pictures, but measured
        render["psnr_past_db"] = run.get("psnr_heldout_db")
    numbers = {
        "query": _query(answers, scores, world) | click_numbers(world, subject, aside),
        "motion": _motion(scores),
        "tracks": _tracks(scores.tracks(moving_only=True)) | _kinds(scores),
        "tracks_all": _tracks(scores.tracks(moving_only=False)),
        "predictions": _predictions(scores),
        "points": _points(world, subject),
        "history": {} if events is None else dataclasses.asdict(scores.moves(events)),
        "camera": _camera(scores) | _lost(subject, run) | _scaled(subject, scores),
        "geometry": geometry,
        "render": render,
        "cost": costs.numbers(run),
        "run": _about(world, subject, run),
    }  # fmt: skip
    return Evaluation(world.name, numbers, run, scores, answers, world)


def _about(source: Source, subject: Subject, run: Report) -> Numbers:
    return {
        "frames": len(source),
        "frames_dropped": run.get("frames_dropped"),
        "encoder": subject.encoder,
        "backend": run.get("render_backend"),
        "device": run.get("device"),
        "gaussians": run.get("gaussians"),
    }


def _query(answers: Answers, scores: FrameScores, world: World) -> Numbers:
    own, other = answers.phrases.result(), answers.paraphrases.result()
    aside, live = answers.aside.result(), scores.masks.result()
    beside, aside_seen = answers.beside.result(), answers.aside_seen.result()
    there = answers.presence
    return {
        "understood": answers.understood,
        "miou": own.miou,
        "macc": own.macc,
        "miou_all": _with_refused(own, len(answers.refused_visible)),
        "miou_paraphrase": other.miou,
        "macc_paraphrase": other.macc,
        "miou_at_the_time": answers.at_the_time.result().miou,
        "miou_aside": aside.miou,
        "miou_aside_seen": aside_seen.miou,
        "miou_beside": beside.miou,
        "aside_fall": fall(beside, aside_seen),
        "miou_live": live.miou,
        "miou_movers": _mean_iou(live, scores.standing_of(moving=True)),
        "miou_static": _mean_iou(live, scores.standing_of(moving=False)),
        "macc_live": live.macc,
        "presence_auroc": there.auroc if there else None,
        "presence_f1": there.f1 if there else None,
        "presence_precision": there.precision if there else None,
        "presence_recall": there.recall if there else None,
        "presence_absent": there.n_absent if there else 0,
        "presence_unsure": there.unsure if there else None,
        "presence_best_f1": there.best_f1 if there else None,
        "presence_best_threshold": there.best_threshold if there else None,
        "iou": {text: score.iou for text, score in own.per_phrase.items()},
        "iou_paraphrase": {text: score.iou for text, score in other.per_phrase.items()},
        "refused": list(answers.refused),
    }


def _mean_iou(scores: PhraseScores, texts: Collection[str]) -> float | None:
    """Over some phrases, those that never were in sight left out."""
    ious = [score.iou for text, score in scores.per_phrase.items() if text in texts]
    return float(np.mean(ious)) if ious else None


def _with_refused(own: PhraseScores, refused: int) -> float | None:
    """mIoU over all phrases that could be seen: what the encoder refuses, it finds nothing of."""
    total = len(own.per_phrase) + refused
    return sum(score.iou for score in own.per_phrase.values()) / total if total else None


def _motion(scores: FrameScores) -> Numbers:
    moving, false_share = scores.moving()
    return {
        "j": moving.j,
        "f": moving.f,
        "j_and_f": moving.j_and_f,
        "j_recall": moving.j_recall,
        "frames": moving.frames,
        "false_share": false_share,
    }


def _camera(scores: FrameScores) -> Numbers:
    path = scores.camera()
    if path is None:
        return {}
    return _plain(
        path, "ate_rmse_m", "ate_aligned_rmse_m", "rpe_translation_rmse_m", "rpe_rotation_rmse_rad"
    )


def _lost(subject: Subject, run: Report) -> Numbers:
    return {"lost_frames": run.get("lost_frames")} if subject.finds_pose else {}


def _scaled(subject: Subject, scores: FrameScores) -> Numbers:
    """Of a subject that had to find sizes, too: the path's error after the best scale."""
    if not (subject.finds_pose and subject.finds_depth):
        return {}
    path = CameraPath()
    for true, estimated in scores.poses():
        path.add(estimated, true)
    after, scale = path.scaled()
    return {"ate_scaled_rmse_m": after, "scale": scale, "path_m": path.errors().path_m}


def _tracks(scores: TrackScores) -> Numbers:
    numbers = _plain(
        scores, "hota", "deta", "assa", "mota", "idf1", "recall", "precision", "id_switches",
        "fragmentations", "position_median_m", "orientation_median_rad", "velocity_median_mps",
        "size_median_m", "time_to_confirmation_median_s", "never_found", "false_tracks", "objects",
    )  # fmt: skip
    if scores.moving is not None:
        numbers["moving_position_median_m"] = scores.moving.position_median_m
        numbers["moving_velocity_median_mps"] = scores.moving.velocity_median_mps
    return numbers


def _kinds(scores: FrameScores) -> Numbers:
    """Of "rigid", "persons" and "balls"; and whether all movers' errors are as was said."""
    kinds = {name: dataclasses.asdict(own) for name, own in scores.kinds().items()}
    movers = kinds.pop("movers")
    return kinds | {name: value for name, value in movers.items() if name.startswith("nees_")}


def _points(world: World, subject: Subject) -> Numbers:
    found = point_scores(world, subject)
    return {} if found is None else dataclasses.asdict(found)


def _predictions(scores: FrameScores) -> Numbers:
    """By time ahead: "position_median_500ms_m" and so on."""
    return {
        f"{name}_{round(1000 * seconds)}ms{unit}": getattr(own, name + unit)
        for seconds, own in scores.predictions().items()
        for name, unit in (
            *(("position_median", "_m"), ("position_p90", "_m"), ("still_median", "_m")),
            *(("nees", ""), ("overconfident", ""), ("predictions", "")),
        )
    }


def _plain(scores: Any, *names: str) -> Numbers:
    values: Mapping[str, Any] = dataclasses.asdict(scores)
    return {name: values[name] for name in names}


def _cloud(world: World, subject: Subject) -> Numbers:
    """The map's points against what stood still and was in view."""
    points = subject.cloud()
    if points is None:
        return {}
    scores = cloud_scores(_off_movers(world, points), _still_points(world))
    return {
        "accuracy_m": scores.accuracy_m,
        "completeness_m": scores.completeness_m,
        "accuracy_5cm": scores.accuracy_ratio,
        "completeness_5cm": scores.completeness_ratio,
        "f1_5cm": scores.f1,
    }


def _still_points(world: World) -> NDArray[np.float64]:
    """Seen surface ``[N, 3]`` of everything that never moves, one point a voxel, map frame."""
    movers = _comes_or_goes(world)
    stride = max(1, world.camera.width // _CLOUD_COLUMNS)
    points = np.zeros((0, 3))
    for index in sorted({*range(0, len(world), _CLOUD_EVERY), len(world) - 1}):
        truth = world.truth(index)
        use = ((truth.depth > 0) & ~truth.mask(movers))[::stride, ::stride]
        local = world.camera.unproject(truth.depth)[::stride, ::stride][use]
        seen = local @ truth.T_map_camera[:3, :3].T + truth.T_map_camera[:3, 3]
        points = _one_a_voxel(np.concatenate([points, _one_a_voxel(seen)]))
    return points


def _comes_or_goes(world: World) -> set[int]:
    """Ids of what moves at any time, appears or disappears."""
    return {made.label.id for made in world.scene.objects if made.label.moving or made.life}


def _one_a_voxel(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first point of each voxel, in the order in which they came."""
    cells = np.floor(points / _VOXEL_M).astype(np.int64) + _VOXEL_BIAS
    keys = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
    _, first = np.unique(keys, return_index=True)
    return np.asarray(points[np.sort(first)])


def _off_movers(world: World, points: NDArray[np.float32]) -> NDArray[np.float64]:
    """The points without those in the box (5 cm wider) of something that ever moves, now."""
    truth, keep = world.truth(len(world) - 1), np.ones(len(points), bool)
    changing = _comes_or_goes(world)
    for number, pose in truth.T_map_center.items():
        label = world.labels[number]
        if number in changing:
            local = (points - pose[:3, 3]) @ pose[:3, :3]
            keep &= (np.abs(local) > np.asarray(label.size) / 2 + 0.05).any(1)
    return np.asarray(points[keep], np.float64)


class _Pictures:
    """Pictures and depths of the map against those of the world."""

    def __init__(self) -> None:
        self._color: dict[str, list[tuple[float, float]]] = {"": [], "_past": [], "_aside": []}
        self._parts: dict[tuple[str, str], list[float]] = {}
        self._depth_m: list[float] = []
        self._covered: list[float] = []

    def live(self, picture: NDArray[np.uint8], seen: NDArray[np.uint8], truth: WorldTruth) -> None:
        """A held-out frame at the moment it came."""
        self._add("", picture, seen)
        self._movers("live", picture, seen, truth)

    def _movers(
        self, when: str, picture: NDArray[np.uint8], seen: NDArray[np.uint8], truth: WorldTruth
    ) -> None:
        """Pixels of what moves, and of what rests, in frames that show enough of the first."""
        moving = truth.moving_mask
        if moving.sum() >= _MOVER_SHARE * moving.size:
            for kind, mask in (("movers", moving), ("static", ~moving)):
                db = min(_PERFECT_DB, psnr_of_pixels_db(picture[mask], seen[mask]))
                self._parts.setdefault((when, kind), []).append(db)

    def past(self, world: World, subject: Subject) -> None:
        """All held-out frames again, out of the finished map."""
        for index in filter(is_held_out, range(len(world))):
            frame, truth = world[index], world.truth(index)
            self._look(subject, frame, truth, "_past", frame.rgb)

    def aside(self, world: World, subject: Subject, views: Sequence[AsideView]) -> None:
        """Views that no camera ever had."""
        for view in views:
            self._look(subject, world[view.index], view.truth, "_aside", view.rgb)

    def _look(
        self, subject: Subject, frame: Frame, truth: WorldTruth, kind: str, rgb: NDArray[np.uint8]
    ) -> None:
        view = subject.render(frame.camera, truth.T_map_camera, frame.stamp_ns)
        if view is None:
            return
        self._add(kind, view.color, rgb)
        if kind == "_past":
            self._movers("past", view.color, rgb, truth)
            error = depth_l1_m(view.depth, truth.depth, view.alpha)
            if error is not None:
                self._depth_m.append(error)
            self._covered.append(depth_coverage(view.depth, truth.depth, view.alpha) or 0.0)

    def _add(self, kind: str, picture: NDArray[np.uint8], seen: NDArray[np.uint8]) -> None:
        db = min(_PERFECT_DB, psnr_db(picture, seen))
        self._color[kind].append((db, ssim(picture, seen)))

    def render(self) -> Numbers:
        """Mean PSNR and SSIM of each kind."""
        numbers: Numbers = {}
        for kind, values in self._color.items():
            mean = np.mean(values, axis=0) if values else (None, None)
            numbers[f"psnr{kind}_db"] = None if mean[0] is None else float(mean[0])
            numbers[f"ssim{kind}"] = None if mean[1] is None else float(mean[1])
        for when, end in (("past", ""), ("live", "_live")):
            for kind in ("movers", "static"):
                dbs = self._parts.get((when, kind))
                numbers[f"psnr_{kind}{end}_db"] = float(np.mean(dbs)) if dbs else None
        return numbers

    def geometry(self) -> Numbers:
        """Mean depth error where the map claims a surface, and how often it does."""
        return {
            "depth_l1_m": float(np.mean(self._depth_m)) if self._depth_m else None,
            "depth_coverage": float(np.mean(self._covered)) if self._covered else None,
        }
