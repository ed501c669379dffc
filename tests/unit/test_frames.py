from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from ignitetasks import frames

GOLDEN = Path(__file__).parents[1] / "protocol" / "golden" / "lane_frames.json"


@pytest.fixture
def pair():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    lanes = frames.LaneConnection(left), frames.LaneConnection(right)
    yield lanes
    for lane in lanes:
        lane.close()


def test_a_frame_is_length_kind_and_payload():
    assert frames.encode(frames.DONE, b"abc") == b"\0\0\0\x04\x0babc"


@pytest.mark.parametrize("golden", json.loads(GOLDEN.read_text()), ids=lambda golden: golden["name"])
def test_golden_frames_of_the_node_are_read_and_written_alike(golden, pair):
    left, right = pair
    left._sock.sendall(bytes.fromhex(golden["frame_hex"]))
    left._sock.shutdown(socket.SHUT_WR)
    if golden["kind"] == frames.ERROR:
        with pytest.raises(frames.LaneRefused):
            right.recv()
        return
    kind, payload = right.recv()
    assert (kind, bytes(payload)) == (golden["kind"], bytes.fromhex(golden["payload_hex"]))
    assert frames.encode(kind, payload).hex() == golden["frame_hex"]


def test_messages_round_trip_in_order_whatever_the_pieces(pair):
    left, right = pair
    wire = b"".join(frames.encode(frames.RUN, frames.pack([[number, "x" * number]])) for number in range(50))

    def dribble():
        for start in range(0, len(wire), 7):
            left._sock.sendall(wire[start : start + 7])

    thread = threading.Thread(target=dribble)
    thread.start()
    assert [right.recv_msg() for _ in range(50)] == [(frames.RUN, [[n, "x" * n]]) for n in range(50)]
    thread.join()


def test_large_frames_arrive_whole_and_leave_what_follows(pair):
    left, right = pair
    big = os.urandom(3_000_000)

    def send():
        left.send_raw(frames.BLOB_DATA, big)
        left.send(frames.BYE, {})

    thread = threading.Thread(target=send)
    thread.start()
    kind, payload = right.recv()
    assert kind == frames.BLOB_DATA
    assert bytes(payload) == big
    assert right.recv_msg() == (frames.BYE, {})
    thread.join()


def test_pending_hands_out_what_is_there_and_waits_for_nothing(pair):
    left, right = pair
    assert list(right.pending()) == []
    left.send(frames.STOP, {})
    left.send(frames.KILL, [1])
    left._sock.sendall(b"\0\0")
    assert [kind for kind, _ in right.pending()] == [frames.STOP, frames.KILL]


def test_frames_before_the_end_are_handed_out_before_the_end_is_told(pair):
    left, right = pair
    left.send(frames.STOP, {})
    left.close()
    seen = []
    with pytest.raises(frames.LaneClosed):
        seen.extend(kind for kind, _ in right.pending())
    assert seen == [] or seen == [frames.STOP]
    assert right.fileno() >= 0


def test_an_end_inside_a_frame_is_an_end(pair):
    left, right = pair
    left._sock.sendall(frames.encode(frames.RUN, b"\x90" * 10)[:-3])
    left.close()
    with pytest.raises(frames.LaneClosed):
        right.recv()


@pytest.mark.parametrize("header", [b"\0\0\0\0\0", b"\xff\xff\xff\xff\x0b"])
def test_impossible_lengths_are_refused(pair, header):
    left, right = pair
    left._sock.sendall(header)
    with pytest.raises(frames.LaneProtocolError):
        right.recv()


def test_nonsense_payload_is_a_protocol_error(pair):
    left, right = pair
    left.send_raw(frames.RUN, b"\xc1")
    with pytest.raises(frames.LaneProtocolError):
        right.recv_msg()


def test_a_frame_over_the_limit_is_not_sent(pair):
    left, _ = pair
    with pytest.raises(frames.LaneProtocolError):
        left.send_raw(frames.DONE, b"x" * frames.MAX_FRAME)


def test_error_frames_become_errors_with_their_code(pair):
    left, right = pair
    left.send(frames.ERROR, ["NOT_FOUND", "no such blob"])
    with pytest.raises(frames.LaneRefused, match="no such blob") as caught:
        right.recv()
    assert caught.value.code == "NOT_FOUND"


def test_open_says_where_nobody_listens(tmp_path):
    with pytest.raises(frames.LaneClosed, match=r"lane\.sock"):
        frames.LaneConnection.open(str(tmp_path / "lane.sock"), "t", "child", {})


def test_the_lanes_descriptor_is_out_of_the_standard_streams_way(lane_server):
    lane = frames.LaneConnection.open(lane_server.address.lane, lane_server.address.token, "blob", {})
    try:
        assert lane.fileno() >= 64
        assert not os.get_inheritable(lane.fileno())
    finally:
        lane.close()


def test_a_wrong_token_is_refused(lane_server):
    with pytest.raises(frames.LaneRefused) as caught:
        frames.LaneConnection.open(lane_server.address.lane, "wrong", "child", {})
    assert caught.value.code == "AUTHENTICATION"


def test_a_silent_server_ends_in_a_timeout(tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    with listener, pytest.raises(frames.LaneClosed):
        frames.LaneConnection.open(str(tmp_path / "s"), "t", "child", {}, timeout=0.05)


def test_finish_delivers_everything_despite_unread_input(pair):
    left, right = pair
    left.send(frames.RUN, [])
    right.send(frames.BYE, {})
    thread = threading.Thread(target=right.finish)
    thread.start()
    assert left.recv_msg() == (frames.BYE, {})
    left.close()
    thread.join()
