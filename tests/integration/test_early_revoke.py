"""Revokes of ids that nobody has submitted yet, across the death of the node."""

from __future__ import annotations

import uuid

import pytest
import suite_tasks as suite
from support import EmbeddedNode

from ignitetasks import IgniteTasks, TaskRevokedError


def test_an_id_that_was_revoked_before_it_was_sent_does_not_run(app, worker):
    task_id = str(uuid.uuid4())
    assert app.client.transport.call("revoke", [task_id], False, "TERM") == [-1]
    with pytest.raises(TaskRevokedError, match="before it was submitted"):
        suite.add.apply_async((1, 2), task_id=task_id).get(timeout=30)


def test_such_a_revoke_outlives_the_node(tmp_path):
    task_id = str(uuid.uuid4())
    with EmbeddedNode(tmp_path / "data") as node, IgniteTasks("early", **node.overrides) as early:
        node.call("revoke", [task_id], False, "TERM")
        node.kill()
        sent = early.send_task("nobody.has_it", task_id=task_id)
        with pytest.raises(TaskRevokedError):
            sent.get(timeout=60)
        assert node.record(task_id)["state"] == 5
