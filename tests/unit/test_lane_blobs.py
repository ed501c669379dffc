"""Large values over a real Unix socket."""

from __future__ import annotations

import os

import pytest
from fakes import TOKEN, FakeLane

from ignitetasks.errors import GatewayError, NotConnected, ResultExpired, SerializationError
from ignitetasks.message import BlobRef
from ignitetasks.transport.lane import BlobLane


@pytest.fixture
def server(tmp_path):
    one = FakeLane(str(tmp_path / "lane.sock"))
    yield one
    one.close()


@pytest.fixture
def lane(server):
    one = BlobLane(lambda: (server.path, TOKEN))
    yield one
    one.close()


@pytest.mark.parametrize("size", [0, 1, 65_537, 1 << 20, (3 << 20) + 17])
def test_round_trip(server, lane, size):
    data = os.urandom(size)
    ref = lane.put("x/a", memoryview(data), 1000)
    assert (ref.id, ref.size) == ("x/a", size)
    assert lane.get(ref) == data
    assert server.connections == 1


def test_missing_is_expired_and_the_lane_goes_on(server, lane):
    with pytest.raises(ResultExpired):
        lane.get(BlobRef("nope", 5, 1))
    ref = lane.put("x", b"abc", 1)
    assert lane.get(ref) == b"abc"


def test_damage_is_found(server, lane):
    ref = lane.put("x", b"abcdef", 1)
    server.damage = True
    with pytest.raises(SerializationError, match="damaged"):
        lane.get(ref)
    server.damage = False
    with pytest.raises(GatewayError, match="longer"):
        lane.get(BlobRef("x", 3, ref.crc32))
    with pytest.raises(SerializationError):
        lane.get(BlobRef("x", 9, ref.crc32))
    assert lane.get(ref) == b"abcdef"


def test_a_connection_that_died_since_is_replaced(server, lane):
    ref = lane.put("x", b"abc", 1)
    lane._connection._sock.shutdown(2)
    assert lane.get(ref) == b"abc"
    assert server.connections == 2


def test_a_lane_that_stays_dead(server, lane):
    server.close_after_hello = 5
    with pytest.raises(NotConnected):
        lane.put("x", b"abc", 1)


def test_nobody_there(tmp_path):
    with pytest.raises(NotConnected):
        BlobLane(lambda: (str(tmp_path / "none.sock"), TOKEN)).put("x", b"", 1)


def test_fork(server, lane):
    ref = lane.put("x", b"abc", 1)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if lane.get(ref) == b"abc" else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert lane.get(ref) == b"abc"
    assert server.connections == 2
