"""Nothing secret is logged, not even at DEBUG: no token, no signing key, no arguments and no results."""

from __future__ import annotations

import ast
import io
import logging
from pathlib import Path

import lane_server as lane
import pytest
from fakes import TOKEN, FakeGateway
from worker_process import WorkerUnderTest, until

from ignitetasks import IgniteTasks, log
from ignitetasks.config import Settings
from ignitetasks.errors import OperationalError, SerializationError
from ignitetasks.transport.gateway import GatewayTransport
from ignitetasks.transport.retrying import RetryingTransport

PACKAGE = Path(__file__).parents[2] / "ignitetasks"
MARK = "s3cret-argument"
KEY = b"s3cret-key-of-at-least-16-bytes"
LOGGERS = {"_log", "_logger"}
#: What holds secrets or what users send, as a fact's name or anywhere in its value.
FORBIDDEN = {
    "args", "kwargs", "body", "payload", "result", "value", "token", "signing_key", "key", "secret", "connection",
    "settings", "delivery", "environ",
}  # fmt: skip


def log_calls():
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            target = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
            if isinstance(target, ast.Name) and target.id in LOGGERS:
                yield pytest.param(node, id=f"{path.relative_to(PACKAGE)}:{node.lineno}")


@pytest.mark.parametrize("call", list(log_calls()))
def test_no_call_logs_what_may_hold_a_secret(call):
    words = {one.arg for one in call.keywords}
    for part in (*call.args, *(one.value for one in call.keywords)):
        words |= {one.id for one in ast.walk(part) if isinstance(one, ast.Name)}
        words |= {one.attr for one in ast.walk(part) if isinstance(one, ast.Attribute)}
    assert not words & FORBIDDEN


@pytest.fixture
def everything():
    """Every line of every logger in this process, at the lowest level there is."""
    stream = io.StringIO()
    root, own = logging.getLogger(), logging.getLogger(log.ROOT)
    before = (root.level, list(own.handlers), own.level, own.propagate)
    handler = logging.StreamHandler(stream)
    root.addHandler(handler)
    root.setLevel(1)
    log.configure(json=True, level="debug", stream=stream)
    own.propagate = True
    yield stream
    root.removeHandler(handler)
    root.setLevel(before[0])
    own.handlers[:], own.propagate = before[1], before[3]
    own.setLevel(before[2])


def check(text):
    for secret in (TOKEN, lane.TOKEN, MARK, KEY.decode(), KEY.hex()):
        assert secret not in text


def test_a_client_in_trouble_logs_no_secret(everything):
    gateway = FakeGateway()
    settings = Settings(call_timeout_seconds=2.0, signing_key=KEY, accept_content=("msgpack", "json", "pickle"))
    transport = RetryingTransport(GatewayTransport(settings, connect=lambda _settings: gateway.connection()), 2.0)
    app = IgniteTasks("secrets", settings=settings)
    app.use_transport(transport)
    gateway.script += ["cut", "close"]
    app.send_task("a.task", (MARK,), {"x": MARK})
    app.send_task("a.task", (MARK,), serializer="pickle")
    with pytest.raises(SerializationError):
        app.send_task("a.task", (object(), MARK))
    gateway.script += [b"!x\n", "silent"]
    for _ in range(2):
        try:
            app.send_task("a.task", (MARK,))
        except OperationalError as error:
            logging.getLogger("a.program").error("not sent", exc_info=error)
    log.get_logger("part").debug("looked at", settings=settings, connection=gateway.connection())
    gateway.close()
    app.close()
    text = everything.getvalue()
    assert "call failed" in text and "looked at" in text
    check(text)


def test_a_worker_in_trouble_logs_no_secret(lane_server, tmp_path, everything):
    log.configure(json=True, level="debug")
    own = logging.getLogger(log.ROOT)
    own.handlers[0].setStream(open(tmp_path / "log", "a"))  # noqa: SIM115  # the forked worker's, too
    one = WorkerUnderTest(lane_server, tmp_path)
    try:
        child = one.child
        child.wait_for(*child.run(("fail", (MARK,)), ("add", (MARK, MARK)), "unserialisable"))
        # Alone: what waits behind a task that is found slow goes back.
        child.run(("kill_self", (MARK,)))
        until(lambda: "child died" in (tmp_path / "log").read_text())
    finally:
        one.close()
        own.handlers[0].stream.close()
    text = (tmp_path / "log").read_text() + (tmp_path / "output").read_text()
    assert "worker connected" in text
    check(text)
