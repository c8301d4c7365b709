# SPDX-License-Identifier: Apache-2.0
"""`Perception`: the one door. The command line, the tests and the ROS node all go through it.

In: frames, prompts, questions, edits. Out: a `Percept` of each frame, answers, files.
"""

from __future__ import annotations

from f4x_ros.core.perception.door import Perception, nothing

__all__ = ["Perception", "nothing"]
