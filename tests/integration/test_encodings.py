"""Every encoding from end to end: a client, a real node, a worker with settings of its own."""

from __future__ import annotations

import decimal
import os
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path

import pytest
from encodings_app import Point

from ignitetasks import IgniteTasks, chain, chord, group
from ignitetasks.errors import SerializationError

HERE = Path(__file__).resolve().parent
PATIENCE = 60
KEY = "k" * 32
PLAIN = {"text": "\u00e4", "when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "none": None}
RICH = [decimal.Decimal("1.50"), uuid.UUID(int=7), {1, 2}, b"\x00\xff"]


@pytest.fixture
def client(node, monkeypatch):
    """Makes applications as a client has them: ``client("json,pickle")``."""
    made = []

    def make(accept, **more):
        app = IgniteTasks("encodings", signing_key=KEY.encode(), **node.overrides)
        app.conf.accept_content = accept.split(",")
        app.conf.task_serializer = app.conf.result_serializer = app.conf.accept_content[0]
        app.conf.update(more)
        made.append(app)
        return app

    yield make
    for one in made:
        one.close()


@pytest.fixture
def start(workers, queue):
    """Starts a worker that accepts some encodings: ``start("json")``."""

    def go(accept, **env):
        return workers(
            module="encodings_app", queues=[queue], env={"ENCODINGS": accept, "IGNITETASKS_SIGNING_KEY": KEY, **env}
        )

    return go


def call(app, queue, name, *args, **options):
    return app.send_task(f"encodings_app.{name}", args, queue=queue, **options)


@pytest.mark.parametrize("name", ["msgpack", "json", "yaml", "pickle"])
def test_values_pass_and_keep_their_types(client, start, queue, name):
    start(name)
    app = client(name)
    assert call(app, queue, "echo", PLAIN).get(timeout=PATIENCE) == PLAIN
    assert call(app, queue, "echo", RICH).get(timeout=PATIENCE) == RICH
    assert call(app, queue, "kinds", RICH).get(timeout=PATIENCE) == ["Decimal", "UUID", "set", "bytes"]


@pytest.mark.parametrize("name", ["points", "pickle"])
def test_values_of_ones_own_classes(client, start, queue, name):
    start(name)
    app = client(name)
    value = {"at": [Point(1, 2)]}
    assert call(app, queue, "echo", value).get(timeout=PATIENCE) == value

    def sig(task, *args):
        return app.signature(f"encodings_app.{task}", args=args, queue=queue)

    assert chain(sig("echo", Point(1, 2)), sig("pair", Point(3, 4))).apply_async().get(timeout=PATIENCE) == [
        Point(1, 2),
        Point(3, 4),
    ]
    members = group(sig("echo", Point(number, 0)) for number in range(3))
    found = chord(members, sig("echo")).apply_async().get(timeout=PATIENCE)
    assert found == [Point(number, 0) for number in range(3)]


@pytest.mark.parametrize("method", ["gzip", "bzip2", "lzma"])
def test_compressed_arguments_and_results(client, start, queue, node, method):
    start("json", ENCODINGS_COMPRESSION=method)
    app = client("json")
    value = ["the same again"] * 20_000  # a third of a megabyte, which would go beside the record
    plain = call(app, queue, "echo", value)
    small = call(app, queue, "echo", value, compression=method)
    assert plain.get(timeout=PATIENCE) == small.get(timeout=PATIENCE) == value
    record = node.record(small.id)
    assert not record["result_ref"], "small enough for the record"
    assert len(record["result"]) < 20_000


@pytest.mark.parametrize("sent", ["pickle", "yaml", "points", "msgpack"])
def test_a_worker_refuses_what_it_does_not_accept(client, start, queue, sent):
    worker = start("json")
    refused = call(client(f"{sent},json"), queue, "echo", [1, 2])
    with pytest.raises(SerializationError, match=rf"{sent}.*accept_content"):
        refused.get(timeout=PATIENCE)
    assert refused.state == "FAILURE"
    assert call(client("json"), queue, "echo", [1, 2]).get(timeout=PATIENCE) == [1, 2], "and goes on"
    assert worker.running.alive


def test_a_pickle_of_another_key_is_not_opened(client, start, queue, tmp_path):
    start("pickle", IGNITETASKS_SIGNING_KEY="another key of enough bytes")
    with pytest.raises(SerializationError, match="signature"):
        call(client("pickle"), queue, "echo", Trap(str(tmp_path / "opened"))).get(timeout=PATIENCE)
    assert not (tmp_path / "opened").exists()


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_client_refuses_a_result_it_does_not_accept(client, start, queue):
    start("pickle,json")
    sent = call(client("json"), queue, "echo", [1])
    with pytest.raises(SerializationError, match="pickle"):
        sent.get(timeout=PATIENCE)


def test_a_client_without_the_registration_is_told(client, start, queue, node):
    start("points")
    sent = call(client("points"), queue, "echo", [1])
    assert sent.get(timeout=PATIENCE) == [1]
    code = (
        "from ignitetasks import IgniteTasks\n"
        f"app = IgniteTasks('other')\nprint(app.AsyncResult({sent.id!r}).get(timeout=20))"
    )
    ended = subprocess.run([sys.executable, "-c", code], env={**os.environ, **node.env}, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "points" in ended.stderr.splitlines()[-1]
