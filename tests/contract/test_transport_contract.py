"""What every home promises: the same tests for the one in memory and for a real node."""

from __future__ import annotations

import time

import pytest

from ignitetasks import errors, frames, states
from ignitetasks.control import status
from ignitetasks.message import CHECK_EXISTS, CONFLICT, EARLY_ACK, EXISTS, IGNORE_RESULT, TRACK_STARTED, Group

MARK, OTHER = b"m" * 16, b"o" * 16


def later(seconds: float) -> int:
    return int((time.time() + seconds) * 1000)


def test_a_submitted_task_is_delivered_and_its_result_told(bench):
    (task_id,) = bench.submit(priority=3, group_id="g", root_id="r", parent_id="p")
    puppet = bench.puppet()
    delivery = puppet.take()
    assert delivery[1] == task_id
    assert (delivery[3], bytes(delivery[4]), delivery[11], delivery[12]) == ("work", b"body", bench.queue, 3)
    assert delivery[15:18] == ["r", "p", "g"]
    puppet.end(delivery, value=42)
    assert bench.value(task_id) == 42
    info = bench.info(task_id)
    assert (info["state"], info["worker"], info["attempt"]) == (states.SUCCESS_CODE, puppet.name, 0)


def test_a_worker_is_credited_with_what_it_has_ended(bench):
    retried, failed, ignored, rejected = bench.submit(*(bench.new_id() for _ in range(4)))
    puppet = bench.puppet()
    again = [0, None, None, -1, "ValueError", -1, 0]
    puppet.end(puppet.take(), frames.RETRY, error=ValueError("again"), extra=again)
    puppet.end(puppet.take(), frames.FAILURE, error=ValueError("no"))
    puppet.end(puppet.take(), frames.IGNORE)
    puppet.end(puppet.take(), frames.REJECT, error=ValueError("no"), extra=False)
    puppet.run()
    bench.wait(retried, failed, ignored, rejected)
    worker = next(one for one in status(bench.transport).workers if one.name == puppet.name)
    assert (worker.done, worker.failed, worker.lost) == (4, 1, 0)


def test_the_session_that_submitted_is_told_by_poll(bench):
    transport = bench.transport
    session = transport.session()
    (task_id,) = bench.submit()
    bench.puppet().run(value=1)
    ack, found = 0, []
    deadline = time.monotonic() + 20
    while task_id not in found and time.monotonic() < deadline:
        answer = transport.poll(session.number, ack, 1.0, 100)
        ack = answer.seq
        found += [one.id for one in answer.completions]
    assert task_id in found


def test_an_id_is_one_task(bench):
    task_id = bench.new_id()
    template = bench.template(flags=CHECK_EXISTS)
    first = bench.transport.submit([Group(template, [(task_id, b"body", MARK)])])
    same = bench.transport.submit([Group(template, [(task_id, b"body", MARK)])])
    other = bench.transport.submit([Group(template, [(task_id, b"else", OTHER)])])
    assert (first.created, list(first.exceptions)) == (1, [])
    assert [tuple(one) for one in same.exceptions] == [(0, EXISTS, 0)]
    assert [tuple(one) for one in other.exceptions] == [(0, CONFLICT, 0)]


def test_a_repeated_submit_makes_no_second_task(bench):
    task_id = bench.new_id()
    groups = [Group(bench.template(), [(task_id, b"body", None)])]
    bench.transport.submit(groups)
    bench.transport.submit(groups, attempt=1)
    puppet = bench.puppet(slots=2)
    puppet.run()
    assert puppet.take(0.3) is None


def test_unknown_and_known_ids_are_told_apart(bench):
    (task_id,) = bench.submit()
    session = bench.transport.session().number
    answer = bench.transport.watch(session, [task_id, bench.new_id()])
    assert (len(answer.completions), len(answer.unknown)) == (0, 1)
    assert bench.info(bench.new_id()) is None


def test_priority_first_then_arrival(bench):
    low = bench.submit(bench.new_id(), bench.new_id(), priority=1)
    high = bench.submit(bench.new_id(), bench.new_id(), priority=9)
    puppet = bench.puppet()
    assert [puppet.run() for _ in range(4)] == [*high, *low]


def test_an_eta_is_waited_for(bench):
    puppet = bench.puppet()
    due = later(0.4)
    (task_id,) = bench.submit(eta_ms=due)
    assert puppet.run() == task_id
    assert time.time() * 1000 >= due


def test_what_has_expired_is_not_run(bench):
    (task_id,) = bench.submit(expires_ms=later(0.05))
    assert isinstance(bench.value(task_id), errors.TaskExpiredError)
    assert bench.puppet().take(0.2) is None


def test_a_failure_brings_its_exception(bench):
    (task_id,) = bench.submit()
    puppet = bench.puppet()
    puppet.end(puppet.take(), frames.FAILURE, error=ValueError("as asked"))
    error = bench.value(task_id)
    assert isinstance(error, ValueError)
    assert bench.info(task_id)["error_type"] == "ValueError"


def test_a_retry_comes_back_with_what_it_asked_for(bench):
    (task_id,) = bench.submit()
    puppet = bench.puppet()
    puppet.end(
        puppet.take(), frames.RETRY, error=ValueError("not yet"),
        extra=[later(0.1), b"new body", None, 7, "ValueError", -1, 0],
    )  # fmt: skip
    again = puppet.take()
    assert (again[1], bytes(again[4]), again[7], again[12]) == (task_id, b"new body", 1, 7)
    puppet.end(again, value="done")
    assert bench.value(task_id) == "done"


def test_reject_ignore_and_give_back(bench):
    rejected, ignored, back = bench.submit(bench.new_id(), bench.new_id(), bench.new_id())
    puppet = bench.puppet()
    puppet.end(puppet.take(), frames.REJECT, error=ValueError("no"), extra=False)
    puppet.end(puppet.take(), frames.IGNORE)
    puppet.end(puppet.take(), frames.GIVE_BACK, extra="drain")
    assert puppet.run(value=1) == back
    assert [one.state for one in bench.wait(rejected, ignored, back)] == [
        states.REJECTED_CODE,
        states.IGNORED_CODE,
        states.SUCCESS_CODE,
    ]


def test_no_result_is_kept_where_none_is_wanted(bench):
    (task_id,) = bench.submit(flags=IGNORE_RESULT)
    bench.puppet().run(value="large")
    assert bench.wait(task_id)[0].payload is None


def test_started_is_seen_where_it_is_tracked(bench):
    (task_id,) = bench.submit(flags=TRACK_STARTED)
    puppet = bench.puppet()
    delivery = puppet.take()
    puppet.child.send(frames.DONE, [[delivery[0], frames.STARTED, None, 0, 0, [1], None]])
    deadline = time.monotonic() + 20
    while bench.info(task_id)["state"] != states.CODES["STARTED"]:
        assert time.monotonic() < deadline
    puppet.end(delivery, value=1)
    assert bench.value(task_id) == 1


def test_revoke_before_and_while_it_runs(bench):
    waiting, running = bench.submit(bench.new_id()), bench.submit(bench.new_id(), priority=9)
    puppet = bench.puppet()
    delivery = puppet.take()
    assert delivery[1] == running[0]
    assert bench.transport.call("revoke", waiting, False, "SIGTERM") == [states.REVOKED_CODE]
    assert bench.transport.call("revoke", [bench.new_id()], False, "SIGTERM") == [-1]
    assert isinstance(bench.value(waiting[0]), errors.TaskRevokedError)
    assert bench.transport.call("revoke", running, True, "SIGTERM") == [states.REVOKED_CODE]
    kind, order = puppet.worker.recv_msg()
    assert (kind, order[2], order[3]) == (frames.KILL, delivery[0], "SIGTERM")
    # What it says in the end comes too late.
    puppet.end(delivery, value="late")
    assert isinstance(bench.value(running[0]), errors.TaskRevokedError)


def test_a_dead_child_costs_a_delivery_and_the_limit_ends_it(bench):
    (task_id,) = bench.submit(max_deliveries=2)
    puppet = bench.puppet()
    for number in (0, 1):
        delivery = puppet.take()
        assert delivery[8] == number
        puppet.child.close()
        puppet.worker.send(frames.CHILD_DIED, [0, puppet.pid, "exit", delivery[0], "exit code 1"])
        if number == 0:
            puppet.pid += 1
            puppet.child = puppet.make_child()
    assert isinstance(bench.value(task_id), errors.WorkerLostError)
    assert task_id in [letter["id"] for letter in bench.transport.call("dead_list", 1000)]
    assert bench.transport.call("dead_retry", [task_id]) == 1
    puppet.pid += 1
    puppet.child = puppet.make_child()
    assert puppet.run(value="alive") == task_id
    assert bench.value(task_id) == "alive"


def test_what_a_lost_worker_held_goes_to_another(bench):
    (task_id,) = bench.submit()
    first = bench.puppet()
    assert first.take()[1] == task_id
    first.worker.close()
    first.child.close()
    second = bench.puppet()
    delivery = second.take()
    assert (delivery[1], delivery[8]) == (task_id, 1)
    second.end(delivery, value=1)
    assert bench.value(task_id) == 1


def test_early_acknowledged_tasks_run_at_most_once(bench):
    (task_id,) = bench.submit(flags=EARLY_ACK)
    puppet = bench.puppet()
    delivery = puppet.take()
    puppet.child.close()
    puppet.worker.send(frames.CHILD_DIED, [0, puppet.pid, "exit", delivery[0], "exit code 1"])
    assert isinstance(bench.value(task_id), errors.WorkerLostError)


def test_forget_and_purge(bench):
    (done,) = bench.submit()
    bench.puppet().run(value=1)
    bench.wait(done)
    assert bench.transport.call("forget", [done]) == 1
    assert bench.info(done) is None


def test_purge_revokes_what_waits(bench):
    waiting = bench.submit(bench.new_id(), bench.new_id())
    assert bench.transport.call("purge", bench.queue) == 2
    assert {one.state for one in bench.wait(*waiting)} == {states.REVOKED_CODE}


def test_a_draining_worker_is_told_when_nothing_is_left(bench):
    bench.submit()
    puppet = bench.puppet()
    delivery = puppet.take()
    puppet.worker.send(frames.DRAIN, {})
    assert puppet.child.recv()[0] == frames.STOP
    puppet.end(delivery, value=1)
    assert puppet.worker.recv()[0] == frames.DRAINED
    assert bench.transport.call("listening", [bench.queue]) == {bench.queue: 1}


def test_large_values_beside_the_tasks(bench):
    ref = bench.transport.put_blob(f"{bench.new_id()}/a", b"z" * 2_000_000, 60_000)
    assert bytes(bench.transport.get_blob(ref)) == b"z" * 2_000_000


def test_settings_are_compared_and_set(bench):
    call, bucket = bench.transport.call, f"b{bench.queue}"
    assert call("kv_get", bucket, "k") is None
    done, version = call("kv_put", bucket, "k", b"one", 0, 0, None)
    assert done
    assert call("kv_put", bucket, "k", b"two", 0, 0, None) == [False, version]
    done, newer = call("kv_put", bucket, "k", b"two", version, 0, b"token")
    assert done
    assert newer > version
    assert call("kv_put", bucket, "k", b"two", version, 0, b"token") == [True, newer]
    assert call("kv_get", bucket, "k") == [newer, b"two"]
    call("kv_put", bucket, "a", b"first", -1, 0, None)
    assert [row[0] for row in call("kv_list", bucket, "", None, 10)] == ["a", "k"]
    assert [row[0] for row in call("kv_list", bucket, "", "a", 10)] == ["k"]
    assert call("kv_put", bucket, "k", None, newer, 0, None)[0]
    assert call("kv_get", bucket, "k") is None


def test_events_are_read_from_a_cursor(bench):
    call = bench.transport.call
    now = call("events_read", -1, 10, 0)[0]
    assert call("events_append", [b"one", b"two"], False) == 2
    assert call("events_append", [b"one", b"two"], True) == 2
    assert call("events_read", now, 10, 0) == [now + 2, [[now + 1, b"one"], [now + 2, b"two"]], 0]
    assert call("events_read", now + 1, 10, 0) == [now + 2, [[now + 2, b"two"]], 0]
    assert call("events_read", now + 2, 10, 1) == [now + 2, [], 0]
    with pytest.raises(errors.BadRequest):
        call("events_read", now + 100_000, 10, 0)


def test_status_counts_queues_and_workers(bench):
    bench.submit(bench.new_id(), eta_ms=later(60))
    puppet = bench.puppet()
    status = bench.transport.call("status")
    queue = next(one for one in status["queues"] if one["name"] == bench.queue)
    assert (queue["delayed"], queue["workers"]) == (1, 1)
    assert puppet.name in [one["name"] for one in status["workers"]]


def test_an_operation_that_is_not_there_is_refused(bench):
    with pytest.raises(errors.BadRequest):
        bench.transport.call("no_such_operation")
