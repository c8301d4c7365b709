# SPDX-License-Identifier: Apache-2.0
"""Marks carried from one object to others, on a picture of the field."""

from __future__ import annotations

import cv2
import numpy as np

from f4x_ros.core.ask import MarkedObject, TransferResult
from f4x_ros.viz.boxes import projected_edges
from f4x_ros.viz.marks import Chip, draw_chips
from f4x_ros.viz.palette import Rgb, color_of
from f4x_ros.viz.text import Image8, draw_text

_WIDTH = 1280  # pixels of the picture, about
_TINT = 0.55  # opacity of a part
_UNSURE = 0.5  # confidence under which a mark is drawn hollow
_WHITE: Rgb = (255, 255, 255)
_GREY: Rgb = (70, 70, 76)
_GRID_PX = 20  # between two lines; every second one has a number


def transfer_picture(result: TransferResult) -> Image8:
    """The view with every object's marks [H, W, 3]: rings with a cross on the marked object.

    A mark of low confidence is hollow with a question mark; what is out of sight is a small ring.
    """
    scale = max(1, round(_WIDTH / result.view.color.shape[1]))
    image = _enlarged(_tinted(result), scale)
    chips: list[Chip] = []
    for one in (result.source, *result.targets):
        is_source = one is result.source
        _draw_box(image, one, result, scale, _WHITE if is_source else _GREY)
        chips += _draw_points(image, one, scale, is_source=is_source)
        chips += _part_names(one, result, scale)
    draw_chips(image, chips, 15, image.shape[0], around=True)
    return image


def pixel_grid(color: Image8) -> Image8:
    """A picture enlarged, under lines that tell its pixels, to read clicks off."""
    scale = max(1, round(_WIDTH / color.shape[1]))
    image = _enlarged(color, scale)
    height, width = color.shape[:2]
    lines = image.copy()
    for x in range(0, width, _GRID_PX):
        cv2.line(lines, (x * scale, 0), (x * scale, image.shape[0]), _WHITE, 1)
    for y in range(0, height, _GRID_PX):
        cv2.line(lines, (0, y * scale), (image.shape[1], y * scale), _WHITE, 1)
    image = cv2.addWeighted(image, 0.72, lines, 0.28, 0).astype(np.uint8)
    for x in range(2 * _GRID_PX, width, 2 * _GRID_PX):
        _number(image, x, x * scale + 3, 2)
    for y in range(2 * _GRID_PX, height, 2 * _GRID_PX):
        _number(image, y, 3, y * scale + 1)
    return image


def _number(image: Image8, value: int, x: int, y: int) -> None:
    for shift in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        draw_text(image, str(value), x + shift[0], y + shift[1], 15, (0, 0, 0), bold=True)
    draw_text(image, str(value), x, y, 15, (255, 240, 120), bold=True)


def _enlarged(color: Image8, scale: int) -> Image8:
    size = (color.shape[1] * scale, color.shape[0] * scale)
    return np.asarray(cv2.resize(color, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _tinted(result: TransferResult) -> Image8:
    image = result.view.color.astype(np.float32)
    for number in range(1, len(result.part_names) + 1):
        inside = result.part_mask == number
        tint = np.array(color_of(number - 1), np.float32)
        image[inside] = (1 - _TINT) * image[inside] + _TINT * tint
    return image.round().astype(np.uint8)


def _draw_box(
    image: Image8, one: MarkedObject, result: TransferResult, scale: int, color: Rgb
) -> None:
    edges = projected_edges(one.track, result.scene.camera, result.scene.T_map_camera)
    for a, b in np.round(edges * scale).astype(int):
        cv2.line(image, a.tolist(), b.tolist(), color, 1, cv2.LINE_AA)


def _draw_points(image: Image8, one: MarkedObject, scale: int, *, is_source: bool) -> list[Chip]:
    chips = []
    for number, (point, pixel, seen) in enumerate(
        zip(one.points, one.pixels, one.seen, strict=True)
    ):
        if np.isnan(pixel).any():
            continue
        x, y = (pixel * scale).round().astype(int).tolist()
        color, sure = color_of(number), point.confidence >= _UNSURE
        radius = 7 if seen else 4
        cv2.circle(image, (x, y), radius + 1, _WHITE, -1 if sure and seen else 3, cv2.LINE_AA)
        cv2.circle(image, (x, y), radius, color, -1 if sure and seen else 2, cv2.LINE_AA)
        if is_source:
            cv2.drawMarker(image, (x, y), _WHITE, cv2.MARKER_CROSS, 9, 2)
        if seen:
            chips.append(Chip(point.name + ("" if sure else "?"), x, y - 12, color, bold=is_source))
    return chips


def _part_names(one: MarkedObject, result: TransferResult, scale: int) -> list[Chip]:
    """Each part's name at the middle of its Gaussians."""
    scene, chips = result.scene, []
    for number, name in enumerate(result.part_names, 1):
        places = one.positions[one.parts == number]
        if not len(places):
            continue
        T_camera_map = np.linalg.inv(scene.T_map_camera)
        local = places @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
        local = local[local[:, 2] > 0]
        if not len(local):
            continue
        x, y = np.median(scene.camera.project(local), axis=0) * scale
        chips.append(Chip(name, float(x), float(y), color_of(number - 1)))
    return chips
