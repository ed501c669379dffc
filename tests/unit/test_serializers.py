"""Encodings of values."""

from __future__ import annotations

import ast
import json
import os
import pickle
import subprocess
import sys
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ignitetasks import IgniteTasks, encodings
from ignitetasks.accepted import codecs_of
from ignitetasks.config import Settings
from ignitetasks.errors import ConfigurationError, SerializationError
from ignitetasks.message import decode_result, encode_result
from ignitetasks.serializers import Codecs, register, unregister

ALL = Codecs(("msgpack", "json", "pickle"), lambda: b"k" * 32)
zones = st.sampled_from([None, timezone.utc, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=3))])
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(max_size=50), st.datetimes(timezones=zones), st.dates(), st.times(),
    st.timedeltas(), st.decimals(allow_nan=False), st.uuids(),
)  # fmt: skip
hashables = st.one_of(st.integers(), st.text("abc", max_size=3), st.uuids(), st.dates())
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=5).filter(lambda key: key != "__ignitetasks__")
values = st.recursive(
    leaves | st.sets(hashables, max_size=4) | st.frozensets(hashables, max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=120, deadline=None)
@given(values)
@pytest.mark.parametrize("name", ["msgpack", "json", "pickle"])
def test_round_trip(name, value):
    data = ALL.encode(value, name, "ctx")
    assert data[:1] == name[:1].encode()
    assert ALL.decode(data, "ctx") == value
    assert ALL.decode(memoryview(data), "ctx") == value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
@pytest.mark.parametrize("codec", [b"m", b"j", b"p", b""])
def test_any_bytes_decode_or_raise_one_kind_of_error(codec, data):
    try:
        ALL.decode(codec + data)
    except SerializationError:
        pass


@pytest.mark.parametrize("name", ["msgpack", "json"])
def test_documented_changes(name):
    assert ALL.decode(ALL.encode((1, (2, 3)), name)) == [1, [2, 3]]
    assert ALL.decode(ALL.encode({(1, 2), (3, 4)}, name)) == {(1, 2), (3, 4)}
    assert ALL.decode(ALL.encode(bytearray(b"x"), name)) == b"x"
    assert ALL.decode(ALL.encode([{1}, {2}], name)) == [{1}, {2}]


def test_msgpack_keys_of_any_kind():
    value = {1: "a", (1, (2, 3)): "b", None: "c"}
    assert ALL.decode(ALL.encode(value)) == value


class Foo:
    pass


class BadRepr:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("name", ["msgpack", "json"])
@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([1, {"when": Foo()}], 'value[1]["when"]'),
        ({"a": [{"b": BadRepr()}]}, 'value["a"][0]["b"]'),
        (Foo(), "value"),
        ([{1, 2}, [lambda: 1]], "value[1][0]"),
        ({"deep": {"er": {"x": 1j}}}, 'value["deep"]["er"]["x"]'),
        (["ok", "\ud800"], "value[1]"),
    ],
)
def test_the_path_of_what_cannot_be_encoded(name, value, path):
    with pytest.raises(SerializationError) as caught:
        ALL.encode(value, name)
    assert caught.value.path == path
    assert str(caught.value).startswith(path)


def test_item_of_a_set_and_key_are_named():
    with pytest.raises(SerializationError, match=r"value\[0\]\{.*Foo"):
        ALL.encode([{Foo()}])
    with pytest.raises(SerializationError, match="key"):
        ALL.encode({Foo(): 1})


@pytest.mark.parametrize("name", ["msgpack", "json"])
def test_too_deep_or_circular(name):
    deep: list = []
    for _ in range(3000):
        deep = [deep]
    with pytest.raises(SerializationError, match="nested deeper"):
        ALL.encode(deep, name)
    circle: dict = {}
    circle["me"] = circle
    with pytest.raises(SerializationError, match="inside itself"):
        ALL.encode(circle, name)


def test_deep_bytes_do_not_crash_decoding():
    for data in (b"m" + b"\x91" * 100_000 + b"\xc0", b"j" + b"[" * 100_000):
        with pytest.raises(SerializationError):
            ALL.decode(data)


def test_encoding_works_after_a_failure():
    with pytest.raises(SerializationError):
        ALL.encode([1, Foo()])
    assert ALL.decode(ALL.encode([{1, 2}])) == [{1, 2}]


def test_reserved_text_in_json():
    with pytest.raises(SerializationError, match="reserved"):
        ALL.encode({"__ignitetasks__": ["date", "x"]}, "json")
    assert ALL.decode(ALL.encode({"__ignitetasks__": 1})) == {"__ignitetasks__": 1}


def test_pickle_is_opt_in():
    plain = Codecs()
    with pytest.raises(ConfigurationError, match="pickle"):
        plain.encode(1, "pickle")
    with pytest.raises(SerializationError, match="does not allow"):
        plain.decode(ALL.encode(1, "pickle"))


def test_pickle_is_bound_to_key_and_context():
    data = ALL.encode(date(2020, 1, 1), "pickle", "result:1")
    assert ALL.decode(data, "result:1") == date(2020, 1, 1)
    with pytest.raises(SerializationError, match="signature"):
        ALL.decode(data, "result:2")
    with pytest.raises(SerializationError, match="signature"):
        Codecs(("pickle",), lambda: b"z" * 32).decode(data, "result:1")
    with pytest.raises(SerializationError, match="signature"):
        ALL.decode(data[:-1] + bytes([data[-1] ^ 1]), "result:1")
    with pytest.raises(SerializationError):
        ALL.decode(b"p" + pickle.dumps(1))
    with pytest.raises(ConfigurationError, match="signing_key"):
        Codecs(("pickle",)).encode(1, "pickle")


def test_unpicklable_is_named():
    with pytest.raises(SerializationError, match=r"value\[1\]"):
        ALL.encode([1, lambda: 1], "pickle")


def test_unknown_codec_and_type_number():
    with pytest.raises(SerializationError, match="unknown encoding"):
        ALL.decode(b"q123")
    with pytest.raises(SerializationError):
        ALL.decode(b"m\xd4\x7f\x00")


def test_zero_offset_datetimes_keep_their_instant():
    value = [datetime(2020, 1, 1, tzinfo=timezone.utc), time(1, 2, 3), Decimal("1.10"), uuid.UUID(int=1)]
    assert ALL.decode(ALL.encode(value, "json")) == value
    assert str(ALL.decode(ALL.encode(Decimal("1.10")))) == "1.10"


def test_a_set_has_one_encoding_whatever_the_hash_seed():
    script = (
        "from ignitetasks.serializers import Codecs; c = Codecs();"
        "v = [{'b', 'a', 'c', 3, (1, 'x')}, frozenset('tuvw')];"
        "print(c.encode(v).hex(), c.encode(v, 'json').hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return (self.x, self.y) == (other.x, other.y)


def dump_points(value):
    return json.dumps(value, default=lambda point: {"__point__": [point.x, point.y]})


def load_points(text):
    assert isinstance(text, str)
    return json.loads(text, object_hook=lambda found: Point(*found["__point__"]) if "__point__" in found else found)


@pytest.fixture
def points():
    register("dotted", dump_points, load_points, content_type="application/x-dotted")
    yield Codecs(("dotted", "json"))
    unregister("dotted")


def test_an_encoding_of_ones_own(points):
    value = {"at": [Point(1, 2), Point(3, 4)], "name": "\u00e4"}
    data = points.encode(value, "dotted")
    assert data.startswith(b"c\x06dotted")
    assert points.decode(data) == value
    assert points.decode(memoryview(data)) == value
    with pytest.raises(SerializationError, match="accept_content"):
        Codecs(("json",)).decode(data)
    with pytest.raises(ConfigurationError, match="accept_content"):
        Codecs(("json",)).encode(value, "dotted")
    with pytest.raises(SerializationError, match=r'value\["at"\]\[1\].*cannot be encoded as dotted'):
        points.encode({"at": [Point(1, 2), object()]}, "dotted")
    for broken in (data[:3], data[:1], b"c\xff", data[:-2], b"c\x06dottedx"):
        with pytest.raises(SerializationError):
            points.decode(broken)


def test_what_a_workflow_adds_passes_through_an_encoding_of_ones_own(points):
    value = {"r": [b"\x00\xff", [b"x"]], "args": [Point(1, 2)]}
    assert points.decode(points.encode(value, "dotted", "canvas:x"), "canvas:x") == value


def test_an_encoding_may_want_bytes_and_be_called_by_its_content_type():
    register("reversed", lambda value: bytes(reversed(value)), lambda data: data[::-1], "x/r", "binary")
    try:
        codecs = Codecs(("reversed",))
        assert codecs.decode(codecs.encode(b"abc", "reversed")) == b"abc"
        app = IgniteTasks("own", transport="memory")
        app.conf.accept_content = ["x/r", "json"]
        app.conf.task_serializer = "x/r"
        assert (app.settings.accept_content, app.settings.task_serializer) == (("reversed", "json"), "reversed")
    finally:
        unregister("reversed")
    with pytest.raises(SerializationError, match="not registered"):
        codecs.decode(b"c\x08reversedcba")


@pytest.mark.parametrize("name", ["json", "pickle", "", "a b", "x" * 65])
def test_an_encoding_needs_a_name_of_its_own(name):
    with pytest.raises(ConfigurationError, match="another name"):
        register(name, str, str)
    with pytest.raises(ConfigurationError, match="no encoding"):
        unregister(name)


def test_results_have_encodings_of_their_own():
    settings = Settings(accept_content="json", result_accept_content="msgpack", task_serializer="json")
    codecs = codecs_of(settings)
    assert codecs.decode(codecs.encode({"x": 1}, "json")) == {"x": 1}
    result = encode_result(codecs, "id", {"x": 1})
    assert decode_result(codecs, "id", result) == {"x": 1}
    with pytest.raises(SerializationError, match=r"the result is encoded as json, which result_accept_content"):
        decode_result(codecs, "id", codecs.encode(1, "json"))
    with pytest.raises(SerializationError, match=r"encoded as msgpack, which accept_content \['json'\]"):
        codecs.decode(bytes(result))
    with pytest.raises(ConfigurationError, match="result_accept_content"):
        encode_result(codecs, "id", 1, "json")


def test_what_a_program_has_registered_with_kombu_is_known(monkeypatch):
    registry = SimpleNamespace(
        name_to_type={"own": "application/x-own", "raw": "application/data"},
        type_to_name={"application/x-own": "own", "application/data": "raw"},
        _encoders={
            "own": SimpleNamespace(encoder=repr, content_encoding="utf-8"),
            "raw": SimpleNamespace(encoder=None, content_encoding="binary"),
        },
        _decoders={"application/x-own": ast.literal_eval},
    )
    monkeypatch.setitem(sys.modules, "kombu.serialization", SimpleNamespace(registry=registry))
    assert encodings.name_of("application/x-own") == "own" and encodings.is_known("own")
    assert encodings.registered("own").loads(encodings.registered("own").dumps((1, 2))) == (1, 2)
    assert not encodings.is_known("raw") and not encodings.is_known("application/x-own")
    monkeypatch.delitem(sys.modules, "kombu.serialization")
    assert not encodings.is_known("own") and encodings.name_of("application/x-own") == "application/x-own"
