# SPDX-License-Identifier: Apache-2.0
"""`~/edit`: edits in words, done to the layer over the map; what was measured stays as it is."""

from __future__ import annotations

from f4x_ros.core.base.limits import check_length
from f4x_ros.core.edit import EditResult
from f4x_ros.core.edit.words import MAX_LETTERS
from f4x_ros.core.errors import F4xError
from f4x_ros.core.perception import Perception
from f4x_ros.ros.diagnostics import Health
from f4x_ros.srv import Edit

_OUTCOMES = {
    "done": Edit.Response.DONE,
    "which": Edit.Response.WHICH,
    "not present": Edit.Response.NOT_PRESENT,
    "unsure": Edit.Response.UNSURE,
    "not understood": Edit.Response.NOT_UNDERSTOOD,
}


class Edits:
    """Does edits in words. Used by the worker's thread only.

    Edits that read or write files are not understood here: a caller on the network has no business
    with the files of the robot.

    Args:
        perception: the map.
        health: counts the edits.
    """

    def __init__(self, perception: Perception, health: Health) -> None:
        self._perception, self._health = perception, health

    def edit(self, request: Edit.Request) -> Edit.Response:
        """Do an edit; one that cannot be asked for with success=false and the reason."""
        try:
            check_length("text", request.text, MAX_LETTERS)
            result = self._perception.edit(request.text, files=False)
        except F4xError as error:
            self._health.count("edits_refused")
            return Edit.Response(success=False, message=str(error))
        self._health.count("edits")
        return edit_response(result, [one.about for one in self._perception.edits])


def edit_response(result: EditResult, edits: list[str]) -> Edit.Response:
    """What came of an edit as a message."""
    return Edit.Response(
        success=True,
        message=result.message,
        outcome=_OUTCOMES[result.outcome],
        ids=list(result.ids),
        checks=list(result.checks),
        edits=edits,
    )
