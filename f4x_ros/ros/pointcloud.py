# SPDX-License-Identifier: Apache-2.0
"""The semantic cloud as `sensor_msgs/PointCloud2` and back."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from f4x_ros.core.data import Cloud, ShownView
from f4x_ros.core.errors import BadInputError
from f4x_ros.ros.images import byte_array

# One point: 32 bytes, every field aligned to its size, so that other languages may map it.
# `rgb` holds 0x00RRGGBB in the bytes of a float32, as PCL and RViz expect.
POINT = np.dtype(
    {
        "names": ["x", "y", "z", "rgb", "score", "age", "object", "label"],
        "formats": ["<f4", "<f4", "<f4", "<u4", "<f4", "<f4", "<u4", "<u2"],
        "offsets": [0, 4, 8, 12, 16, 20, 24, 28],
        "itemsize": 32,
    }
)
# A point of a point map: where it is, its colour, and how fast it goes.
FLOWING = np.dtype(
    [(name, "<u4" if name == "rgb" else "<f4") for name in ("x", "y", "z", "rgb", "vx", "vy", "vz")]
)
_DATATYPES = {"<f4": PointField.FLOAT32, "<u4": PointField.UINT32, "<u2": PointField.UINT16}


def _fields(point: np.dtype[np.void] = POINT) -> list[PointField]:
    fields = []
    for name in point.names or ():
        kind, offset = point.fields[name][:2]  # type: ignore[index]
        datatype = PointField.FLOAT32 if name == "rgb" else _DATATYPES[kind.str]
        fields.append(PointField(name=name, offset=offset, datatype=datatype, count=1))
    return fields


def cloud_msg(cloud: Cloud | None, head: Header) -> PointCloud2:
    """Unorganised cloud with the fields of `POINT`; None gives an empty one."""
    points = np.zeros(0 if cloud is None else len(cloud), POINT)
    if cloud is not None:
        points["x"], points["y"], points["z"] = cloud.xyz.T
        r, g, b = cloud.rgb.astype(np.uint32).T
        points["rgb"] = r << 16 | g << 8 | b
        points["score"], points["age"] = cloud.score, cloud.age
        points["object"], points["label"] = cloud.object, cloud.label
    message = PointCloud2(header=head, height=1, width=len(points), fields=_fields())
    message.point_step = POINT.itemsize
    message.row_step = points.nbytes
    message.is_bigendian = False
    message.is_dense = bool(cloud is None or np.isfinite(cloud.xyz).all())
    message.data = byte_array(points)
    return message


def point_map_msg(shown: ShownView, head: Header) -> PointCloud2:
    """Organised cloud [H, W] of what each pixel of a view shows, with the fields of `FLOWING`.

    `shown` has velocities.
    """
    assert shown.velocity is not None
    points = np.zeros(shown.depth.shape, FLOWING)
    for names, values in (("xyz", shown.points()), (("vx", "vy", "vz"), shown.velocity)):
        for name, column in zip(names, np.moveaxis(values, -1, 0), strict=True):
            points[name] = column
    r, g, b = np.moveaxis(shown.color.astype(np.uint32), -1, 0)
    points["rgb"] = r << 16 | g << 8 | b
    height, width = points.shape
    message = PointCloud2(header=head, height=height, width=width, fields=_fields(FLOWING))
    message.point_step = FLOWING.itemsize
    message.row_step = width * FLOWING.itemsize
    message.is_bigendian = False
    message.is_dense = bool((shown.depth > 0).all())
    message.data = byte_array(points)
    return message


def cloud_from_msg(message: PointCloud2) -> Cloud:
    """The inverse of `cloud_msg`, for whoever reads `~/cloud` in Python.

    Raises:
        ValueError: the fields are not those of `POINT`, or there is less data than points.
    """
    found = {(f.name, f.offset) for f in message.fields}
    expected = {(f.name, f.offset) for f in _fields()}
    if found != expected or message.point_step != POINT.itemsize:
        raise BadInputError(
            f"cloud has the fields {sorted(found)} in {message.point_step} bytes, "
            f"expected {sorted(expected)} in {POINT.itemsize}"
        )
    count = message.width * message.height
    if len(message.data) < count * POINT.itemsize:
        raise BadInputError(
            f"cloud has {len(message.data)} bytes, expected {count * POINT.itemsize} "
            f"for {count} points"
        )
    points = np.frombuffer(message.data, POINT, count)
    rgb = np.stack([points["rgb"] >> shift & 255 for shift in (16, 8, 0)], -1)
    return Cloud(
        xyz=np.stack([points["x"], points["y"], points["z"]], -1),
        rgb=rgb.astype(np.uint8),
        label=points["label"].copy(),
        score=points["score"].copy(),
        age=points["age"].copy(),
        object=points["object"].copy(),
    )
