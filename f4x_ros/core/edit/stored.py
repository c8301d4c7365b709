# SPDX-License-Identifier: Apache-2.0
"""The layer as arrays of a map file, in a section with a version of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.edit.edit import Edit
from f4x_ros.core.edit.inserted import COLUMNS, checked_rows
from f4x_ros.core.edit.region import Region
from f4x_ros.core.errors import CorruptError

VERSION = 2
"""Of the section; 2: bodies, and where a transform was made. 1 is read as well."""

Arrays = dict[str, NDArray[Any]]


def arrays_of(edits: Sequence[Edit]) -> Arrays:
    """What is written of edits; {} of none, so that a map without edits is as it always was."""
    if not edits:
        return {}
    table: list[dict[str, Any]] = []
    arrays: Arrays = {}
    for number, one in enumerate(edits):
        row: dict[str, Any] = {
            "kind": one.kind,
            "transform": np.asarray(one.transform, np.float64).tolist(),
            "scale": one.scale,
            "color": one.color,
            "since_s": one.since_s if math.isfinite(one.since_s) else None,
            "until_s": one.until_s if math.isfinite(one.until_s) else None,
            "text": one.text,
            "at_s": one.at_s,
            "pivot": list(one.pivot),
        }
        if one.region is not None:
            row |= {
                "name": one.region.name,
                "tracks": list(one.region.tracks),
                "things": list(one.region.things),
                "bodies": list(one.region.bodies),
            }
            arrays[f"{number}.inside"] = one.region.inside
            arrays[f"{number}.outside"] = one.region.outside
        for name, values in (one.rows or {}).items():
            arrays[f"{number}.{name}"] = values
        table.append(row)
    text = json.dumps({"version": VERSION, "edits": table}, allow_nan=False)
    return {"layer": np.frombuffer(text.encode(), np.uint8), **arrays}


def edits_of(arrays: Mapping[str, NDArray[Any]]) -> list[Edit]:
    """The edits that were written.

    Raises:
        ValueError: the section is damaged or of a version that is not known.
    """
    if not arrays:
        return []
    if "layer" not in arrays:
        raise CorruptError("the section of edits has no 'layer'")
    try:
        head = json.loads(np.asarray(arrays["layer"], np.uint8).tobytes())
        version = head["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(f"the section of edits has no version ({error})") from error
    if version not in (1, VERSION):
        raise CorruptError(f"the section of edits has version {version!r}, expected 1 or {VERSION}")
    try:
        return [_edit(number, row, arrays) for number, row in enumerate(head["edits"])]
    except (KeyError, TypeError) as error:
        raise CorruptError(f"the section of edits is damaged ({error!r})") from error


def _edit(number: int, row: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Edit:
    region = None
    if "name" in row:
        inside, outside = (arrays[f"{number}.{part}"] for part in ("inside", "outside"))
        region = Region(
            inside.astype(np.float32),
            outside.astype(np.float32),
            tuple(int(one) for one in row["tracks"]),
            tuple(int(one) for one in row["things"]),
            str(row["name"]),
            tuple(int(one) for one in row.get("bodies", ())),
        )
    rows = None
    if row["kind"] == "insert":
        given = {name: arrays[f"{number}.{name}"] for name in COLUMNS}
        rows = checked_rows(given, f"insertion {number}")
    x, y, z = (float(one) for one in row.get("pivot", (0.0, 0.0, 0.0)))
    since, until, color = row["since_s"], row["until_s"], row["color"]
    return Edit(
        kind=row["kind"],
        region=region,
        transform=np.asarray(row["transform"], np.float64),
        scale=float(row["scale"]),
        color=None if color is None else (float(color[0]), float(color[1]), float(color[2])),
        rows=rows,
        since_s=-math.inf if since is None else float(since),
        until_s=math.inf if until is None else float(until),
        text=str(row["text"]),
        at_s=float(row.get("at_s", 0.0)),
        pivot=(x, y, z),
    )
