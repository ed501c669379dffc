"""A node that somebody else starts from the files ignitetasks wrote, as the container of tests/docker does."""

from __future__ import annotations

import signal
import subprocess

from support import GivenNode, leftovers
from support.processes import kill_pid

from ignitetasks import IgniteTasks, jvm
from ignitetasks.config import Settings


def test_it_is_found_by_its_arguments_file(tmp_path):
    settings = Settings.from_env(data_dir=tmp_path / "data", durability="process", idle_exit_seconds=60)
    java = jvm.java_executable(settings)
    arguments = jvm.write_start_files(jvm.spec_of(settings), java)
    with (tmp_path / "node.out").open("wb") as output:
        process = subprocess.Popen([java.path, f"@{arguments}"], stdout=output, stderr=output, start_new_session=True)
    try:
        with GivenNode(settings.data_dir) as node, IgniteTasks("given", **node.overrides) as app:
            assert node.pid == process.pid
            sent = app.send_task("nobody.has_it", (1,))
            assert node.record(sent.id)["task"] == "nobody.has_it"
            assert jvm.stop(settings)
        assert process.wait(30) in (0, 128 + signal.SIGTERM)
    finally:
        for pid in leftovers(settings.data_dir):
            kill_pid(pid)
