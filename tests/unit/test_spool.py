"""The folder of large values: the format shared with the node, and what happens when it cannot be used."""

from __future__ import annotations

import hashlib
import os
import struct

import pytest

from ignitetasks import frames
from ignitetasks.errors import ResultExpired, SerializationError, StorageFull
from ignitetasks.message import BlobRef
from ignitetasks.transport.lane import BlobLane
from ignitetasks.transport.spool import Spool


def stored(folder, blob_id):
    return folder / hashlib.sha256(blob_id.encode()).hexdigest()[:40]


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_001])
def test_what_is_put_comes_back(tmp_path, sync, size):
    spool, data = Spool(str(tmp_path), sync), os.urandom(size)
    ref = spool.put("task/a", data, 0)
    assert ref == BlobRef("task/a", size, 0)
    assert bytes(spool.get(ref)) == data
    assert [entry.name for entry in tmp_path.iterdir()] == [stored(tmp_path, "task/a").name]


def test_the_header_is_what_the_node_reads(tmp_path):
    Spool(str(tmp_path), False).put("täsk/../a", b"value", 60_000)
    raw = stored(tmp_path, "täsk/../a").read_bytes()
    magic, size, crc, due = struct.unpack(">8sQIQ", raw[:28])
    assert (magic, size, crc, raw[32:]) == (b"ITBLOB1\n", 5, 0, b"value")
    assert due > 1_700_000_000_000


def test_a_second_put_replaces_and_readers_keep_the_first(tmp_path):
    spool = Spool(str(tmp_path), False)
    first = spool.get(spool.put("x", b"first", 0))
    second = spool.get(spool.put("x", b"second", 0))
    stored(tmp_path, "x").unlink()
    assert (bytes(first), bytes(second)) == (b"first", b"second")


def test_a_value_that_is_gone_is_none_and_a_damaged_one_is_named(tmp_path):
    spool = Spool(str(tmp_path), False)
    ref = spool.put("x", b"0123456789", 0)
    with pytest.raises(ValueError, match="damaged"):
        spool.get(BlobRef("x", 9, 0))
    stored(tmp_path, "x").write_bytes(b"short")
    with pytest.raises(ValueError, match="damaged"):
        spool.get(ref)
    stored(tmp_path, "x").unlink()
    assert spool.get(ref) is None


def test_nothing_is_left_of_a_put_that_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "write", lambda file, data: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        Spool(str(tmp_path), False).put("x", b"value", 0)
    assert list(tmp_path.iterdir()) == []


class _Connection:
    """A lane that only greets."""

    def __init__(self, folder):
        self.welcome = {"files": str(folder), "sync": False}

    def close(self):
        pass


@pytest.fixture
def lane(tmp_path, monkeypatch):
    monkeypatch.setattr(frames.LaneConnection, "open", lambda *args: _Connection(tmp_path))
    return BlobLane(lambda: ("socket", "token"))


def test_the_lane_uses_the_folder_the_node_offers(lane, tmp_path):
    ref = lane.put("task/a", b"v" * 100_000, 0)
    assert stored(tmp_path, "task/a").exists()
    assert bytes(lane.get(ref)) == b"v" * 100_000
    with pytest.raises(SerializationError, match="damaged"):
        lane.get(BlobRef("task/a", 1, 0))
    stored(tmp_path, "task/a").unlink()
    with pytest.raises(ResultExpired):
        lane.get(ref)


def test_a_full_disk_is_an_error_at_once(lane, monkeypatch):
    monkeypatch.setattr(os, "write", lambda file, data: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StorageFull, match="disk is full"):
        lane.put("x", b"value", 0)
