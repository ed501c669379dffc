"""What is repeated, how often, and what is said when it was in vain."""

from __future__ import annotations

import pytest
from fakes import FakeGateway, FakeTransport, NodeRefusal

from ignitetasks.config import Settings
from ignitetasks.errors import (
    BadRequest,
    Busy,
    ConnectionCut,
    NodeError,
    NotConnected,
    OutcomeUnknown,
    Unavailable,
    UnknownSession,
)
from ignitetasks.message import Ahead, Group, Template
from ignitetasks.transport.gateway import GatewayTransport
from ignitetasks.transport.retrying import RetryingTransport

GROUP = Group(Template("t", "q"), [("id-1", b"b", None)])


class Flaky(FakeTransport):
    """Raises what it is told to before it answers."""

    def __init__(self):
        super().__init__()
        self.errors = []
        self.attempts = []
        self.aheads = []

    def _trip(self):
        if self.errors:
            error = self.errors[0] if self.errors[0].__class__ is type else self.errors.pop(0)
            raise error() if isinstance(error, type) else error

    def submit(self, groups, attempt=0, timeout=None, ahead=None):
        self.attempts.append(attempt)
        self.aheads.append(ahead)
        self._trip()
        return super().submit(groups, attempt, timeout)

    def call(self, op, *args, timeout=None):
        self.attempts.append(op)
        self._trip()
        return super().call(op, *args, timeout=timeout)

    def poll(self, session, ack, timeout, limit):
        self._trip()
        return super().poll(session, ack, timeout, limit)


@pytest.fixture
def inner():
    return Flaky()


@pytest.fixture
def transport(inner):
    return RetryingTransport(inner, 0.3)


def test_attempt_numbers_rise(inner, transport):
    inner.errors = [ConnectionCut("cut"), NotConnected("down"), Unavailable("moving")]
    assert transport.submit([GROUP]).created == 1
    assert inner.attempts == [0, 1, 2, 3]


def test_only_the_first_try_takes_a_poll_along(inner, transport):
    inner.errors = [ConnectionCut("cut")]
    transport.submit([GROUP], ahead=Ahead(7, 3))
    assert inner.aheads == [Ahead(7, 3), None]


def test_lost_session_is_renewed(inner, transport):
    first = transport.session().number
    inner.node.lose_sessions()
    answer = transport.submit([GROUP])
    assert answer.created == 1
    assert answer.session.number != first
    assert inner.attempts == [0, 1]


def test_never_sent_means_not_connected(inner, transport):
    inner.errors = [NotConnected("down") for _ in range(500)]
    with pytest.raises(NotConnected, match="nothing was changed"):
        transport.submit([GROUP])
    assert len(inner.attempts) > 2


@pytest.mark.parametrize("first", [ConnectionCut("cut"), Unavailable("part of it")])
def test_once_sent_means_unknown(inner, transport, first):
    inner.errors = [first, *(NotConnected("down") for _ in range(500))]
    with pytest.raises(OutcomeUnknown, match="same task id or idempotency key"):
        transport.submit([GROUP])


def test_a_node_that_cannot_be_started_again_does_not_hide_what_may_have_been_done(inner, transport):
    inner.errors = [ConnectionCut("cut"), NodeError("the disk is full", "DISK_FULL")]
    with pytest.raises(OutcomeUnknown, match="the disk is full"):
        transport.submit([GROUP])
    inner.errors = [NotConnected("refused"), NodeError("the disk is full", "DISK_FULL")]
    with pytest.raises(NodeError):
        transport.submit([GROUP])


def test_reading_has_no_unknown_outcome(inner, transport):
    inner.errors = [ConnectionCut("cut") for _ in range(500)]
    with pytest.raises(NotConnected):
        transport.call("info", ["x"])


@pytest.mark.parametrize("error", [BadRequest("no"), NodeError("no java", "JAVA_MISSING"), ValueError("x")])
def test_what_cannot_get_better_is_not_repeated(inner, transport, error):
    inner.errors = [error]
    with pytest.raises(type(error)):
        transport.call("ping")
    assert inner.attempts == ["ping"]


def test_stop_is_not_repeated_after_a_cut(inner, transport):
    inner.errors = [ConnectionCut("cut")]
    with pytest.raises(OutcomeUnknown):
        transport.call("stop")
    assert inner.attempts == ["stop"]


def test_busy_stays_busy_for_readers(inner, transport):
    inner.errors = [Busy("later") for _ in range(500)]
    with pytest.raises(Busy):
        transport.call("status")


def test_poll_tells_of_a_lost_session_at_once(inner, transport):
    number = transport.session().number
    inner.node.lose_sessions()
    with pytest.raises(UnknownSession):
        transport.poll(number, 0, 0.1, 10)


def test_zero_timeout_tries_once(inner, transport):
    inner.errors = [NotConnected("down")]
    with pytest.raises(NotConnected):
        transport.submit([GROUP], timeout=0.0)
    assert inner.attempts == [0]


def test_pauses_end_at_the_deadline(inner):
    pauses = []
    transport = RetryingTransport(inner, 0.2, sleep=pauses.append)
    inner.errors = [NotConnected("down") for _ in range(3)]
    transport.call("ping")
    assert len(pauses) == 2
    assert all(0 <= pause <= 0.2 for pause in pauses)


def test_over_a_socket_a_killed_gateway_costs_one_repeat():
    gateway = FakeGateway()
    inner = GatewayTransport(Settings(), connect=lambda _settings: gateway.connection())
    transport = RetryingTransport(inner, 5.0)
    for number, step in enumerate(("close", "cut", None)):
        group = Group(Template("t", "q"), [(f"id-{number}", b"b", None)])
        gateway.script = [step] if step else []
        transport.submit([group])
    # The cut one was done although its answer was lost; its repeat made no second record.
    assert gateway.node.order == ["id-0", "id-1", "id-2"]
    attempts = [request[1] for op, request in gateway.node.calls if op == "submit"]
    assert attempts == [1, 0, 1, 0]
    gateway.drop_connections()
    assert transport.call("ping") == []
    transport.close()
    gateway.close()


def test_a_node_that_comes_back_within_the_deadline():
    gateway = FakeGateway()
    tries = []

    def connect(_settings):
        tries.append(1)
        if len(tries) < 4:
            raise NotConnected("not yet")
        return gateway.connection()

    transport = RetryingTransport(GatewayTransport(Settings(), connect=connect), 5.0)
    assert transport.submit([GROUP]).created == 1
    transport.close()
    gateway.close()
    assert NodeRefusal("X").args[0] == "X"


def test_an_append_that_is_repeated_says_so(inner, transport):
    seen = []
    inner.node.op_events_append = lambda events, repeated: seen.append((list(events), repeated))
    inner.errors = [ConnectionCut("cut")]
    transport.call("events_append", [b"a"], False)
    assert (inner.attempts, seen) == (["events_append"] * 2, [([b"a"], True)])
    transport.call("events_append", [b"b"], False)
    assert seen[1:] == [([b"b"], False)]


def test_a_command_is_repeated_after_a_cut_as_it_was(inner, transport):
    seen = []
    inner.node.op_control = lambda *asked: seen.append(asked)
    inner.errors = [ConnectionCut("cut")]
    transport.call("control", "pool_grow", b"numbered", None, 0, 1)
    assert (inner.attempts, seen) == (["control"] * 2, [("pool_grow", b"numbered", None, 0, 1)])
