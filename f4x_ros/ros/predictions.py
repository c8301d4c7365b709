# SPDX-License-Identifier: Apache-2.0
"""`~/predictions`: where tracks are going to be, as messages for planners."""

from __future__ import annotations

from collections.abc import Sequence

from builtin_interfaces.msg import Duration
from std_msgs.msg import Header

from f4x_ros.core.data import Prediction
from f4x_ros.msg import PredictedTrack, PredictedTracks
from f4x_ros.ros.conversions import track_msg

_NS = 1_000_000_000


def predictions_msg(
    predictions: Sequence[Prediction], ahead_s: Sequence[float], head: Header
) -> PredictedTracks:
    """All predictions of one moment; `ahead_s` are the seconds that they were made for."""
    nanoseconds = [round(one * _NS) for one in ahead_s]
    return PredictedTracks(
        header=head,
        ahead=[Duration(sec=ns // _NS, nanosec=ns % _NS) for ns in nanoseconds],
        tracks=[_predicted_msg(one) for one in predictions],
    )


def _predicted_msg(prediction: Prediction) -> PredictedTrack:
    track = prediction.track
    states = [track_msg(one) for one in prediction.ahead]
    return PredictedTrack(
        id=track.id,
        label=track.label,
        state=int(track.state),
        model=int(prediction.model),
        confidence=float(track.score),
        turn_rate=prediction.turn_rate_radps,
        size=track_msg(track).size,
        poses=[one.pose for one in states],
        twists=[one.twist for one in states],
    )
