"""The remote control commands that the cluster answers and not a worker: revokes, and what the ledger knows.

Each answers in the name of the workers that were meant, so that callers see the shape they know. This file must not
send anything to workers but questions.
"""

from __future__ import annotations

import os
import re
import signal as signals
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ignitetasks import rates, stamps, states
from ignitetasks.app import ledger
from ignitetasks.client import Client
from ignitetasks.errors import RequestError
from ignitetasks.serializers import PLAIN

Replies = list[dict[str, Any]]
Given = Mapping[str, Any]
Names = Sequence[str] | None

#: Most tasks that `scheduled` and `revoked` tell of.
SCHEDULED_LIMIT = 1_000
REVOKED_LIMIT = 50_000
#: Seconds added to the caller's time: the node answers when it is over, the call must outlast that.
_GRACE_SECONDS = 10.0
#: Length of the number of a call.
_CALL_BYTES = 16

#: How a rate is written.
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/([smh]))?")
#: So many answers are never there.
_ALL = 10_000


class ControlApp(Protocol):
    """What remote control needs of an application."""

    @property
    def client(self) -> Client:
        """The way to the node, and the encodings."""

    @property
    def control(self) -> Any:
        """Its remote control."""


def ask(client: Client, command: str, given: Given, names: Names, timeout: float, limit: int | None = None) -> Replies:
    """Sends a command to workers.

    Args:
        client: The way to the node.
        command: Its name.
        given: Its keyword arguments.
        names: Workers it is for; None means all.
        timeout: Longest wait in seconds; 0 for no answer.
        limit: Most answers to wait for.
    """
    # Whatever is repeated after a cut has the same number, by which each worker knows what it has run already.
    body = PLAIN.encode([os.urandom(_CALL_BYTES), dict(given)], root=command)
    chosen = None if names is None else list(names)
    answers = client.transport.call(
        "control", command, body, chosen, round(timeout * 1000), limit or _ALL, timeout=timeout + _GRACE_SECONDS
    )
    # A worker that takes no remote control answers nothing, so that nobody waits for it.
    return [{name: PLAIN.decode(answer, what=f"the answer of {name}")} for name, answer in answers or () if answer]


def workers(client: Client) -> dict[str, Sequence[str]]:
    """Returns the queues of the workers that live, by their names."""
    status = client.transport.call("status")
    return {one["name"]: one.get("queues", ()) for one in status.get("workers", ())}


def _chosen(client: Client, names: Names) -> dict[str, Sequence[str]]:
    if names is not None and not names:
        return {}
    return {name: queues for name, queues in workers(client).items() if names is None or name in names}


def _all(client: Client, names: Names, answer: Any) -> Replies:
    return [{name: answer} for name in _chosen(client, names)]


def _revoke(client: Client, given: Given, names: Names) -> Replies:
    ids = [str(one) for one in stamps.several(given.get("task_id"))]
    terminate = bool(given.get("terminate"))
    known = _revoke_ids(client, ids, terminate, given.get("signal"))
    if not terminate:
        return _all(client, names, {"ok": f"tasks {', '.join(ids)} flagged as revoked"})
    return _all(client, names, {"ok": f"terminate: {', '.join(known) or 'tasks unknown'}"})


def _revoke_ids(client: Client, ids: list[str], terminate: bool, signal: Any) -> list[str]:
    """Revokes; returns the ids the cluster has heard of."""
    name = signal_name(signal)
    if not ids:
        return []
    codes = client.transport.call("revoke", ids, terminate, name)
    return [one for one, code in zip(ids, codes, strict=True) if code >= 0]


def _terminate(client: Client, given: Given, names: Names) -> Replies:
    return _revoke(client, {**given, "terminate": True}, names)


def _revoke_by_stamps(client: Client, given: Given, names: Names) -> Replies:
    headers = given["headers"]
    if not isinstance(headers, Mapping):
        headers = dict(one.split("=", 1) for one in headers)
    terminate = bool(given.get("terminate"))
    # First for those to come: a task that is sent meanwhile is met by one of the two.
    stamps.revoke(client.transport, headers)
    wanted = {name: stamps.several(values) for name, values in headers.items()}
    ids = ledger.stamped(client.transport, client.codecs, wanted)
    _revoke_ids(client, ids, terminate, given.get("signal"))
    if not terminate:
        return _all(client, names, {"ok": f"headers {dict(headers)} flagged as revoked, but not terminated"})
    said = "revoked" if ids else "were not terminated"
    return _all(client, names, {"ok": f"headers {dict(headers)} {said}"})


def _forget_stamps(client: Client, given: Given, names: Names) -> Replies:
    stamps.forget(client.transport, given.get("headers"))
    return _all(client, names, {"ok": "revokes by stamp taken back"})


def _scheduled(client: Client, _given: Given, names: Names) -> Replies:
    chosen = _chosen(client, names)
    queues = {queue for listened in chosen.values() for queue in listened}
    found = ledger.scheduled(client.transport, client.codecs, queues, SCHEDULED_LIMIT) if queues else []

    def of(name: str, listened: Sequence[str]) -> list[dict[str, Any]]:
        mine = [one for one in found if one["request"]["delivery_info"]["routing_key"] in listened]
        return [{**one, "request": _told_by(name, one["request"])} for one in mine]

    return [{name: of(name, listened)} for name, listened in chosen.items()]


def _told_by(name: str, request: dict[str, Any]) -> dict[str, Any]:
    """Returns what is told of a task that no worker has, in the name of one that may get it."""
    return {**request, "hostname": request["hostname"] or name}


def _revoked(client: Client, _given: Given, names: Names) -> Replies:
    return _all(client, names, ledger.revoked(client.transport, REVOKED_LIMIT))


def _rate_limit(client: Client, given: Given, names: Names) -> Replies:
    rate, task = given.get("rate_limit"), given.get("task_name")
    if not task:
        raise RequestError("rate_limit needs the name of a task")
    found = _RATE.fullmatch("0" if rate in (None, "") else str(rate).strip())
    if found is None:
        wrong = f"Invalid rate limit string: {rate!r} is not such as 10/s, 5/m or 1/h"
        answers = _all(client, names, {"error": wrong})
        if not answers:
            raise RequestError(wrong)
        return answers
    rates.set_rate(client.transport, str(task), found[0])
    what = "new rate limit set" if float(found[1]) else "rate limit disabled"
    return _all(client, names, {"ok": f"{what} successfully"})


def _query_task(client: Client, given: Given, names: Names) -> Replies:
    ids = [str(one) for one in stamps.several(given.get("ids"))]
    answers = {
        name: dict(answer)
        for reply in ask(client, "query_task", {"ids": ids}, names, 1.0)
        for name, answer in reply.items()
        if "error" not in answer
    }
    held = {task_id for answer in answers.values() for task_id in answer}
    chosen = _chosen(client, names)
    for record in ledger.infos(client.transport, [one for one in ids if one not in held]):
        if record["state"] >= states.FIRST_TERMINAL_CODE:
            continue
        state = "scheduled" if record.get("eta_ms") else "ready"
        for name, listened in chosen.items():
            if record["queue"] in listened:
                request = _told_by(name, ledger.task_info(record, client.codecs))
                answers.setdefault(name, {})[record["id"]] = [state, request]
    return [{name: answer} for name, answer in answers.items()]


#: Commands that do not go to workers, and what runs them.
COMMANDS: Mapping[str, Callable[[Client, Given, Names], Replies]] = {
    "revoke": _revoke,
    "terminate": _terminate,
    "revoke_by_stamped_headers": _revoke_by_stamps,
    "forget_revoked_stamps": _forget_stamps,
    "scheduled": _scheduled,
    "dump_schedule": _scheduled,
    "revoked": _revoked,
    "dump_revoked": _revoked,
    "query_task": _query_task,
    "rate_limit": _rate_limit,
}


def signal_name(signal: Any) -> str:
    """Returns a signal's name, given in any of the forms users write it.

    Raises:
        RequestError: There is no such signal.
    """
    if signal is None:
        return "SIGTERM"
    try:
        if isinstance(signal, int):
            return signals.Signals(signal).name
        name = str(signal).upper()
        return signals.Signals[name if name.startswith("SIG") else f"SIG{name}"].name
    except (KeyError, ValueError):
        raise RequestError(f"there is no signal {signal!r}; give a name such as 'SIGTERM' or 'KILL'") from None
