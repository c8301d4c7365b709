# SPDX-License-Identifier: Apache-2.0
"""ROS parameters of the node: its own, and all of `core.config.Config` under the same dotted names.

A value that does not fit never stops the process: the node keeps it in mind, configuring fails
with its name, and `ros2 param set` can repair it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from f4x_ros.core.ask import read_prompts
from f4x_ros.core.base.limits import MAX_FRAME_NAME_LETTERS, MAX_SOURCE_LETTERS
from f4x_ros.core.config import Config
from f4x_ros.core.errors import BadInputError
from f4x_ros.ros.options import Option, checked, declare, shortened, shown, unknown

_FRAMES = ("map_frame", "camera_frame", "odometry.base_frame", "odometry.odom_frame")
_FOLDERS = ("report.dir", "map.dir")
_SLOWEST_HZ = 1e-6

OPTIONS: tuple[Option, ...] = (
    Option("prompts", [""], "standing queries, in the order of their labels; '' is left out"),
    Option("prompts_file", "", "text file with one prompt per line, added after `prompts`"),
    Option(
        "thresholds",
        [0.0],
        "one per prompt, 0..1; 0 or none = calibrated by the extractor",
        low=0,
        high=1,
    ),
    Option("autostart", True, "executable only: configure and activate at start"),
    Option("map_frame", "map", "fixed frame of the map, the tracks and the cloud"),
    Option("camera_frame", "", "optical frame of the images; '' = frame_id of the image"),
    Option(
        "pose_source",
        "tf",
        "where the camera's pose comes from; odometry is the same as pose.source: odometry",
        choices=("tf", "topic", "odometry"),
    ),
    Option(
        "odometry.base_frame",
        "",
        "frame of the robot whose pose ~/odometry has and where the map begins, TF leads from it "
        "to the camera; '' = the camera",
    ),
    Option(
        "odometry.publish_tf",
        "none",
        "the one transform to publish of the estimate, from map_frame to the camera, to "
        "odometry.base_frame, or to odometry.odom_frame of another odometry; nothing is published "
        "while somebody else says where that frame is",
        choices=("none", "map_to_camera", "map_to_base", "map_to_odom"),
    ),
    Option(
        "odometry.rate_hz",
        10.0,
        "while a frame is mapped, so many others are followed, per second of stamps; 0 = every "
        "frame",
        low=0,
    ),
    Option("odometry.odom_frame", "odom", "frame that map_to_odom places in the map"),
    Option(
        "odometry.transform_tolerance_s",
        0.2,
        "map_to_odom is dated ahead by so much, as by nav2, for who asks for now",
        low=0,
        high=10,
    ),
    Option("image_rectified", False, "the images are rectified already: use P of camera_info"),
    Option("sync.slop_s", 0.02, "image and depth pair up to this far apart", low=0, high=1),
    Option(
        "sync.queue_size", 30, "messages per topic that wait for their partners", low=1, high=10_000
    ),
    Option(
        "frames",
        "newest",
        "newest: map the newest one whose pose is there, drop those before it; all: one after the "
        "other, for recordings of which nothing may be lost",
        choices=("newest", "all"),
    ),
    Option("queue_size", 10, "frames that wait for the map or for their pose", low=1, high=10_000),
    Option("transform_timeout_s", 0.5, "a frame waits so long for its pose", low=0, high=60),
    Option("time_jump_s", 1.0, "stamps going back by more than this are a jump", low=0),
    Option(
        "on_time_jump",
        "reset",
        "reset: start a new map; ignore_frames: drop frames until time has caught up",
        choices=("reset", "ignore_frames"),
    ),
    Option("masks.rate_hz", 0.0, "most ~/masks per second of stamps; 0 = every frame", low=0),
    Option("moving.rate_hz", 0.0, "most ~/moving per second of stamps; 0 = every frame", low=0),
    Option("overlay.rate_hz", 0.0, "most ~/overlay per second of stamps; 0 = every frame", low=0),
    Option("tracks.rate_hz", 0.0, "most ~/tracks per second of stamps; 0 = every frame", low=0),
    Option(
        "predictions.rate_hz",
        0.0,
        "most ~/predictions per second of stamps; 0 = every frame",
        low=0,
    ),
    Option("markers.rate_hz", 0.0, "most ~/markers per second of stamps; 0 = every frame", low=0),
    Option(
        "point_map.rate_hz", 0.0, "most ~/point_map per second of stamps; 0 = every frame", low=0
    ),
    Option("cloud.rate_hz", 0.0, "most ~/cloud per second of stamps; 0 = every frame", low=0),
    Option(
        "map_cloud.rate_hz", 0.5, "most ~/map_cloud per second of stamps; 0 = every frame", low=0
    ),
    Option("diagnostics.rate_hz", 1.0, "messages on /diagnostics per second", low=0.1, high=100),
    Option(
        "web.port",
        0,
        "port of the page that shows the map in a browser; 0 = no page",
        low=0,
        high=65535,
    ),
    Option(
        "web.host",
        "127.0.0.1",
        "address the page listens at; others than this machine's need the token in its address",
    ),
    Option("web.rate_hz", 1.0, "how often open pages take the map anew", low=0.01, high=20),
    Option("report.dir", "", "on deactivation, leave here what `f4x run` leaves; '' = nothing"),
    Option("report.source", "", "what the report calls its input; '' = the node's name"),
    Option("report.holdout_every", 0, "every n-th frame only measures; 0 = all are mapped", low=0),
)


@dataclass(frozen=True)
class Settings:
    """The parameters of one configuration, checked."""

    config: Config
    prompts: tuple[str, ...]
    thresholds: tuple[float, ...]
    options: Mapping[str, Any]  # the other options of the node by name

    def __getitem__(self, name: str) -> Any:
        return self.options[name]


class NodeParameters:
    """Declares the parameters on a node and reads them when it is configured."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._frozen = False
        self._core = tuple(
            Option(p.name, p.default, p.doc, p.low, p.high, p.choices)
            for p in Config.parameters()
            if not isinstance(p.default, tuple)  # (ROS knows none, and the table has none)
        )
        self._own = {option.name: option for option in (*OPTIONS, *self._core)}
        found = {option.name: declare(node, option) for option in self._own.values()}
        self._problems = {name: text for name, text in found.items() if text}  # by parameter
        node.add_on_set_parameters_callback(self._on_set)
        for text in unknown(node, self._own):
            node.get_logger().warning(f"{text} and has no effect; ros2 param list shows all")

    def freeze(self, frozen: bool) -> None:
        """While frozen, changes are refused with the reason instead of having no effect."""
        self._frozen = frozen

    def value(self, name: str) -> Any:
        """One of them, for what has to work before all are read: the default if it does not fit."""
        option = self._own[name]
        try:
            return checked(option, self._node.get_parameter(name).value)
        except BadInputError:
            return option.default

    def named(self, error: Exception) -> Exception:
        """An error of a file as one of the parameter that names its folder; others as they are."""
        if not isinstance(error, OSError) or not isinstance(error.filename, str):
            return error
        file = Path(error.filename)
        for name in _FOLDERS:
            folder = Path(value := self.value(name)).expanduser().absolute()
            if value and (folder.is_relative_to(file) or file.is_relative_to(folder)):
                return _not_a_folder(name, value, error)
        return error

    def read(self) -> Settings:
        """All values.

        Raises:
            ValueError: a value, or the file of prompts, is not as expected; names it.
        """
        if self._problems:
            raise BadInputError("; ".join(self._problems.values()))
        raw = {name: self._node.get_parameter(name).value for name in self._own}
        raw["prompts"] = listed(raw["prompts"])
        values = {name: checked(option, raw[name]) for name, option in self._own.items()}
        _one_pose_source(values)
        config = Config.from_dotted({o.name: values[o.name] for o in self._core})
        options = {o.name: values[o.name] for o in OPTIONS}
        _check_together(values)
        for name in _FRAMES:  # as in tf2, a slash in front means nothing
            options[name] = options[name].lstrip("/")
        prompts = [p for p in options.pop("prompts") if p]
        if path := options["prompts_file"]:
            try:
                prompts += read_prompts(path)
            except ValueError as error:
                raise BadInputError(
                    f"parameter 'prompts_file' is {shown(path)}, expected a text file with one "
                    f"prompt per line ({shortened(str(error))})"
                ) from error
        thresholds = options.pop("thresholds")
        if not any(thresholds):
            thresholds = []
        if thresholds and len(thresholds) != len(prompts):
            raise BadInputError(
                f"parameter 'thresholds' has {len(thresholds)} values, expected one for each of "
                f"{len(prompts)} prompts (or none)"
            )
        return Settings(config, tuple(prompts), tuple(thresholds), options)

    def _on_set(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        ours = [p for p in parameters if p.name in self._own]
        if self._frozen and ours:
            return SetParametersResult(
                successful=False,
                reason=f"'{ours[0].name}' is read when the node is configured: clean up, set, "
                "configure (for prompts, ~/set_prompts works at any time)",
            )
        for one in ours:
            value = listed(one.value) if one.name == "prompts" else one.value
            try:
                checked(self._own[one.name], value)
            except BadInputError as error:
                return SetParametersResult(successful=False, reason=str(error))
        for one in ours:
            self._problems.pop(one.name, None)
        return SetParametersResult(successful=True)


def listed(prompts: Any) -> Any:
    """Prompts given as one text, with commas in between, as a list; anything else as it is."""
    if not isinstance(prompts, str):
        return prompts
    return [part.strip() for part in prompts.split(",") if part.strip()]


def _not_a_folder(name: str, value: str, error: OSError) -> BadInputError:
    """The sentence about a parameter that names a folder which cannot be used."""
    return BadInputError(
        f"parameter '{name}' is {shown(value)}, expected a folder that can be written "
        f"({error.strerror or error})"
    )


def _check_together(values: Mapping[str, Any]) -> None:
    """What a range does not say."""
    if values["report.holdout_every"] == 1:
        raise BadInputError(
            "parameter 'report.holdout_every' is 1, expected 0 (all frames are mapped) or at least "
            "2 (of 1, none would be)"
        )
    for name, value in values.items():
        if name.endswith(".rate_hz") and 0 < value < _SLOWEST_HZ:
            raise BadInputError(
                f"parameter '{name}' is {value:g}, expected 0 (every frame) or at least "
                f"{_SLOWEST_HZ:g}"
            )
    for name in _FRAMES:
        value = values[name]
        blank = name == "map_frame" and not value.strip("/ ")
        if blank or len(value) > MAX_FRAME_NAME_LETTERS or not value.isprintable():
            raise BadInputError(
                f"parameter '{name}' is {shown(value)}, expected the name of a frame, "
                f"{MAX_FRAME_NAME_LETTERS} letters at most"
            )
    source = values["report.source"]
    if len(source) > MAX_SOURCE_LETTERS or not source.isprintable():
        raise BadInputError(
            f"parameter 'report.source' is {shown(source)}, expected a line of "
            f"{MAX_SOURCE_LETTERS} letters at most"
        )
    _check_odometry(values)
    memory = psutil.virtual_memory().total
    if values["field.max_bytes"] > memory:
        raise BadInputError(
            f"parameter 'field.max_bytes' is {values['field.max_bytes']}, expected at most "
            f"{memory}, the memory of this machine"
        )
    for name in _FOLDERS:
        if values[name]:
            _check_folder(name, values[name])


def _one_pose_source(values: dict[str, Any]) -> None:
    """Both parameters say odometry if one of them does."""
    if values["pose.source"] == "odometry" and values["pose_source"] == "topic":
        raise BadInputError(
            "parameter 'pose_source' is 'topic', expected 'odometry' or nothing with "
            "pose.source: odometry"
        )
    if "odometry" in (values["pose.source"], values["pose_source"]):
        values["pose.source"] = values["pose_source"] = "odometry"


def _check_odometry(values: Mapping[str, Any]) -> None:
    """What the parameters of odometry ask of each other."""
    frames = {n: values[n].lstrip("/") for n in _FRAMES}
    kind, base = values["odometry.publish_tf"], frames["odometry.base_frame"]
    said = f"parameter 'odometry.publish_tf' is {shown(kind)}, expected "
    if kind != "none" and values["pose_source"] != "odometry":
        raise BadInputError(
            f"{said}'none': with pose_source: {values['pose_source']} the node estimates no pose"
        )
    if kind == "map_to_base" and not base:
        raise BadInputError(f"{said}another one, or the name of the base in odometry.base_frame")
    if kind == "map_to_camera" and base:
        raise BadInputError(
            f"{said}none, map_to_base or map_to_odom: with an odometry.base_frame TF says already "
            "where the camera is on it"
        )
    if kind == "map_to_odom" and not frames["odometry.odom_frame"]:
        raise BadInputError(
            "parameter 'odometry.odom_frame' is '', expected the name of a frame for map_to_odom"
        )
    placed = {"map_to_base": "odometry.base_frame", "map_to_odom": "odometry.odom_frame"}.get(kind)
    for name in {placed or "odometry.base_frame", "odometry.base_frame"}:
        if frames[name] == frames["map_frame"]:
            raise BadInputError(
                f"parameter '{name}' is {shown(values[name])}, expected another frame than "
                "map_frame"
            )


def _check_folder(name: str, value: str) -> None:
    """A folder that is there or can be made, and written to."""
    path = Path(value).expanduser().absolute()
    there = next(p for p in (path, *path.parents) if os.path.lexists(p))
    try:
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{there} is a file")
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{there} cannot be written")
        path.stat()  # (a name may be too long)
    except FileNotFoundError:  # it can be made
        pass
    except OSError as error:
        raise _not_a_folder(name, value, error) from error
