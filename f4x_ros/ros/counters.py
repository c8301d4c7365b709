# SPDX-License-Identifier: Apache-2.0
"""Names of what the node counts, and what they mean for a report."""

from __future__ import annotations

LEFT_OUT = "dropped."
"""First letters of the counters of what came and was not processed."""
# All counters, so that those which are 0 are seen, too.
COUNTERS = (
    *("received.image", "received.camera_info", "received.depth/image", "paired", "processed"),
    *(
        LEFT_OUT + reason
        for reason in (
            *("images_without_depth", "depth_without_image", "images_without_pose"),
            *("images_with_repeated_stamp", "depth_with_repeated_stamp", "late"),
            *("images_unreadable", "images_of_other_size", "images_without_calibration"),
            *("images_without_frame", "depth_unreadable", "depth_of_other_size"),
            *("depth_without_calibration", "depth_not_registered", "frames_unusable"),
            *("calibrations_unusable", "poses_unusable", "poses_of_other_frames"),
            *("transforms_unusable", "depth_without_reading", "frames_of_a_lost_camera"),
            "frames_before_depth",
            *("superseded", "queue_full", "failed", "stopped"),
        )
    ),
    *("stamps_replaced", "time_jumps", "odometry_weak", "odometry_relocalised"),
    "odometry_loops_closed",
    *("queries", "queries_refused", "asks", "asks_refused", "segments", "segments_refused"),
    *("histories", "histories_refused", "renders", "renders_refused"),
    *("points_followed", "points_refused"),
    *("edits", "edits_refused"),
    *("prompts_refused", "services_failed", "reports_failed"),
)

LOST_IN_STREAM = ("superseded", "queue_full", "stopped")
"""Reasons for which a recording would have lost nothing: the stream went on without waiting."""
NO_FRAMES = (
    *("depth_without_image", "depth_with_repeated_stamp", "calibrations_unusable"),
    *("poses_unusable", "poses_of_other_frames", "transforms_unusable", "depth_without_reading"),
)
"""Reasons that count what is no frame."""
