"""The golden files: what is on the wire does not change by accident, and both sides agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ignitetasks import failure, ids, message, wire
from ignitetasks.errors import GatewayError, UnsupportedVersion
from ignitetasks.serializers import Codecs

GOLDEN = Path(__file__).parent / "golden"


def load(name):
    return json.loads((GOLDEN / name).read_text("utf-8"))


@pytest.mark.parametrize("row", load("call_frames.json")["good"], ids=lambda row: row["name"])
def test_frames(row):
    payload, frame = bytes.fromhex(row["payload"]), bytes.fromhex(row["frame"])
    assert wire.encode_frame(payload, row["status"]) == frame
    status, view = wire.decode_frame(frame)
    assert (status, bytes(view)) == (row["status"], payload)
    assert wire.pack(wire.unpack(view)) == payload


@pytest.mark.parametrize("row", load("frames.json"), ids=lambda row: row["name"])
def test_frames_of_the_node(row):
    payload, frame = bytes.fromhex(row["payload_hex"]), bytes.fromhex(row["frame_hex"])
    assert row["version"] == wire.VERSION
    assert wire.encode_frame(payload, row["status"]) == frame
    status, view = wire.decode_frame(frame)
    assert (status, bytes(view)) == (row["status"], payload)


@pytest.mark.parametrize("row", load("call_frames.json")["broken"], ids=lambda row: row["reason"])
def test_broken_frames(row):
    with pytest.raises(UnsupportedVersion if row["reason"] == "version" else GatewayError):
        wire.decode_frame(bytes.fromhex(row["frame"]))


def test_payload_that_is_no_msgpack():
    for data in (b"", b"\xc1", b"\x92\x01", b"\x01\x02"):
        with pytest.raises(GatewayError):
            wire.unpack(data)


def test_ids():
    vectors = load("ids.json")
    for row in vectors["locators"]:
        assert (ids.locator(row["id"]), ids.partition(row["id"])) == (row["locator"], row["partition"])
    for row in vectors["queues"]:
        assert ids.queue_locator(row["queue"]) == row["locator"]
    for row in vectors["keys"]:
        key = tuple(row["key"]) if isinstance(row["key"], list) else row["key"]
        assert ids.id_from_key(row["namespace"], row["task"], key) == row["id"]
    for row in vectors["fingerprints"]:
        assert ids.fingerprint(row["task"], bytes.fromhex(row["body"])).hex() == row["fingerprint"]


@pytest.mark.parametrize("row", load("failures.json"), ids=lambda row: row["type"])
def test_failures(row):
    data = bytes.fromhex(row["bytes"])
    one = failure.Failure.decode(data)
    assert (one.type_name, one.module, one.message) == (row["type"], row["module"], row["message"])
    assert one.encode() == data
    error = failure.rebuild(data)
    assert type(error).__name__ == row["type"]
    assert row["message"] in str(error)


@pytest.mark.parametrize("row", load("bodies.json"), ids=lambda row: f"{row['codec']}-{len(row['args'])}")
def test_bodies(row):
    codecs = Codecs(("msgpack", "json"))
    data = bytes.fromhex(row["bytes"])
    assert message.encode_body(codecs, "t", row["args"], row["kwargs"], row["codec"]) == data
    assert message.decode_body(codecs, "t", data) == (row["args"], row["kwargs"])
