"""The Py4J transport against a real socket."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import logging
import os
import threading
import time

import pytest
from fakes import TOKEN, FakeGateway, NodeRefusal
from support.polling import until

from ignitetasks import wire
from ignitetasks.config import Settings
from ignitetasks.errors import (
    AuthenticationError,
    Busy,
    ConnectionCut,
    GatewayError,
    NodeError,
    NotConnected,
    PayloadTooLarge,
    UnknownSession,
)
from ignitetasks.message import Ahead, Group, PollAnswer, Template
from ignitetasks.transport.gateway import GatewayTransport

GROUP = Group(Template("t", "q"), [("id-1", b"m\x92\x90\x80", None)])


@pytest.fixture
def gateway():
    one = FakeGateway()
    yield one
    one.close()


@pytest.fixture
def transport(gateway):
    one = GatewayTransport(Settings(call_timeout_seconds=2.0), connect=lambda _settings: gateway.connection())
    yield one
    one.close()


def test_making_one_connects_to_nothing():
    def never(_settings):
        raise AssertionError

    GatewayTransport(Settings(), connect=never).close()


def test_calls_share_one_connection_and_one_session(gateway, transport):
    answer = transport.submit([GROUP])
    assert (answer.created, list(answer.exceptions)) == (1, [])
    assert answer.session is transport.session()
    assert transport.call("ping") == []
    assert transport.call("info", ["id-1"])[0]["task"] == "t"
    assert gateway.connections == 1
    assert gateway.node.count("hello") == 1


def test_poll_and_watch(gateway, transport):
    number = transport.submit([GROUP]).session.number
    gateway.node.complete("id-1", 5)
    answer = transport.poll(number, 0, 1.0, 10)
    assert [one.id for one in answer.completions] == ["id-1"]
    assert transport.watch(number, ["id-1", "nope"]).unknown == ["nope"]
    with pytest.raises(UnknownSession):
        transport.poll(999, 0, 0.0, 10)


def test_renewing_a_session(transport):
    first = transport.session()
    assert transport.session(renew=12345) is first
    second = transport.session(renew=first.number)
    assert second.number != first.number
    assert transport.session() is second


def test_error_answers_are_typed(gateway, transport):
    transport.session()
    gateway.node.fail = [NodeRefusal("BUSY", "later", True)]
    with pytest.raises(Busy, match="ping: later"):
        transport.call("ping")
    assert transport.call("ping") == []
    assert gateway.connections == 1


@pytest.mark.parametrize("step", ["close", "cut"])
def test_a_missing_or_cut_answer_is_a_cut_and_never_repeated(gateway, transport, step):
    transport.session()
    before = gateway.commands
    gateway.script = [step]
    with pytest.raises(ConnectionCut):
        transport.call("ping")
    assert gateway.commands == before + 1
    assert transport.call("ping") == []


def frame(payload):
    return b"!ys" + base64.b64encode(payload) + b"\n"


@pytest.mark.parametrize(
    "answer",
    [b"!x\n", b"!ye\n", b"\n", b"!ys\n", b"!ys====\n", frame(wire.encode_frame(wire.pack([]))[:-1]),
     frame(wire.encode_frame(b"\x90")[:-1] + b"\x91"), frame(wire.encode_frame(b"\xc1")), frame(b"HTTP/1.1 400"),
     frame(wire.encode_frame(wire.pack(5), 1))],
)  # fmt: skip
def test_answers_that_are_none(gateway, transport, answer):
    transport.session()
    gateway.script = [answer]
    with pytest.raises(GatewayError):
        transport.call("ping")
    assert transport.call("ping") == []


def test_deadline(gateway, transport):
    transport.session()
    gateway.script = ["silent"]
    start = time.monotonic()
    with pytest.raises(ConnectionCut, match="did not answer"):
        transport.call("ping", timeout=0.2)
    assert time.monotonic() - start < 2


def test_wrong_token_and_nobody_there(gateway):
    wrong = dataclasses.replace(gateway.connection(), token="cd" * 32)
    with pytest.raises(AuthenticationError, match="token"):
        GatewayTransport(Settings(), connect=lambda _s: wrong).call("ping")
    gateway.close()
    with pytest.raises(NotConnected, match="cannot be reached"):
        GatewayTransport(Settings(), connect=lambda _s: gateway.connection()).call("ping")


def test_threads_that_waited_for_a_node_that_is_not_found_fail_together():
    tries, go = [], threading.Event()

    def connect(_settings):
        tries.append(1)
        go.wait(30)
        raise NodeError("no data node has answered", "CLUSTER_UNREACHABLE")

    transport = GatewayTransport(Settings(), connect=connect)
    errors = []

    def ask():
        try:
            transport.call("ping")
        except NodeError as error:
            errors.append((str(error), error.code))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    until(lambda: tries, "the first try")
    time.sleep(0.3)  # until the others wait, too; one that comes later tries by itself, which is no failure
    go.set()
    for thread in threads:
        thread.join()
    assert errors == [("no data node has answered", "CLUSTER_UNREACHABLE")] * 5
    assert len(tries) == 1
    with pytest.raises(NodeError):
        transport.call("ping")
    assert len(tries) == 2, "a later call looks again"


def test_a_new_node_gets_a_new_session(gateway):
    nodes = [gateway.connection(1), gateway.connection(1), gateway.connection(2)]
    transport = GatewayTransport(Settings(), connect=lambda _settings: nodes.pop(0))
    first = transport.session()
    transport.reset()
    assert transport.session() is first  # the same node, found again
    transport.reset()
    assert transport.session() is not first
    transport.close()


def test_too_large_for_one_call_is_not_sent(gateway, transport):
    transport.session()
    before = gateway.commands
    with pytest.raises(PayloadTooLarge):
        transport.call("info", ["x" * (wire.MAX_FRAME_BYTES + 1)])
    assert gateway.commands == before


def test_threads_get_connections_of_their_own(gateway, transport):
    number = transport.session().number
    thread = threading.Thread(target=lambda: transport.poll(number, 0, 0.5, 10))
    thread.start()
    time.sleep(0.1)
    start = time.monotonic()
    transport.call("ping")
    assert time.monotonic() - start < 0.3
    thread.join()
    assert gateway.connections == 2


def test_child_of_a_fork_connects_anew_and_leaves_the_parent_s_sockets_alone(gateway, transport):
    parent = transport.session().number
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            child = transport.session().number
            transport.close()
            os.write(writer, str(child).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    child = int(os.read(reader, 100))
    os.close(reader)
    os.close(writer)
    assert child != parent
    assert gateway.connections == 2
    assert transport.call("ping") == []
    assert gateway.connections == 2


def test_interrupt_closes_the_connection(gateway, transport, monkeypatch):
    transport.session()
    link = transport._current()
    connection = link.pool.deque[0]
    monkeypatch.setattr(connection, "exchange", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        transport.call("ping")
    assert transport.call("ping") == []
    assert gateway.connections == 2


def ids_of(answer):
    return [one.id for one in answer.completions]


def test_a_poll_sent_along_is_answered_over_the_same_connection(gateway, transport):
    number = transport.session().number
    transport.submit([GROUP], ahead=Ahead(number, 0))
    assert transport.poll(number, 0, 0.0, 10) == PollAnswer(0, False, [])  # not yet: it stands on
    gateway.node.complete("id-1", 5)
    answer = transport.poll(number, 0, 5.0, 10)
    assert ids_of(answer) == ["id-1"]
    assert gateway.node.count("poll") == 1
    assert transport.call("ping") == []
    assert gateway.connections == 1


def test_other_calls_meanwhile_take_another_connection(gateway, transport):
    number = transport.session().number
    transport.submit([GROUP], ahead=Ahead(number, 0))
    for one in ("id-2", "id-3"):
        # Only one can stand: these go without.
        transport.submit([Group(Template("t", "q"), [(one, b"m", None)])], ahead=Ahead(number, 0))
    assert gateway.connections == 2
    assert gateway.node.count("poll") == 1
    gateway.node.complete("id-2", 5)
    assert ids_of(transport.poll(number, 0, 5.0, 10)) == ["id-2"]


def test_answer_and_letter_that_come_in_one_piece_are_told_apart(gateway, transport):
    number = transport.session().number
    frames = [wire.encode_frame(wire.pack(value)) for value in ([1, []], [4, False, [["x", 3, b"m\x01", 0]]])]
    gateway.script = [b"".join(frame(one) for one in frames), "silent"]
    transport.submit([GROUP], ahead=Ahead(number, 0))
    assert ids_of(transport.poll(number, 0, 5.0, 10)) == ["x"]


def test_a_long_answer_comes_in_pieces(gateway, transport):
    transport.session()
    long = frame(wire.encode_frame(wire.pack(["y" * 3_000_000])))
    gateway.script = [long]
    assert transport.call("ping") == ["y" * 3_000_000]


@pytest.mark.parametrize(
    ("session", "ack"), [(1, 0), (None, 3)], ids=["another session", "something was confirmed since"]
)
def test_a_poll_that_stands_is_dropped_when_another_is_wanted(gateway, transport, session, ack):
    number = transport.session().number
    transport.submit([GROUP], ahead=Ahead(number, 0))
    gateway.node.complete("id-1", 5)
    with contextlib.suppress(UnknownSession):
        transport.poll(session or number, ack, 1.0, 10)
    assert gateway.node.count("poll") == 2
    assert transport.call("ping") == []


def test_a_poll_for_a_session_that_was_replaced_is_not_sent(gateway, transport):
    old = transport.session().number
    transport.session(renew=old)
    transport.submit([GROUP], ahead=Ahead(old, 0))
    assert gateway.node.count("poll") == 0


def test_a_node_that_dies_while_a_poll_stands_is_a_cut(gateway, transport):
    number = transport.session().number
    transport.submit([GROUP], ahead=Ahead(number, 0))
    gateway.drop_connections()
    with pytest.raises(ConnectionCut):
        transport.poll(number, 0, 5.0, 10)
    gateway.node.complete("id-1", 5)
    assert ids_of(transport.poll(number, 0, 5.0, 10)) == ["id-1"]


def test_an_interrupt_while_a_poll_stands_loses_nothing(gateway, transport, monkeypatch):
    number = transport.session().number
    transport.submit([GROUP], ahead=Ahead(number, 0))
    socket = transport._standing[0].socket
    with monkeypatch.context() as patch:
        patch.setattr(socket, "wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            transport.poll(number, 0, 5.0, 10)
    gateway.node.complete("id-1", 5)
    assert ids_of(transport.poll(number, 0, 5.0, 10)) == ["id-1"]


def test_a_poll_that_is_not_answered_ends_with_its_time_and_stands_on(gateway, transport):
    number = transport.session().number
    gateway.script = ["silent"]
    start = time.monotonic()
    assert transport.poll(number, 0, 0.1, 10) == PollAnswer(0, False, [])
    assert time.monotonic() - start < 3  # what hangs lasts 5
    transport.submit([GROUP], ahead=Ahead(number, 0))
    assert len(transport._standing) == 1


def test_a_poll_that_is_never_answered_is_a_cut_in_the_end(gateway, transport, monkeypatch):
    number = transport.session().number
    monkeypatch.setattr("ignitetasks.transport.gateway._POLL_GRACE_SECONDS", 0.0)
    gateway.script = ["silent"]
    with pytest.raises(ConnectionCut, match="in time"):
        transport.poll(number, 0, 0.1, 10)
    assert transport.poll(number, 0, 0.1, 10) == PollAnswer(1, False, [])


def test_a_reset_and_a_fork_leave_the_standing_poll(gateway, transport):
    number = transport.session().number
    transport.submit([GROUP], ahead=Ahead(number, 0))
    pid = os.fork()
    if pid == 0:
        try:
            transport.call("ping")
            transport.close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    gateway.node.complete("id-1", 5)
    assert ids_of(transport.poll(number, 0, 5.0, 10)) == ["id-1"]
    transport.submit([GROUP], ahead=Ahead(number, 1))
    transport.reset()
    assert not transport._standing
    assert transport.call("ping") == []


def test_neither_token_nor_payload_is_logged(gateway, transport, caplog):
    caplog.set_level(logging.DEBUG)
    transport.submit([Group(Template("t", "q"), [("id-9", b"m-secret-body", None)])])
    gateway.script = ["close"]
    with pytest.raises(ConnectionCut):
        transport.call("ping")
    assert TOKEN not in caplog.text
    assert "id-9" not in caplog.text and "secret" not in caplog.text
    assert TOKEN not in repr(gateway.connection())
