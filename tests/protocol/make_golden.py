"""Writes the golden files of the client library; run by hand when a wire format gets a new version.

``frames.json`` and ``lane_frames.json`` are the node's: this script does not touch them.

    python tests/protocol/make_golden.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ignitetasks import ids, message, wire
from ignitetasks.failure import Failure
from ignitetasks.serializers import Codecs

GOLDEN = Path(__file__).parent / "golden"

FRAMES: list[tuple[str, int, Any]] = [
    ("ping", 0, []),
    ("hello", 0, ["client", 4711, "0.1.0", "web-1"]),
    ("ok submit", 0, [2, [[1, 1, 3], [2, 2, 0]]]),
    ("poll", 0, [101, 7, 5000, 1000]),
    ("poll answer", 0, [8, False, [["a-1", 3, b"m\x05", 0], ["a-2", 8, None, 0]]]),
    ("watch", 0, [101, ["a-1", "a-2"]]),
    ("error busy", 1, ["BUSY", "too much to do", True]),
    ("error unknown session", 1, ["UNKNOWN_SESSION", "no such session", True]),
    ("numbers", 0, [0, 127, 128, 255, 65535, 65536, 2**31, 2**32, 2**63 - 1, -1, -32, -33, -(2**31), -(2**63)]),
    ("texts", 0, ["", "é", "日本", "\U0001f600", "x" * 40, b"", bytes(range(256))]),
]

TEXTS = [
    "default", "mail.high", "a", "q:1@x-y_z", "00000000-0000-4000-8000-00000000abcd",
    "00000000-0000-4000-8000-00000000ABCD",
    "00000000-0000-4000-8000-00000000abc", "my own id", "é", "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "ffffffff_ffff-ffff-ffff-ffffffffffff",
]  # fmt: skip

KEYS: list[tuple[str, str, Any]] = [
    ("default", "shop.pay", "order-1"),
    ("default", "shop.pay", 17),
    ("prod", "shop.pay", "order-1"),
    ("default", "shop.pay", ["order", 1]),
]


def frames() -> list[dict[str, Any]]:
    """Frames of requests and answers."""
    template = message.Template(
        "shop.add", "default", 5, 1_700_000_000_000, 1_700_000_060_000, 8, 3, 1000, 2000, 86_400_000,
        b"\x80", "r", "p", None, "00000000-0000-4000-8000-00000001abcd", 3,
    )  # fmt: skip
    item = ("00000000-0000-4000-8000-00000000abcd", b"m\x92\x92\x02\x03\x80", bytes(16))
    submit = ("submit", 0, [101, 0, [[list(template), [list(item)]]]])
    rows = []
    for name, status, value in [*FRAMES, submit]:
        payload = wire.pack(value)
        frame = wire.encode_frame(payload, status)
        rows.append({"name": name, "status": status, "payload": payload.hex(), "frame": frame.hex()})
    return rows


def broken_frames() -> list[dict[str, str]]:
    """Frames that must be refused, with the reason."""
    good = bytearray(wire.encode_frame(wire.pack(["x"])))

    def changed(place: int, value: int) -> str:
        copy = bytearray(good)
        copy[place] = value
        return copy.hex()

    return [
        {"reason": "empty", "frame": ""},
        {"reason": "short header", "frame": good[:11].hex()},
        {"reason": "magic", "frame": changed(0, 0x58)},
        {"reason": "version", "frame": changed(2, 9)},
        {"reason": "status", "frame": changed(3, 7)},
        {"reason": "length", "frame": changed(7, 99)},
        {"reason": "cut", "frame": good[:-1].hex()},
        {"reason": "too long", "frame": (good + b"\0").hex()},
        {"reason": "checksum", "frame": changed(len(good) - 1, 0x79)},
    ]


def id_vectors() -> dict[str, Any]:
    """Locators, partitions, key digests and fingerprints."""
    return {
        "locators": [{"id": text, "locator": ids.locator(text), "partition": ids.partition(text)} for text in TEXTS],
        "queues": [{"queue": text, "locator": ids.queue_locator(text)} for text in TEXTS[:4]],
        "keys": [
            {"namespace": space, "task": task, "key": key, "id": ids.id_from_key(space, task, _key(key))}
            for space, task, key in KEYS
        ],
        "fingerprints": [
            {"task": "shop.pay", "body": body.hex(), "fingerprint": ids.fingerprint("shop.pay", body).hex()}
            for body in (b"", b"m\x92\x90\x80", bytes(1000))
        ],
    }


def _key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def failures() -> list[dict[str, Any]]:
    """Failure bytes, as Python and the node write them."""
    made = [
        Failure("ValueError", "builtins", "no such row", ["no such row"], "Traceback ...\nValueError: no such row\n"),
        Failure("WorkerLostError", "ignitetasks.errors", "lost 3 times", None, ""),
        Failure("TaskRevokedError", "ignitetasks.errors", "revoked", None, ""),
        Failure("TaskExpiredError", "ignitetasks.errors", "expired", None, ""),
        Failure("NotRegistered", "ignitetasks.errors", "no worker knows 'x.y'", None, ""),
        Failure("TimeLimitExceeded", "ignitetasks.errors", "ran longer than 2 s", None, ""),
    ]
    return [
        {"type": one.type_name, "module": one.module, "message": one.message, "args": one.args,
         "traceback": one.traceback, "bytes": one.encode().hex()}
        for one in made
    ]  # fmt: skip


def bodies() -> list[dict[str, Any]]:
    """Encoded calls; opaque to the node."""
    codecs = Codecs(("msgpack", "json"))
    return [
        {"codec": codec, "args": args, "kwargs": kwargs,
         "bytes": message.encode_body(codecs, "t", args, kwargs, codec).hex()}
        for codec in ("msgpack", "json")
        for args, kwargs in (([], {}), ([2, 3], {}), (["é", None, True, 1.5], {"k": [1, {"x": "y"}]}))
    ]  # fmt: skip


def all_files() -> dict[str, Any]:
    """Returns the contents of every golden file."""
    return {
        "call_frames.json": {"good": frames(), "broken": broken_frames()},
        "ids.json": id_vectors(),
        "failures.json": failures(),
        "bodies.json": bodies(),
    }


if __name__ == "__main__":
    for name, content in all_files().items():
        (GOLDEN / name).write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n", "utf-8")
