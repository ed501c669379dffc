"""The event feed of a real node: order, cursors, long polls over clients, death of the node, writers on the lane."""

from __future__ import annotations

import threading

import pytest
from support import EmbeddedNode, until

from ignitetasks import frames, jvm
from ignitetasks.client import Client
from ignitetasks.errors import BadRequest, OutcomeUnknown, PayloadTooLarge


def read(node, cursor, limit=1000, wait_ms=0):
    position, events, dropped = node.call("events_read", cursor, limit, wait_ms)
    return position, [(seq, bytes(body)) for seq, body in events], dropped


def test_events_have_one_order_for_all_clients(node):
    now = read(node, -1)[0]
    assert node.call("events_append", [b"a", b"b"], False) == 2
    node.call("events_append", [b"c"], False)
    assert read(node, now) == (now + 3, [(now + 1, b"a"), (now + 2, b"b"), (now + 3, b"c")], 0)
    assert read(node, now + 1, limit=1) == (now + 2, [(now + 2, b"b")], 0)
    assert read(node, now + 3) == (now + 3, [], 0)


def test_a_reader_hears_of_an_event_at_once(node):
    now = read(node, -1)[0]
    heard = []
    reader = threading.Thread(target=lambda: heard.append(read(node, now, wait_ms=20_000)))
    reader.start()
    other = Client(node.settings)
    other.transport.call("events_append", [b"news"], False)
    reader.join(15)
    assert heard == [(now + 1, [(now + 1, b"news")], 0)]
    other.close()


def test_what_cannot_be_an_event_is_refused(node):
    with pytest.raises(PayloadTooLarge):
        node.call("events_append", [bytes(40_000)], False)
    with pytest.raises(BadRequest, match="another cluster"):
        read(node, 1 << 40)


def test_workers_write_to_the_feed_over_the_lane(node, label):
    now = read(node, -1)[0]
    connection = jvm.find(node.settings)
    info = {
        "name": label,
        "host": "h",
        "pid": 1,
        "queues": [label],
        "concurrency": 1,
        "pool": "solo",
        "tasks": [],
        "version": jvm.VERSION,
    }
    lane = frames.LaneConnection.open(connection.lane, connection.token, "worker", info)
    lane.send(frames.EVENTS, [label.encode(), bytes(40_000), b"after"])
    wanted = {label.encode(), b"after"}
    until(lambda: wanted <= {body for _, body in read(node, now)[1]}, "both events are in the feed")
    assert node.status()["node"]["events_dropped"] >= 1
    lane.finish()


def test_events_outlive_the_node_and_their_places_go_on(tmp_path):
    with EmbeddedNode(tmp_path / "data", durability="power") as node:
        node.call("events_append", [b"%d" % number for number in range(100)], False)
        node.kill()
        node.start()
        position, events, dropped = read(node, 40)
        assert (position, dropped) == (100, 0)
        assert events == [(seq, b"%d" % (seq - 1)) for seq in range(41, 101)]
        node.call("events_append", [b"next"], False)
        assert read(node, 100) == (101, [(101, b"next")], 0)


def test_an_append_that_comes_again_is_taken_once(node):
    now = read(node, -1)[0]
    assert node.call("events_append", [b"once", b"only"], False) == 2
    assert node.call("events_append", [b"once", b"only"], True) == 2
    assert node.call("events_append", [b"not yet"], True) == 1
    assert [body for _, body in read(node, now)[1]] == [b"once", b"only", b"not yet"]


def test_an_append_whose_answer_is_missing_says_so_and_can_be_repeated(tmp_path):
    with EmbeddedNode(tmp_path / "data") as node:
        node.call("events_append", [b"first"], False)
        node.kill()
        with pytest.raises(OutcomeUnknown):
            node.call("events_append", [b"cut"], False)
        node.start()
        node.call("events_append", [b"cut"], True)
        node.call("events_append", [b"first"], True)
        assert [body for _, body in read(node, 0)[1]] == [b"first", b"cut"]
