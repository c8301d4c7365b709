# SPDX-License-Identifier: Apache-2.0
"""Which calibration of a bag an image has: the nearest in time that can be used."""

from __future__ import annotations

from typing import Any

import numpy as np

from f4x_ros.core.base import LeftOut
from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io.bag_storage import BagStorage
from f4x_ros.io.rectify import Rectifier

#: So many calibrations are tried for one that can be used before it is said that there is none.
_TRIES = 200


class BagCalibrations:
    """Calibrations of one topic by time. Each that cannot be used is counted once.

    Attributes:
        remarks: what was taken to mean what.
    """

    def __init__(self, bag: BagStorage, topic: str, *, rectified: bool, left_out: LeftOut) -> None:
        """Index the topic; raises ValueError if no message is on it.

        Args:
            bag: the recording.
            topic: of `CameraInfo`.
            rectified: whether the images are rectified already.
            left_out: counts messages that cannot be used.
        """
        self._bag, self._topic, self._rectified = bag, topic, rectified
        self._left_out = left_out
        self.remarks: list[str] = []
        self._entries, self._stamps, _ = bag.stamped(
            topic, "calibrations_unreadable", left_out, self.remarks
        )
        if not self._entries:
            raise BadInputError(f"{bag.path}: topic {topic} holds no message")
        self._made: dict[tuple[Any, ...], Rectifier] = {}
        self._bad: dict[int, BadInputError] = {}

    def at(self, stamp_ns: int) -> tuple[Any, Rectifier]:
        """The message nearest in time and its rectifier.

        Raises:
            ValueError: none of the nearest can be used; what is wrong with the nearest.
        """
        away = np.abs(self._stamps - stamp_ns)
        nearest = int(np.argmin(away))
        others = np.argsort(away, kind="stable")[:_TRIES] if nearest in self._bad else [nearest]
        for number in map(int, others):
            if number in self._bad:
                continue
            try:
                return self._use(number)
            except BadInputError as error:
                self._bad[number] = error
                unread = isinstance(error, BadSampleError)
                reason = "calibrations_unreadable" if unread else "calibrations_unusable"
                self._left_out.add(reason, 1, int(self._stamps[number]))
        if len(others) == 1 < len(away):
            return self.at(stamp_ns)  # now the others are tried
        raise self._bad[nearest]

    def _use(self, number: int) -> tuple[Any, Rectifier]:
        """Made once for equal calibrations."""
        info = self._bag.message(self._topic, self._entries[number])
        key = (
            info.width, info.height, info.distortion_model, *info.k, *info.p, *info.r, *info.d,
            info.binning_x, info.binning_y, info.roi.x_offset, info.roi.y_offset, info.roi.width,
            info.roi.height,
        )  # fmt: skip
        if key not in self._made:
            where = f"{self._bag.path} topic {self._topic}"
            made = Rectifier(info, rectified=self._rectified, where=where)
            self._made[key] = made
            self.remarks.extend(text for text in made.remarks if text not in self.remarks)
        return info, self._made[key]
