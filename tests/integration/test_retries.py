"""Tasks that ask to run again, refuse, or end without a result; each execution is counted by the task itself."""

from __future__ import annotations

import pytest
import suite_tasks as suite
from support import until

from ignitetasks import AsyncResult, MaxRetriesExceededError
from ignitetasks.errors import TaskRejectedError

pytestmark = pytest.mark.usefixtures("worker")
PATIENCE = 60


def test_retry_runs_again_until_it_works(log, label, node):
    result = suite.flaky.delay(label, 2)
    assert result.get(timeout=PATIENCE) == 2
    assert log.lines(label) == [f"{label} {number}" for number in range(3)]
    assert node.record(result.id)["attempt"] == 2


def test_retries_end_with_the_cause(log, label):
    result = suite.flaky.delay(label, 99)
    with pytest.raises(suite.ShopError, match="not yet"):
        result.get(timeout=PATIENCE)
    assert log.count(label) == 4
    assert result.state == "FAILURE"


def test_retries_without_a_cause_end_with_max_retries_exceeded(log, label):
    result = suite.gives_up.delay(label)
    with pytest.raises(MaxRetriesExceededError, match=r"gives_up\[.*has used its 1 retries"):
        result.get(timeout=PATIENCE)
    assert log.count(label) == 2


def test_a_retry_can_change_the_arguments(log, label):
    assert suite.grows.delay(label, 0).get(timeout=PATIENCE) == 3
    assert log.lines(label) == [f"{label} {number}" for number in range(4)]


def test_a_retry_can_change_the_queue(workers, queue):
    workers(queues=[queue], pool="solo")
    assert suite.moves.delay(queue).get(timeout=PATIENCE) == queue


def test_the_state_between_two_runs_is_retry(app, node, log, label):
    sent = app.send_task("suite_tasks.waits_long", (label,))
    until(lambda: sent.state == "RETRY", "the state RETRY")
    assert not sent.ready()
    assert isinstance(sent.result, Exception)
    assert "tomorrow" in sent.traceback
    assert node.record(sent.id)["eta_ms"] > 0
    sent.revoke()
    assert sent.state == "REVOKED"
    assert log.count(label) == 1


def test_a_task_called_directly_cannot_retry(log, label):
    with pytest.raises(suite.ShopError):
        suite.flaky(label, 2)
    assert log.count(label) == 1


@pytest.mark.parametrize(
    ("kind", "failures", "executions", "error"),
    [
        ("reset", 2, 3, None),
        ("reset", 99, 4, ConnectionResetError),
        ("abort", 99, 1, ConnectionAbortedError),
        ("value", 99, 1, ValueError),
    ],
    ids=["works in the end", "has enough", "excluded class", "other class"],
)
def test_autoretry_with_backoff(log, label, kind, failures, executions, error):
    result = suite.auto.delay(label, kind, failures)
    if error is None:
        assert result.get(timeout=PATIENCE) == failures
    else:
        with pytest.raises(error, match="again"):
            result.get(timeout=PATIENCE)
    assert log.lines(label) == [f"{label} {number}" for number in range(executions)]


def test_many_retrying_tasks_run_as_often_as_they_should(log, label):
    sent = suite.flaky.bulk([(f"{label}.{number}", number % 4) for number in range(100)])
    assert sent.get(timeout=PATIENCE) == [number % 4 for number in range(100)]
    assert [log.count(f"{label}.{number}") for number in range(100)] == [number % 4 + 1 for number in range(100)]


def test_reject_ends_as_rejected(log, label):
    result = suite.rejects.delay(label, False)
    with pytest.raises(TaskRejectedError, match="not for me"):
        result.get(timeout=PATIENCE)
    assert (result.state, log.count(label)) == ("REJECTED", 1)


def test_reject_with_requeue_is_delivered_again(log, label):
    assert suite.rejects.delay(label, True).get(timeout=PATIENCE) == "taken the second time"
    assert log.count(label) == 2


def test_ignore_ends_without_a_result(app, log, label):
    result = suite.ignores.delay(label)
    assert result.get(timeout=PATIENCE) is None
    assert (result.state, log.count(label)) == ("IGNORED", 1)
    assert AsyncResult(result.id, app=app).get(timeout=PATIENCE) is None
