# SPDX-License-Identifier: Apache-2.0
"""`~/edit`: the layer of the running map; what is measured is shown as before."""

from __future__ import annotations

from ros_harness import Robot, ros_client, running

from f4x_ros.srv import Edit


def test_edits_are_done_asked_back_and_undone_over_ros() -> None:
    with ros_client() as client, running(client) as run:
        robot = Robot()
        assert not client.edit("remove the red thing").success  # not configured
        client.start()
        assert not client.edit("remove the red thing").success  # no frame yet
        robot.wait_until_heard()
        for index in range(4):
            robot.send(index)
        run.counted("processed", 4)
        done = client.edit("remove the red thing")
        assert (done.success, done.outcome) == (True, Edit.Response.DONE), done.message
        assert done.edits == ["remove the red thing"]
        assert any("found no longer" in one for one in done.checks)
        assert client.query("red thing").present  # as measured
        gone = client.edit("make the red thing blue")
        assert (gone.outcome, len(gone.edits)) == (Edit.Response.NOT_PRESENT, 1)
        file = client.edit("extract the red thing to /tmp/never.ply")
        assert file.outcome == Edit.Response.NOT_UNDERSTOOD
        assert "without a file" in file.message
        long = client.edit("x" * 501)
        assert not long.success
        assert "expected at most 500" in long.message
        assert client.edit("undo").edits == []
        assert run.counted("edits", 4)
        robot.close()
