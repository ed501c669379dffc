"""A node inside the official Ignite image, through pytest-docker; where no docker engine answers, a skip that says so.

The instance directory is bound at the same path inside and outside, so that everything finds the node as it finds
one on the machine itself; see tests/docker-compose.yml.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support import GivenNode

from ignitetasks import IgniteTasks, jvm
from ignitetasks.config import Settings

#: An engine that is there answers at once; a test run must not wait for one that is not.
_ANSWER_SECONDS = 1.5
_COMPOSE = Path(__file__).resolve().parent.parent / "docker-compose.yml"
#: Ours behind the image's own libraries: it is the official build that runs.
_CLASS_PATH = "/opt/ignite/apache-ignite/libs/*:/opt/ignitetasks/ignitetasks.jar"
_JAVA = jvm.Java("/opt/java17/bin/java", 17, "17")


def missing() -> str | None:
    """Returns what keeps these tests from running here."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for words, what in (
        (("version", "--format", "{{.Server.Version}}"), "no docker engine answers"),
        (("compose", "version"), "docker has no compose command"),
    ):
        try:
            done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            return f"{what}: nothing within {_ANSWER_SECONDS} s"
        if done.returncode:
            return f"{what}: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
    return None


@pytest.fixture(scope="session")
def engine():
    """Skips where there is no docker engine."""
    reason = missing()
    if reason:
        pytest.skip(f"the official Ignite image needs docker: {reason}")


@pytest.fixture(scope="session")
def instance_dir(engine, tmp_path_factory):
    """The node's folder, with what the container starts it by."""
    folder = tmp_path_factory.mktemp("image") / "data"
    spec = jvm.spec_of(Settings(data_dir=folder, durability="process", idle_exit_seconds=0))
    jvm.write_start_files(spec, _JAVA, _CLASS_PATH)
    before = dict(os.environ)
    os.environ["IGNITETASKS_TEST_DIR"] = str(folder)
    os.environ["IGNITETASKS_TEST_USER"] = f"{os.getuid()}:{os.getgid()}"
    yield folder
    for name in ("IGNITETASKS_TEST_DIR", "IGNITETASKS_TEST_USER"):
        os.environ.pop(name)
        if name in before:
            os.environ[name] = before[name]


@pytest.fixture(scope="session")
def docker_compose_file(instance_dir):
    """The compose file; asked for after its variables are set."""
    return str(_COMPOSE)


@pytest.fixture(scope="session")
def node(docker_services, instance_dir):
    """The node in the container."""
    with GivenNode(instance_dir) as found:
        yield found


@pytest.fixture(scope="session")
def app(node):
    """An application on that node."""
    with IgniteTasks("image", **node.overrides) as made:
        yield made
