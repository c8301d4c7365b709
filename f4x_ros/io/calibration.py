# SPDX-License-Identifier: Apache-2.0
"""What a calibration says of a lens, checked: the numbers of a file or of ``camera_info``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.errors import BadInputError, shown

Projection = Literal["pinhole", "fisheye"]

_MODELS: dict[str, Projection] = {
    "plumb_bob": "pinhole",
    "rational_polynomial": "pinhole",
    "equidistant": "fisheye",
    "fisheye": "fisheye",
}
_NO_MODEL = ("", "none")
#: OpenCV's k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tx ty]]]]; 0 = no distortion.
PINHOLE_COUNTS = (0, 4, 5, 8, 12, 14)
_FISHEYE_COUNT = 4

# Wider than 168 degrees or narrower than 0.6 is no pinhole camera that anybody maps with.
_FOCAL_PER_PIXEL = (0.05, 100.0)
_MOST_ASPECT = 4.0
_MOST_SKEW_PX = 0.5


@dataclass(frozen=True, eq=False)
class Calibration:
    """How pixels of a picture as it comes relate to those of a pinhole camera of the same size.

    Attributes:
        camera: the pinhole camera that the rectified picture is of.
        K: [3, 3] float64, matrix of the picture as it comes; pixel centres at integers.
        D: [N] float64, coefficients of the lens; empty = the picture is rectified already.
        R: [3, 3] float64, turns the lens's axes into those of `camera`.
        projection: what the coefficients mean: OpenCV's standard or its fisheye model.
        remarks: what was taken to mean what, in sentences.
    """

    camera: PinholeCamera
    K: NDArray[np.float64]
    D: NDArray[np.float64]
    R: NDArray[np.float64]
    projection: Projection = "pinhole"
    remarks: tuple[str, ...] = ()

    @property
    def bends(self) -> bool:
        """True if a picture has to be rectified."""
        lens = self.projection == "fisheye" or bool(self.D.any())
        other = not np.array_equal(self.K, self.camera.to_opencv_K())
        return lens or other or not np.array_equal(self.R, np.eye(3))


def lens_calibration(
    where: str, K: ArrayLike, D: ArrayLike, width: int, height: int
) -> Calibration:
    """Of a lens with OpenCV's matrix and coefficients; raises BadInputError naming the place."""
    matrix = checked_matrix(where, "camera matrix", K, width, height)
    coefficients = np.asarray(D, np.float64).reshape(-1)
    _, coefficients = _checked_distortion(where, "plumb_bob", coefficients)
    camera = PinholeCamera.from_opencv(matrix, width, height)
    return Calibration(camera, matrix, coefficients, np.eye(3))


def calibration_of_info(info: Any, *, rectified: bool, where: str) -> Calibration:
    """What a message-like ``CameraInfo`` says of the pictures beside it.

    A rectified picture is one of ``p``, a raw one of ``k`` and ``d``; a raw one of a camera that
    stands in a stereo rig (``r`` is no identity) is turned by ``r`` to ``p``, as image_proc does,
    so that both give the same. ``binning_x``, ``binning_y`` and ``roi`` are applied: the picture
    is the region, reduced.

    Raises:
        BadInputError: names the place, the field, its value and what was expected.
    """
    size = (int(info.width), int(info.height))
    K = np.array(info.k, np.float64).reshape(3, 3)
    P = np.array(info.p, np.float64).reshape(3, 4)[:, :3]
    D, R = np.array(info.d, np.float64).reshape(-1), np.eye(3)
    projection: Projection = "pinhole"
    remarks: tuple[str, ...] = ()
    if not rectified:
        model = str(info.distortion_model)
        if not D.size and _MODELS.get(model) != "pinhole" and model.lower() not in _NO_MODEL:
            said = f"distortion_model {shown(model)} without d is taken for no distortion"
            remarks = (f"{where}: {said}.",)
        projection, D = _checked_distortion(where, model, D)
        R = _checked_rotation(where, np.array(info.r, np.float64).reshape(3, 3))
    turned = not np.array_equal(R, np.eye(3))
    if rectified and P.any():
        field, K, D = "p", P, np.empty(0)
    elif rectified and D.any():
        raise BadInputError(
            f"{where}: p is zero and d is {_text(D)}, expected the matrix p of the rectified image"
        )
    elif not K.any() and P.any() and not D.any() and not turned:
        field, K = "p", P
        remarks = (*remarks, f"{where}: k is zero and there is no distortion: p is taken for it.")
    else:
        field = "k"
    K = checked_matrix(where, field, K, *size)
    target = checked_matrix(where, "p", P, *size) if turned and P.any() else K
    K, shape = _reduced(where, K, info)
    camera = PinholeCamera.from_opencv(_reduced(where, target, info)[0], *shape)
    return Calibration(camera, K, D, R, projection, remarks)


def stereo_calibration(info: Any, *, rectified: bool, where: str) -> Calibration:
    """As `calibration_of_info` of one of a pair: rectified pictures are those of ``p``, always."""
    made = calibration_of_info(info, rectified=rectified, where=where)
    P = np.array(info.p, np.float64).reshape(3, 4)[:, :3]
    target = checked_matrix(where, "p", P, int(info.width), int(info.height))
    reduced, shape = _reduced(where, target, info)
    return replace(made, camera=PinholeCamera.from_opencv(reduced, *shape))


def checked_matrix(
    where: str, field: str, K: ArrayLike, width: int, height: int
) -> NDArray[np.float64]:
    """A 3x3 matrix of a camera, pixel centres at integers, that a picture of this size may have.

    Raises:
        BadInputError: names the place, the field, its value and what was expected.
    """
    matrix = np.array(K, np.float64).reshape(3, 3)
    if not np.isfinite(matrix).all():
        raise BadInputError(f"{where}: {field} is {_text(matrix)}, expected finite numbers")
    if matrix[2, :2].any() or matrix[2, 2] not in (0, 1):  # some drivers send all of it as 0
        raise BadInputError(
            f"{where}: {field} has the last row {_text(matrix[2])}, expected 0 0 1, row by row"
        )
    try:
        PinholeCamera.from_opencv(matrix, width, height)
    except BadInputError as error:
        raise BadInputError(f"{where}: {error}; they are in {field}") from error
    fx, fy, cx, cy = (float(matrix[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    low, high = (factor * max(width, height) for factor in _FOCAL_PER_PIXEL)
    if not (low <= min(fx, fy) and max(fx, fy) <= high):
        raise BadInputError(
            f"{where}: {field} has focal lengths {fx:g} and {fy:g}, expected {low:g} to {high:g} "
            f"pixels for a picture of {width}x{height}"
        )
    if not 1 / _MOST_ASPECT <= fx / fy <= _MOST_ASPECT:
        raise BadInputError(
            f"{where}: {field} has focal lengths {fx:g} and {fy:g}, expected two of about one size"
        )
    if not (-width / 2 <= cx <= width * 1.5 and -height / 2 <= cy <= height * 1.5):
        raise BadInputError(
            f"{where}: {field} has its principal point at ({cx:g}, {cy:g}), expected it near the "
            f"middle of {width}x{height} pixels: is it of pictures of another size?"
        )
    skew = float(np.abs(matrix[[0, 1], [1, 0]]).max())
    if skew * max(width, height) / (2 * min(fx, fy)) > _MOST_SKEW_PX:
        raise BadInputError(
            f"{where}: {field} has a skew of {skew:g}, expected 0: fx 0 cx, 0 fy cy, 0 0 1"
        )
    return matrix


def off_centre(K: NDArray[np.float64], width: int, height: int) -> float:
    """How far the principal point is from the middle: 0 = there, 1 = at the edge of the picture."""
    offset = (K[:2, 2] + 0.5) / np.array([width, height]) - 0.5
    return float(np.abs(2 * offset).max())


def _checked_distortion(
    where: str, model: str, D: NDArray[np.float64]
) -> tuple[Projection, NDArray[np.float64]]:
    """What the coefficients mean, and as many as OpenCV takes; empty for none."""
    if not np.isfinite(D).all():
        raise BadInputError(
            f"{where}: d is {_text(D)}, expected finite numbers (or none for no distortion)"
        )
    if not D.size or (model.lower() in _NO_MODEL and not D.any()):
        return "pinhole", np.empty(0)
    if model not in _MODELS:
        raise BadInputError(
            f"{where}: distortion_model {shown(model)} with d {_text(D)}, expected one of "
            f"{[*_MODELS]}, or no d"
        )
    if _MODELS[model] == "fisheye":
        if len(D) < _FISHEYE_COUNT or D[_FISHEYE_COUNT:].any():
            raise BadInputError(
                f"{where}: d has {len(D)} numbers, expected {_FISHEYE_COUNT} for {model!r}"
            )
        return "fisheye", D[:_FISHEYE_COUNT]
    if len(D) not in PINHOLE_COUNTS:
        raise BadInputError(
            f"{where}: d has {len(D)} numbers, expected {_either(PINHOLE_COUNTS)} for {model!r}"
        )
    return "pinhole", D if D.any() else np.empty(0)


def _checked_rotation(where: str, R: NDArray[np.float64]) -> NDArray[np.float64]:
    """A rotation; zeros, as uncalibrated drivers send them, are none."""
    with np.errstate(all="ignore"):  # of numbers that are no rotation
        off = np.abs(R @ R.T - np.eye(3)).max() if np.isfinite(R).all() else np.inf
    if not R.any() or np.abs(R - np.eye(3)).max() < 1e-9:
        return np.eye(3)
    if not off < 1e-3 or np.linalg.det(R) < 0:
        raise BadInputError(f"{where}: r is {_text(R)}, expected a rotation")
    return R


def _reduced(
    where: str, K: NDArray[np.float64], info: Any
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """The matrix and size of the region of interest, with so many pixels binned into one."""
    roi, width, height = info.roi, int(info.width), int(info.height)
    x, y = int(roi.x_offset), int(roi.y_offset)
    region = (int(roi.width) or width, int(roi.height) or height)
    if x + region[0] > width or y + region[1] > height:
        raise BadInputError(
            f"{where}: roi is {region[0]}x{region[1]} at ({x}, {y}), expected it within "
            f"width x height, {width}x{height}"
        )
    binning = np.array([max(1, int(info.binning_x)), max(1, int(info.binning_y))], float)
    shape = int(region[0] // binning[0]), int(region[1] // binning[1])
    if min(shape) < 1:
        raise BadInputError(
            f"{where}: binning is {info.binning_x}x{info.binning_y}, expected at most the "
            f"{region[0]}x{region[1]} pixels there are"
        )
    reduced = K.copy()
    # The centre of a pixel that is binned from two lies between theirs.
    reduced[:2, 2] = (K[:2, 2] - [x, y] + 0.5) / binning - 0.5
    reduced[:2, :2] = K[:2, :2] / binning[:, None]
    return reduced, shape


def _either(counts: tuple[int, ...]) -> str:
    return f"{', '.join(str(n) for n in counts[:-1])} or {counts[-1]}"


def _text(values: NDArray[np.float64]) -> str:
    return f"[{', '.join(f'{value:g}' for value in values.reshape(-1))}]"
