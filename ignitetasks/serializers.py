"""Values to bytes and back: msgpack (default), JSON, YAML, and signed pickle for those who ask for it.

The first byte names the encoding. All carry date and time types, Decimal, UUID, sets and bytes; tuples become
lists. Python only: the node never looks inside. This file must not know tasks; what it refuses, it names by path.
"""

from __future__ import annotations

import base64
import hmac
import json
import pickle  # opt-in only, and verified by HMAC before it is loaded
import struct
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import msgpack

from ignitetasks import deferred
from ignitetasks.compression import COMPRESSIONS, MARK, Data, compress, decompress
from ignitetasks.encodings import Registered, register, registered, unregister
from ignitetasks.errors import ConfigurationError, SerializationError

__all__ = ["COMPRESSIONS", "PLAIN", "Codecs", "Data", "compress", "is_packing", "register", "unregister"]

MAX_DEPTH = 512
_JSON_TAG = "__ignitetasks__"
_JSON_TAG_BYTES = b'"__ignitetasks__"'
_SIGNATURE_BYTES = 32
_TIMEDELTA = struct.Struct(">iii")


class _Unknown(Exception):
    """A value has no encoding; replaced by an error that names its path."""


def _big_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


# One table for both encodings: number on the msgpack wire, name in JSON, type, to bytes, from bytes. Order matters:
# a datetime is a date. Numbers are never reused.
_TYPES: tuple[tuple[int, str, type, Callable[[Any], bytes], Callable[[bytes], Any]], ...] = (
    (1, "datetime", datetime, lambda v: v.isoformat().encode(), lambda d: datetime.fromisoformat(d.decode())),
    (2, "date", date, lambda v: v.isoformat().encode(), lambda d: date.fromisoformat(d.decode())),
    (3, "time", time, lambda v: v.isoformat().encode(), lambda d: time.fromisoformat(d.decode())),
    (4, "timedelta", timedelta, lambda v: _TIMEDELTA.pack(v.days, v.seconds, v.microseconds),
     lambda d: timedelta(*_TIMEDELTA.unpack(d))),
    (5, "decimal", Decimal, lambda v: str(v).encode(), lambda d: Decimal(d.decode())),
    (6, "uuid", uuid.UUID, lambda v: v.bytes, lambda d: uuid.UUID(bytes=d)),
    (7, "set", set, lambda v: _pack(_in_order(v)), lambda d: set(map(_hashable, _unpack(d)))),
    (8, "frozenset", frozenset, lambda v: _pack(_in_order(v)), lambda d: frozenset(map(_hashable, _unpack(d)))),
    (9, "int", int, _big_int, lambda d: int.from_bytes(d, "big", signed=True)),
    (10, "bytes", bytes, bytes, bytes),
)  # fmt: skip
_FROM_EXT = {code: load for code, _, _, _, load in _TYPES}
_FROM_NAME = {name: load for _, name, _, _, load in _TYPES}


def _in_order(items: Iterable[Any]) -> list[Any]:
    """Returns a set's items in an order that is the same in every process; hash seeds differ, fingerprints must not."""
    return sorted(items, key=_pack)


def _hashable(value: Any) -> Any:
    """Turns what was a tuple inside a set or a key back into one, since a list cannot be there."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _to_ext(value: Any) -> Any:
    for code, _, kind, dump, _ in _TYPES:
        if isinstance(value, kind):
            return msgpack.ExtType(code, dump(value))
    return _as_plain(value)


def _as_plain(value: Any) -> Any:
    """Returns what an object says of itself as plain data, or the text of a lazy translation."""
    reduce = getattr(type(value), "__json__", None)
    if reduce is not None:
        return reduce(value)
    if type(value).__name__ == "__proxy__" and type(value).__module__ == "django.utils.functional":
        return str(value)
    raise _Unknown


def _from_ext(code: int, data: bytes) -> Any:
    load = _FROM_EXT.get(code)
    if load is None:
        raise ValueError(f"unknown type number {code}")
    return load(bytes(data))


class _Packers(threading.local):
    """One packer per thread: a packer keeps a buffer and cannot be shared, and making one costs more than its use."""

    def __init__(self) -> None:
        self.pack = msgpack.Packer(default=_to_ext).pack
        self.busy = False


_packers = _Packers()

#: From this size on a value gets a packer of its own: one of the right size at once, and not kept afterwards.
_LARGE = 1 << 16
_SIZED = frozenset({str, bytes, bytearray, list, tuple})


def _size_hint(value: Any, depth: int = 3) -> int:
    """Returns about how many bytes the texts and bytes in the first few places of a value take."""
    if type(value) is not tuple and type(value) is not list:
        return len(value) if type(value) in _SIZED else 0
    return sum([_size_hint(item, depth - 1) for item in value[:8] if type(item) in _SIZED]) if depth else 0


def _pack_large(value: Any, hint: int) -> memoryview:
    packer = msgpack.Packer(default=_to_ext, autoreset=False, buf_size=hint + _LARGE)
    # As a number this is the one byte that names the encoding: put in front without copying what follows.
    packer.pack(ord("m"))
    _packers.busy = True
    try:
        packer.pack(value)
    finally:
        _packers.busy = False
    return memoryview(packer.getbuffer())


def _pack(value: Any) -> bytes:
    # A set packs its items while its own packer is in use; those get a packer of their own.
    if _packers.busy:
        return msgpack.packb(value, default=_to_ext)  # type: ignore[no-any-return]
    _packers.busy = True
    try:
        return _packers.pack(value)  # type: ignore[no-any-return]
    except BaseException:
        _packers.pack = msgpack.Packer(default=_to_ext).pack
        raise
    finally:
        _packers.busy = False


def is_packing() -> bool:
    """Tells whether this thread packs a value: a map must then say how many keys it has, whatever else it counts."""
    return _packers.busy


def _unpack(data: Data) -> Any:
    try:
        return msgpack.unpackb(data, ext_hook=_from_ext, strict_map_key=False)
    except TypeError:  # a key was a tuple and came back as a list
        keyed = lambda pairs: {_hashable(key): value for key, value in pairs}  # noqa: E731
        return msgpack.unpackb(data, ext_hook=_from_ext, strict_map_key=False, object_pairs_hook=keyed)


class _JsonCodec:
    """One JSON encoding run: counts its own tags, to notice a user's dict that looks like one."""

    def __init__(self) -> None:
        self.tags = 0

    def default(self, value: Any) -> Any:
        self.tags += 1
        if isinstance(value, (set, frozenset)):
            return {_JSON_TAG: [type(value).__name__, _in_order(value)]}
        if isinstance(value, (bytearray, memoryview)):
            value = bytes(value)
        for _, name, kind, dump, _ in _TYPES:
            if isinstance(value, kind):
                return {_JSON_TAG: [name, base64.b64encode(dump(value)).decode()]}
        self.tags -= 1
        return _as_plain(value)


def _json_dumps(value: Any) -> bytes:
    codec = _JsonCodec()
    data = json.dumps(value, default=codec.default, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    if data.count(_JSON_TAG_BYTES) != codec.tags:
        raise SerializationError(f"the text {_JSON_TAG!r} is reserved in JSON; rename it or use msgpack")
    return data


def _json_object(found: dict[str, Any]) -> Any:
    tagged = found.get(_JSON_TAG)
    if tagged is None or len(found) != 1:
        return found
    name, value = tagged
    if name in ("set", "frozenset"):
        return (set if name == "set" else frozenset)(map(_hashable, value))
    return _FROM_NAME[name](base64.b64decode(value))


def _json_loads(data: Data) -> Any:
    return json.loads(bytes(data), object_hook=_json_object)


def _yaml_dumps(value: Any) -> bytes:
    # Through JSON, so that both carry the same types and nothing of YAML's own is ever built.
    return deferred.load("yaml").from_json(_json_dumps(value))  # type: ignore[no-any-return]


#: In front of an encoding that a program has registered: this, the length of its name, its name.
_REGISTERED = b"c"
_NAMES = {b"m": "msgpack", b"j": "json", b"p": "pickle", b"y": "yaml"}


class Codecs:
    """The encodings one process accepts, and the key of its signed pickles.

    Args:
        accept: Encodings that may be used and decoded.
        signing_key: Returns the key of signed pickles or None; called at the first pickle.

    Attributes:
        setting: How an error calls what is accepted.
        results: The encodings of tasks' results.
    """

    def __init__(
        self, accept: tuple[str, ...] = ("msgpack", "json"), signing_key: Callable[[], bytes | None] = lambda: None
    ) -> None:
        self._accept, self.setting, self.results = frozenset(accept), "accept_content", self
        self._signing_key = signing_key
        self._key: bytes | None = None

    def encode(self, value: Any, name: str = "msgpack", context: str = "", root: str = "value") -> bytes:
        """Encodes a value; see `encode_data`."""
        data = self.encode_data(value, name, context, root)
        return data if isinstance(data, bytes) else bytes(data)

    def encode_data(self, value: Any, name: str = "msgpack", context: str = "", root: str = "value") -> Data:
        """Encodes a value.

        Args:
            value: What to encode.
            name: ``msgpack``, ``json``, ``yaml``, ``pickle``, or one that was registered.
            context: What the bytes are for; a signed pickle is only accepted under the same context.
            root: How an error calls the value.

        Returns:
            The codec's byte and the encoded value; a large one as a view of the encoder's own buffer.

        Raises:
            SerializationError: Something in the value cannot be encoded; the message names its path.
            ConfigurationError: The encoding is not accepted here.
        """
        if name not in self._accept and not _is_own(name, context):
            raise ConfigurationError(f"serializer {name!r} is not in {self.setting} {sorted(self._accept)}")
        try:
            if name == "msgpack":
                hint = _size_hint(value)
                return _pack_large(value, hint) if hint > _LARGE else b"m" + _pack(value)
            if name == "json":
                return b"j" + _json_dumps(value)
            if name == "yaml":
                return b"y" + _yaml_dumps(value)
            own = registered(name)
            if own is not None:
                return _REGISTERED + bytes([len(name)]) + name.encode() + own.dumps(_texts(value, context))
            return self._pickle(value, context)
        except (SerializationError, ConfigurationError):
            raise
        except Exception as error:
            # A __reduce__ or isoformat of the user's own can raise anything at all.
            raise _explain(value, name, root, error) from (None if isinstance(error, _Unknown) else error)

    def decode(self, data: Data, context: str = "", what: str = "value") -> Any:
        """Decodes what `encode` made.

        Args:
            data: Codec byte and value.
            context: As at encoding.
            what: How an error calls the value.

        Raises:
            SerializationError: The bytes are damaged, or their encoding is not accepted here.
        """
        codec = bytes(data[:1])
        if codec == MARK:
            data = decompress(bytes(data))
            codec = data[:1]
        name, start = _name_in(data, codec)
        if name is None:
            raise SerializationError(f"{what} has the unknown encoding {codec!r}; a newer version may have written it")
        if name not in self._accept and not _is_own(name, context):
            raise SerializationError(
                f"{what} is encoded as {name}, which {self.setting} {sorted(self._accept)} does not allow here"
            )
        view = memoryview(data)[start:]
        try:
            if name == "msgpack":
                return _unpack(view)
            if name == "json":
                return _json_loads(view)
            if name == "yaml":
                return _json_loads(deferred.load("yaml").to_json(bytes(view)))
            if codec == _REGISTERED:
                return _from_texts(_registered_one(name, what).loads(bytes(view)), context)
            return self._unpickle(view, context)
        except (SerializationError, ConfigurationError):
            raise
        except Exception as error:
            # Decoding meets bytes of any origin: whatever goes wrong is one kind of error for the caller.
            raise SerializationError(f"{what} cannot be decoded as {name}: {_safe_repr(error)}") from error

    def _pickle(self, value: Any, context: str) -> bytes:
        payload = pickle.dumps(value, protocol=5)
        return b"p" + self._sign(payload, context) + payload

    def _unpickle(self, view: memoryview, context: str) -> Any:
        payload = view[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(bytes(view[:_SIGNATURE_BYTES]), self._sign(payload, context)):
            raise SerializationError("the pickle's signature is wrong; both sides need the same signing_key")
        return pickle.loads(payload)  # noqa: S301  # signed by a holder of the key

    def _sign(self, payload: Data, context: str) -> bytes:
        if self._key is None:
            self._key = self._signing_key()
            if self._key is None:
                raise ConfigurationError("pickle needs a signing_key; set IGNITETASKS_SIGNING_KEY on both sides")
        mac = hmac.new(self._key, context.encode("utf-8") + b"\0", "sha256")
        mac.update(payload)
        return mac.digest()


def _name_in(data: Data, codec: bytes) -> tuple[str | None, int]:
    """Returns the encoding of some bytes, None for one that cannot be, and where the value begins."""
    if codec != _REGISTERED or len(data) < 2:
        return _NAMES.get(codec), 1
    start = 2 + data[1]
    return bytes(data[2:start]).decode("ascii", "replace"), start


def _registered_one(name: str, what: str) -> Registered:
    found = registered(name)
    if found is None:
        raise SerializationError(f"{what} is encoded as {name}, which is not registered in this process")
    return found


def _texts(value: Any, context: str) -> Any:
    """Returns what this package itself adds to a workflow as values that every encoding of text knows."""
    if not context.startswith("canvas"):
        return value
    if isinstance(value, dict):
        return {key: _texts(item, context) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_texts(item, context) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {_JSON_TAG: ["bytes", base64.b64encode(bytes(value)).decode()]}
    return value


def _from_texts(value: Any, context: str) -> Any:
    if not context.startswith("canvas"):
        return value
    if isinstance(value, dict):
        return _json_object({key: _from_texts(item, context) for key, item in value.items()})
    return [_from_texts(item, context) for item in value] if isinstance(value, list) else value


def _is_own(name: str, context: str) -> bool:
    """Tells whether this package itself has chosen the encoding, which carries plain data only."""
    return name == "msgpack" and context.startswith(("canvas", "body:ignitetasks."))


def _safe_repr(value: object, limit: int = 200) -> str:
    try:
        text = repr(value)
    except Exception:
        return f"<{type(value).__name__} whose repr fails>"
    return text if len(text) <= limit else text[:limit] + "..."


def _explain(value: Any, name: str, root: str, error: BaseException) -> SerializationError:
    """Finds what could not be encoded; only runs after a failure, so its cost does not matter."""
    path, found = _culprit(value, name, root)
    if found is _TOO_DEEP:
        return SerializationError(f"{path}: nested deeper than {MAX_DEPTH} levels, or inside itself", path)
    if found is _NOT_FOUND:
        return SerializationError(f"{root} cannot be encoded as {name}: {_safe_repr(error)}", root)
    if isinstance(found, str):
        return SerializationError(f"{path}: text with a lone surrogate cannot be encoded as UTF-8", path)
    kind = type(found)
    where = "" if kind.__module__ == "builtins" else kind.__module__ + "."
    return SerializationError(
        f"{path}: object of type {where}{kind.__qualname__} cannot be encoded as {name}; "
        f"pass plain data{_hint(name, root)}",
        path,
    )


def _hint(name: str, root: str) -> str:
    if name == "pickle" or root == "headers":
        return ""
    option = "result_serializer" if root == "result" else "serializer"
    return f" (or set {option}='pickle', with 'pickle' in accept_content, on both sides)"


_TOO_DEEP, _NOT_FOUND = object(), object()


def _children(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            shown = f'"{key}"' if isinstance(key, str) else _safe_repr(key, 60)
            yield f"{path} (key {shown})", key
            yield f"{path}[{shown}]", item
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item
    elif isinstance(value, (set, frozenset)):
        for item in value:
            yield f"{path}{{{_safe_repr(item, 60)}}}", item


def _culprit(value: Any, name: str, root: str) -> tuple[str, Any]:
    """Walks the value without recursion and returns the first leaf that cannot be encoded alone."""
    stack: list[tuple[str, Any, int]] = [(root, value, 0)]
    while stack:
        path, item, depth = stack.pop()
        if depth > MAX_DEPTH:
            return root, _TOO_DEEP
        children = list(_children(item, path))
        if not children and not _encodable(item, name):
            return path, item
        stack.extend((where, child, depth + 1) for where, child in reversed(children))
    return root, _NOT_FOUND


def _encodable(leaf: Any, name: str) -> bool:
    try:
        if name == "msgpack":
            _pack(leaf)
        elif name in ("json", "yaml"):
            _json_dumps(leaf)
        elif (own := registered(name)) is not None:
            own.dumps(leaf)
        else:
            pickle.dumps(leaf, protocol=5)
    except Exception:
        return False
    return True


#: For what the package itself keeps and sends: plain data, whatever an application accepts.
PLAIN: Final = Codecs(("msgpack",))
