# SPDX-License-Identifier: Apache-2.0
"""Images of a bag and the depth that belongs to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.base import LeftOut
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bag_storage import BagStorage, Entry
from f4x_ros.io.pairing import SLOP_OF_PERIOD, nearest_stamps, pair_stamps

_JUMP_NS = 1_000_000_000  # farther back is no disorder of a network, as for the node


def paired_images(
    bag: BagStorage,
    image: str,
    depth: str,
    slop_ns: int,
    left_out: LeftOut,
    remarks: list[str],
    partner: str = "depth",
) -> tuple[list[Entry], list[Entry], NDArray[np.int64]]:
    """Images in the order of their stamps, their depth images, and the stamps ``[N]`` int64 ns.

    Args:
        bag: the recording.
        image: topic of colour images.
        depth: topic of depth images, "" = none.
        slop_ns: how far apart the stamps of a pair may be.
        left_out: counts what has no partner, or cannot be read.
        remarks: takes what was taken to mean what.
        partner: what the second topic is, in the reasons of what is left out.

    Raises:
        ValueError: there are no images, or none has a depth image.
    """
    path = bag.path
    entries, all_stamps, recorded = bag.stamped(image, "images_unreadable", left_out, remarks)
    if not entries:
        raise BadInputError(f"{path}: topic {image} holds no message that can be read")
    stamps, first = np.unique(all_stamps, return_index=True)
    repeated = np.setdiff1d(np.arange(len(entries)), first)
    if repeated.size:
        left_out.add("images_with_repeated_stamp", len(repeated), int(all_stamps[repeated].min()))
    images = [entries[i] for i in first]
    if not depth:
        _note_jump(all_stamps[np.sort(first)], image, remarks)
        return images, [], stamps
    depths, depth_stamps, depth_recorded = bag.stamped(
        depth, f"{partner}_unreadable", left_out, remarks
    )
    _, once = np.unique(depth_stamps, return_index=True)
    if again := len(depths) - len(once):
        repeated = np.setdiff1d(np.arange(len(depths)), once)
        left_out.add(f"{partner}_with_repeated_stamp", again, int(depth_stamps[repeated].min()))
        depths, depth_stamps = [depths[i] for i in once], depth_stamps[once]
    if (recorded or depth_recorded) and len(stamps) > 1:
        slop_ns = max(slop_ns, int(SLOP_OF_PERIOD * np.median(np.diff(stamps))))
    index = pair_stamps(stamps, depth_stamps, slop_ns)
    paired = np.flatnonzero(index >= 0)
    if not paired.size:
        raise BadInputError(
            f"{path}: none of {len(images)} images on {image} has a {partner} image on {depth} "
            f"within {slop_ns / 1e9:g} s{_nearest(stamps, depth_stamps)} (--slop SECONDS pairs "
            "what is farther apart)"
        )
    # (of those that are used: a single wrong stamp has no partner, and costs itself)
    _note_jump(all_stamps[np.sort(first[paired])], image, remarks)
    if lost := len(images) - paired.size:
        left_out.add(f"images_without_{partner}", lost, int(stamps[index < 0][0]))
    if lost := len(depths) - paired.size:
        alone = np.setdiff1d(np.arange(len(depths)), index[paired])
        left_out.add(f"{partner}_without_image", lost, int(depth_stamps[alone].min()))
    return [images[i] for i in paired], [depths[index[i]] for i in paired], stamps[paired]


def _nearest(stamps: NDArray[np.int64], others: NDArray[np.int64]) -> str:
    if not others.size:
        return ""
    apart = np.abs(stamps - others[nearest_stamps(stamps, others)]).min()
    return f", the nearest differ by {apart / 1e9:.3f} s"


def _note_jump(stamps: NDArray[np.int64], topic: str, remarks: list[str]) -> None:
    """Say that a clock was set back while it was recorded; stamps in the order of recording."""
    steps = np.diff(stamps)
    if steps.size and (back := int(steps.min())) < -_JUMP_NS:
        at = int(steps.argmin())
        remarks.append(
            f"topic {topic}: the stamps go back by {-back / 1e9:.3f} s after {stamps[at] / 1e9:.3f}"
            " s; images are put in the order of their stamps"
        )
