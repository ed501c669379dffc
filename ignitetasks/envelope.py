"""What a task carries of its canvas: the map under ``"c"`` of its options, and the names of tasks derived from others.

The node never looks inside. Keys: ``r`` packed steps that follow, or ``t`` the blob that has them and how many of them
are past; ``l`` links, ``e`` errbacks; ``j`` the tasks it waits for; ``J`` the task that waits for the end of its flow;
``i`` 1 where it takes no result; ``n`` replacements so far; ``S`` stamps; ``x`` its place in its group, or a list of
the number (see `number_of`) that the first member would have; ``b`` the blob has an owner elsewhere.
This file must not know signatures or send anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import wire
from ignitetasks.errors import Ignore
from ignitetasks.ids import locator
from ignitetasks.message import decode_extra, with_canvas
from ignitetasks.serializers import Codecs, Data

_CONTEXT = "canvas"


class Replaced(Ignore):
    """Raised by ``self.replace`` to tell the worker that another canvas takes the task's place.

    Args:
        sig: The canvas.
    """

    def __init__(self, sig: Any = None) -> None:
        super().__init__("replaced by another task")
        self.sig = sig


def attach(codecs: Codecs, options: bytes | None, canvas: Mapping[str, Any], serializer: str = "msgpack") -> bytes:
    """Returns the options bytes of a task with what it carries of its canvas.

    Args:
        codecs: The process's encodings.
        options: The task's options without it.
        canvas: The map described above, without those keys that are empty.
        serializer: Encoding of what the map holds of the user's.
    """
    return with_canvas(options, codecs.encode(dict(canvas), serializer, _CONTEXT, "the canvas"))


def decode(codecs: Codecs, options: Data | None) -> dict[str, Any]:
    """Returns the canvas map of a task's options; empty where it has none."""
    if not options:
        return {}
    part = decode_extra(options)
    found: dict[str, Any] = codecs.decode(part, _CONTEXT, "the canvas") if part else {}
    return found


def pack_step(codecs: Codecs, step: Sequence[Any], serializer: str = "msgpack") -> bytes:
    """Encodes one step of a flow (see ``canvas.flow``)."""
    return codecs.encode(step, serializer, _CONTEXT, "the canvas")


def unpack_step(codecs: Codecs, data: Data) -> list[Any]:
    """Decodes one step of a flow."""
    step: list[Any] = codecs.decode(data, _CONTEXT, "the canvas")
    return step


def derived(task_id: str, purpose: str) -> str:
    """Returns the id of a task that belongs to another one; always the same, and kept by the same home."""
    digest = hashlib.blake2b(f"{task_id}\0{purpose}".encode("utf-8", "surrogatepass"), digest_size=14).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:28]}{locator(task_id):04x}"


def trail_of(task_id: str) -> str:
    """Returns the id under which the tasks sent by a task are noted."""
    return derived(task_id, "trail")


def pack_ids(ids: Sequence[str]) -> list[Any]:
    """Shortens a list of ids: those counted on from one another become the first one and how many they are."""
    packed: list[Any] = []
    run: list[Any] = []
    expected = ""
    for task_id in ids:
        if run and task_id == expected:
            run[1] += 1
        else:
            run = [task_id, 1]
            packed.append(run)
        expected = following(task_id)
    return packed


def pack_group(group_id: str, ids: Sequence[str]) -> list[Any]:
    """Shortens a group's id and those of its members to one entry behind what `pack_ids` made."""
    return [group_id, pack_ids(ids)]


def unpack_kin(packed: Sequence[Any]) -> list[str | tuple[str, list[str]]]:
    """Reads what a task has led to: ids of tasks, and groups as pairs of an id and those of their members."""
    kin: list[str | tuple[str, list[str]]] = []
    for one in packed:
        kin += [(one[0], unpack_ids(one[1]))] if isinstance(one[1], (list, tuple)) else unpack_ids([one])
    return kin


def unpack_ids(packed: Sequence[Any]) -> list[str]:
    """Reads what `pack_ids` made."""
    ids: list[str] = []
    for first, count in packed:
        if count == 1:
            ids.append(first)
            continue
        start = int(first[24:32], 16)
        shape = first[:24] + "%08x" + first[32:]
        ids += [shape % number for number in range(start, start + count)]
    return ids


def number_of(task_id: str) -> int:
    """Returns the part of an id that is counted on; any number for an id that was chosen otherwise."""
    try:
        return int(task_id[24:32], 16)
    except ValueError:
        return 0


def index_of(task_id: str, canvas: Mapping[str, Any]) -> int | None:
    """Returns the place of a task in its group, or None."""
    place = canvas.get("x")
    return number_of(task_id) - place[0] if isinstance(place, (list, tuple)) else place


def following(task_id: str) -> str:
    """Returns the id that comes after another one when they are counted on; none for one that was chosen otherwise."""
    if len(task_id) != 36:
        return ""
    try:
        return f"{task_id[:24]}{int(task_id[24:32], 16) + 1:08x}{task_id[32:]}"
    except ValueError:
        return ""


def pack_tail(steps: Sequence[bytes]) -> bytes:
    """Encodes the steps of a long flow as one value."""
    return wire.pack(list(steps))


def unpack_tail(data: Data) -> list[bytes]:
    """Reads what `pack_tail` made."""
    steps: list[bytes] = wire.unpack(bytes(data))
    return steps
