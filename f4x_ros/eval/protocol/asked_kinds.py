# SPDX-License-Identifier: Apache-2.0
"""All kinds of questions about space and time with exact answers: one function a kind.

Each draws one question from a world, or None where the draw does not make a clear one: differences
are well above what anybody would argue about, and things have been seen by the time asked about.
"""

from __future__ import annotations

from f4x_ros.eval.protocol import asked_motions as motions
from f4x_ros.eval.protocol import asked_places as places
from f4x_ros.eval.protocol import asked_sights as sights
from f4x_ros.eval.protocol.asked_draws import Draw

KINDS: dict[str, Draw] = {
    made.__name__: made
    for made in (
        places.distance, places.distance_camera, places.closer, places.side_camera,
        places.side_own, places.viewpoint, places.front, places.direction, places.height,
        places.on_what, places.count_on, places.count, places.tall, places.bigger, places.color,
        motions.speed, motions.faster, motions.heading, motions.towards, motions.moved,
        motions.travelled, motions.when, motions.came_or_went, motions.order,
        sights.visible, sights.hidden_by, sights.steps, sights.several,
    )
}  # fmt: skip
"""All kinds, in the order in which they are reported."""
