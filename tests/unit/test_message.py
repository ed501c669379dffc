"""Bodies, results and what else a message consists of."""

from __future__ import annotations

import pytest

from ignitetasks import message, states
from ignitetasks.errors import SerializationError
from ignitetasks.message import BlobRef, Session, TaskOptions
from ignitetasks.serializers import Codecs

CODECS = Codecs(("msgpack", "json", "pickle"), lambda: b"k" * 16)


@pytest.mark.parametrize("name", ["msgpack", "json", "pickle"])
def test_body_round_trip(name):
    data = message.encode_body(CODECS, "t", (1, "x"), {"k": [None]}, name)
    assert message.decode_body(CODECS, "t", memoryview(data)) == ([1, "x"], {"k": [None]})


def test_error_names_the_argument():
    with pytest.raises(SerializationError) as caught:
        message.encode_body(CODECS, "shop.pay", (1, {"when": object()}), {})
    assert caught.value.path == 'args[1]["when"]'
    assert str(caught.value).startswith("shop.pay: args[1]")
    with pytest.raises(SerializationError, match=r'kwargs\["rows"\]\[1\]'):
        message.encode_body(CODECS, "t", (), {"rows": [1, object()]})
    with pytest.raises(SerializationError, match=r'result\["rows"\]\[1\]'):
        message.encode_result(CODECS, "id", {"rows": [1, object()]})


@pytest.mark.parametrize("value", [5, [1], [1, 2, 3], [[1], 2], [{}, {}]])
def test_body_of_another_shape(value):
    with pytest.raises(SerializationError, match="pair"):
        message.decode_body(CODECS, "t", CODECS.encode(value))


def test_result():
    assert message.decode_result(CODECS, "i", message.encode_result(CODECS, "i", {"a": 1})) == {"a": 1}
    assert message.decode_result(CODECS, "i", None) is None
    signed = message.encode_result(CODECS, "i", 1, "pickle")
    with pytest.raises(SerializationError):
        message.decode_result(CODECS, "other", signed)


def test_call_options():
    assert message.encode_call_options(None) is None
    assert message.encode_call_options({}) is None
    assert message.decode_call_options(None) == ({}, {})
    data = message.encode_call_options({"trace": "x", "n": [1]}, {"max_retries": 5})
    assert message.decode_call_options(data) == ({"trace": "x", "n": [1]}, {"max_retries": 5})
    with pytest.raises(SerializationError, match="headers"):
        message.encode_call_options({"bad": object()})


def test_blob_ref_and_ids():
    ref = BlobRef("x/a", 70000, 4_000_000_000)
    assert BlobRef.unpack(memoryview(ref.pack())) == ref
    assert message.body_blob_id("x") == "x/a"
    assert message.body_blob_id("x", b"\x01" * 16) == "x/a" + "01" * 16
    assert message.result_blob_id("x", 3) == "x/r3"
    assert message.retry_blob_id("x", 2) == "x/b2"


def test_session_leaves_out_what_it_does_not_know():
    one = Session.from_map({"session": 5, "node": "n", "new_key": 1, "lane": None})
    assert (one.number, one.node, one.lane, one.inline_limit) == (5, "n", "", 65536)


def test_options_and_policy():
    options = TaskOptions(retry_backoff=True, max_retries=2, autoretry_for=(OSError,))
    assert options.retry_policy.backoff_seconds == 1.0
    assert options.retry_policy is options.retry_policy
    assert options.evolve(priority=3).priority == 3
    assert options.priority == 0


def test_states():
    assert states.name_of(3) == "SUCCESS"
    assert states.name_of(99) == "STATE_99"
    assert states.CODES["DEAD"] == 6
    assert [message.is_terminal(code) for code in range(9)] == [False] * 3 + [True] * 6
    assert not states.READY_STATES & states.UNREADY_STATES
