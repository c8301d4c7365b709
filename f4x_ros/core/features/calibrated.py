# SPDX-License-Identifier: Apache-2.0
"""What may be learned about an extractor's answers to words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from f4x_ros.core.errors import BadInputError


class PeakLine(NamedTuple):
    """From the best relevancy in a scene to the limit that selects, both as log odds.

    The limit is offset + slope * best: with a slope below 1 it falls less than what is sought.
    """

    offset: float
    slope: float


class PeakLines(NamedTuple):
    """Lines for phrases that say more or less.

    The less a phrase says the more different things may be it, and the less the best of them tells
    about the others: a mug and a sofa are both "red thing", but hardly both the "red mug".

    Attributes:
        attribute: for "red thing".
        kind: for "mug".
        both: for "red mug" and "wooden table".
    """

    attribute: PeakLine
    kind: PeakLine
    both: PeakLine


class PresenceCalibration(NamedTuple):
    """From the evidence that something is there to a probability, and what that decides.

    The probability is sigmoid(bias + sum of weight * evidence): logistic regression (as Platt
    1999), learned by `f4x calibrate` and stored beside the weights.

    Attributes:
        weights: of each piece of evidence, by its name in `core.ask.presence.Evidence`.
        bias: of the sum.
        no: a probability below it means "not present".
        yes: a probability from it on means "present"; between the two, "unsure".
        photographs: the same for what is seen in photographs, of extractors that tell the two
            apart; its `no` and `yes` are these.
    """

    weights: Mapping[str, float]
    bias: float
    no: float
    yes: float
    photographs: PresenceCalibration | None = None

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON; `of` reads it."""
        stored = {**self._asdict(), "weights": dict(self.weights)}
        own = stored.pop("photographs")
        return stored if own is None else {**stored, "photographs": own.as_dict()}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> PresenceCalibration:
        """The inverse of `as_dict`.

        Raises:
            ValueError: something is missing or no number, or not 0 <= no <= yes <= 1.
        """
        try:
            weights = {str(name): float(value) for name, value in stored["weights"].items()}
            bias, no, yes = (float(stored[name]) for name in ("bias", "no", "yes"))
            made = cls(weights, bias, no, yes)
            if "photographs" in stored:
                made = made._replace(photographs=cls.of(stored["photographs"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInputError(
                f"presence calibration is {stored}, expected weights, bias, no, yes"
            ) from error
        numbers = [*weights.values(), made.bias]
        if not (all(map(math.isfinite, numbers)) and 0 <= made.no <= made.yes <= 1):
            raise BadInputError(
                f"presence calibration is {stored}, expected finite numbers and 0 <= no <= yes <= 1"
            )
        return made


@dataclass(frozen=True)
class Calibrated:
    """What was learned about an extractor's answers, beyond its threshold.

    Attributes:
        peak_lines: if a Gaussian is selected from a limit on that follows the best relevancy in the
            scene, where the thing is present and no threshold was given; None: from the threshold
            on.
        presence: how evidence becomes "present", "not present" or "unsure"; None: not learned.
        checkpoint: file of the weights, beside which a calibration of presence may lie.
    """

    peak_lines: PeakLines | None = None
    presence: PresenceCalibration | None = None
    checkpoint: Path | None = None
