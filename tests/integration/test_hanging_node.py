"""A node that hangs: stopped, not dead, so that connections open and nothing answers."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from support import EmbeddedNode

from ignitetasks import IgniteTasks
from ignitetasks.errors import NotConnected, ResultTimeout


def test_get_keeps_its_timeout_while_the_node_hangs(tmp_path):
    with EmbeddedNode(tmp_path / "data") as node:
        app = IgniteTasks("hanging", **node.overrides)
        handle = app.send_task("never.run", queue="nobody")
        pid = json.loads((app.settings.instance_dir / "run" / "connection.json").read_text())["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            for one in (handle, app.AsyncResult(handle.id)):
                began = time.monotonic()
                with pytest.raises((ResultTimeout, NotConnected)):
                    one.get(timeout=1)
                # Each call to a node may take 30 seconds, but not where somebody has less time.
                assert time.monotonic() - began < 15
        finally:
            os.kill(pid, signal.SIGCONT)
        with pytest.raises(ResultTimeout, match="no worker listens"):
            handle.get(timeout=0.5)
        app.close()
