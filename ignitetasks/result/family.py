"""What came before a task, and what it led to. This file must not wait for a task's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ignitetasks import envelope, states
from ignitetasks.errors import ChordError
from ignitetasks.message import CONTINUES, IGNORE_RESULT, decode_result

#: A handle looks at no more of those before it than this.
_MOST = 1000
_FAILED = frozenset({states.FAILURE_CODE, states.REVOKED_CODE, states.DEAD_CODE, states.REJECTED_CODE})


def ancestors(handle: Any) -> Iterator[Any]:
    """Yields the handles before a handle, nearest first."""
    node = handle.parent
    while node is not None:
        yield node
        node = node.parent


def failed_ancestor(handle: Any) -> BaseException | None:
    """Returns the exception of the first task before a handle that failed; asks the node once a level."""
    singles: list[Any] = []
    for node in ancestors(handle):
        singles += node._leaves() if hasattr(node, "_leaves") else [node]
        if len(singles) >= _MOST:
            break
    singles = [one for one in singles[:_MOST] if hasattr(one, "_completion")]
    if not singles:
        return None
    records = handle.app.client.transport.call("info", [one.id for one in singles])
    found: BaseException | None = None
    for one, record in zip(singles, records, strict=True):
        if isinstance(record, dict) and record["state"] in _FAILED:
            error = one.get(timeout=5.0, propagate=False, follow_parents=False, disable_sync_subtasks=False)
            if isinstance(error, ChordError):
                error = failed_ancestor(one)  # a chord that is a member: its own header has failed
            if isinstance(error, BaseException):
                found = error  # the furthest one is where it began
    return found


def children_of(handle: Any, make: Callable[..., Any]) -> list[Any]:
    """Returns the handles of what a task led to: what comes after it in its workflow, and the tasks it sent.

    Args:
        handle: The task's handle.
        make: Makes a handle of an id.
    """
    found = list(handle.led_to)
    client = handle.source.client
    following = envelope.following(handle.id)
    asked = [envelope.trail_of(handle.id), handle.id, following or handle.id]
    trail, record, step = client.transport.call("info", asked)
    if isinstance(trail, dict) and trail.get("result") is not None:
        known = _ids(found)
        kin = envelope.unpack_kin(decode_result(client.codecs, str(trail["id"]), trail["result"]))
        groups = [one for one in kin if not isinstance(one, str) and known.isdisjoint(one[1])]
        found += [_group(handle, make, group_id, ids) for group_id, ids in groups]
        found += [make(one, handle.source) for one in kin if isinstance(one, str) and one not in known]
    # The steps of a chain have ids that are counted on; nothing else says on record what comes after one.
    if _is_step(record, step) and following not in _ids(found):
        found.append(make(following, handle.source))
    return found


def _group(handle: Any, make: Callable[..., Any], group_id: str, ids: list[str]) -> Any:
    members = [make(one, handle.source) for one in ids]
    return handle.source.GroupResult(group_id, members, parent=handle, app=handle.source)


def _is_step(record: Any, step: Any) -> bool:
    """Tells whether one record is of the step behind that of another one, which keeps its children."""
    if not (isinstance(record, dict) and isinstance(step, dict)):
        return False
    flags = int(record.get("flags") or 0)
    follows = step.get("parent_id") == record["id"] and not step.get("group_id")
    return follows and bool(flags & CONTINUES) and not flags & IGNORE_RESULT


def _ids(handles: list[Any]) -> set[str]:
    return {one.id for several in handles for one in (several._leaves() if hasattr(several, "_leaves") else [several])}
