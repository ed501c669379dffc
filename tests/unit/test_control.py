"""What operators ask, on a transport that answers from a table of canned answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ignitetasks import control, jvm
from ignitetasks.config import Settings
from ignitetasks.errors import NodeError, RequestError, ResultExpired, SerializationError, UnknownResult
from ignitetasks.failure import Failure
from ignitetasks.message import BlobRef, encode_result
from ignitetasks.serializers import Codecs
from ignitetasks.transport.base import Transport


class CannedTransport(Transport):
    """Answers `call` from functions by operation and remembers what was asked."""

    def __init__(self, **answers: Callable[..., Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self.blobs: dict[str, bytes] = {}

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        self.asked.append((op, args))
        return self.answers[op](*args)

    def get_blob(self, ref: BlobRef) -> bytes:
        return self.blobs[ref.id]

    def session(self, renew: int | None = None) -> Any:
        raise NotImplementedError

    submit = poll = watch = put_blob = session

    def reset(self) -> None:
        return

    def close(self) -> None:
        return


def record(**changes: Any) -> dict[str, Any]:
    return {
        "id": "a-1",
        "task": "shop.add",
        "queue": "celery",
        "state": 3,
        "result": None,
        "result_ref": False,
        **changes,
    }


def row(task_id: str, state: int = 3, **changes: Any) -> list[Any]:
    values = {
        **dict.fromkeys(name for name, _ in control.TASK_COLUMNS),
        "id": task_id,
        "task": "shop.add",
        "queue": "celery",
        "state": state,
        "priority": 0,
        "created_ms": 1_700_000_000_123,
        "eta_ms": 0,
        "started_ms": 0,
        "finished_ms": 0,
        "attempt": 0,
        "deliveries": 1,
        "run_us": 250,
    } | changes
    return list(values.values())


def scan(pages: Sequence[Sequence[list[Any]]]) -> Callable[[str | None, int], Any]:
    def answer(cursor: str | None, limit: int) -> Any:
        number = int(cursor or 0)
        return [str(number + 1) if number + 1 < len(pages) else None, pages[number]]

    return answer


def test_status_is_typed_and_ignores_what_it_does_not_know() -> None:
    answer = {
        "node": {"name": "n1", "role": "embedded", "heap_used": 5, "new_fact": 1, "data_dir": "/d"},
        "queues": [{"name": "celery", "pending": 3, "workers": 0}],
        "workers": [{"name": "w", "queues": ["celery"], "tasks": 4}],
        "states": {"RUNNING": 1, "SUCCESS": 7, "PENDING": 3},
    }
    status = control.status(CannedTransport(status=lambda: answer))
    assert (status.node.name, status.node.heap_used, status.node.data_dir) == ("n1", 5, "/d")
    assert status.queues[0].pending == 3
    assert status.workers[0].tasks == 4
    assert list(status.states) == ["PENDING", "SUCCESS", "RUNNING"]


def test_purge_and_dead_letters_pass_their_arguments() -> None:
    removed = iter([10_000, 3, 0, 3, 0])  # the node takes a bounded number a call
    transport = CannedTransport(
        purge=lambda queue: next(removed),
        dead_retry=lambda ids: 1,
        dead_drop=lambda ids: 2,
        dead_list=lambda limit: [record(state=6, deliveries=3)],
    )
    assert control.purge(transport) == 10_003
    assert control.purge(transport, "mail") == 3
    assert control.dead_retry(transport, ["x"]) == 1
    assert control.dead_drop(transport, None) == 2
    letters = control.dead_list(transport, 7)
    assert (letters[0].state, letters[0].facts["deliveries"]) == ("DEAD", 3)
    assert transport.asked == [
        ("purge", (None,)),
        ("purge", (None,)),
        ("purge", (None,)),
        ("purge", ("mail",)),
        ("purge", ("mail",)),
        ("dead_retry", (["x"],)),
        ("dead_drop", (None,)),
        ("dead_list", (7,)),
    ]


def test_unknown_and_expired_ids_are_told_apart() -> None:
    with pytest.raises(UnknownResult, match="no task has the id"):
        control.info(CannedTransport(info=lambda ids: [None]), "x")
    with pytest.raises(ResultExpired, match="has expired"):
        control.info(CannedTransport(info=lambda ids: ["expired"]), "x")


def test_results_and_failures_are_decoded(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    transport = CannedTransport()
    encoded = encode_result(Codecs(), "a-1", {"n": 5})

    def outcome(**changes: Any) -> control.Outcome:
        found = control.info(CannedTransport(info=lambda ids: [record(**changes)]), "a-1")
        return control.outcome(transport, settings, found)

    assert outcome(result=encoded).value == {"n": 5}
    transport.blobs["a-1/r1"] = encoded
    assert outcome(result=BlobRef("a-1/r1", len(encoded), 0).pack(), result_ref=True).value == {"n": 5}
    assert outcome(state=0) == control.Outcome()
    failure = outcome(state=4, result=Failure.capture(ValueError("no"))).failure
    assert failure is not None
    assert (failure.type_name, failure.message) == ("ValueError", "no")
    with pytest.raises(SerializationError, match="pickle"):
        outcome(result=b"p...")


def test_sql_reads_all_pages() -> None:
    transport = CannedTransport(scan=scan([[row("a"), row("b", 4)], [], [row("c", 4, error_type="ValueError")]]))
    table = control.sql(transport, "select state, count(*) as n from tasks group by state order by state")
    assert list(table.columns) == ["state", "n"]
    assert list(table.rows) == [("FAILURE", 2), ("SUCCESS", 1)]


def test_sql_shows_times_as_text_and_none_as_null() -> None:
    table = control.sql(CannedTransport(scan=scan([[row("a")]])), "select created, eta, finished from TASKS")
    assert list(table.rows) == [("2023-11-14T22:13:20.123Z", None, None)]


@pytest.mark.parametrize(
    "statement",
    [
        "delete from tasks",
        "update tasks set state = 'SUCCESS'",
        "drop table tasks",
        "create table x (a)",
        "pragma journal_mode",
        "attach database '/tmp/x' as x",
        "select 1; delete from tasks",
        "begin",
    ],
)
def test_sql_only_reads(statement: str) -> None:
    transport = CannedTransport(scan=scan([[row("a")]]))
    with pytest.raises(RequestError):
        control.sql(transport, statement)
    assert transport.asked == []


def test_sql_writes_no_file(tmp_path: Path) -> None:
    with pytest.raises(RequestError):
        control.sql(CannedTransport(scan=scan([[row("a")]])), f"vacuum into '{tmp_path}/copy'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("statement", ["", "selec 1", "select nothing from tasks", "select * from other", "--", "\0"])
def test_a_wrong_statement_fetches_nothing(statement: str) -> None:
    transport = CannedTransport(scan=scan([[row("a")]]))
    with pytest.raises(RequestError, match="statement"):
        control.sql(transport, statement)
    assert transport.asked == []


def test_looking_does_not_start_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jvm, "ensure_running", lambda settings: pytest.fail("started a node"))
    with pytest.raises(NodeError, match=r"no node is running for .*ignitetasks node start") as caught:
        control.status(control.connect(Settings(data_dir=tmp_path / "x"), start=False))
    assert caught.value.code == "NOT_RUNNING"
    assert not (tmp_path / "x").exists()
