"""What a completion brings with it, and tasks that wait for others: the same for every home."""

from __future__ import annotations

import pytest

from ignitetasks import errors, frames, message, states
from ignitetasks.failure import Failure
from ignitetasks.message import CHECK_EXISTS, EXISTS, Group

CONTINUES = 32
PROMISED = -1


def join(bench, size: int, **fields):
    """Submits a task that waits for so many others; returns its id."""
    return bench.submit(join_size=size, **fields)[0]


def test_a_join_waits_for_all_its_members(bench):
    body = join(bench, 3, task="body")
    members = bench.submit(*(bench.new_id() for _ in range(3)), join_id=body)
    puppet = bench.puppet(("work", "body"))
    assert [puppet.run() for _ in range(2)] == members[:2]
    last = puppet.take()
    puppet.end(last, frames.FAILURE, error=ValueError("counts, too"))
    assert puppet.run(value="joined") == body
    assert bench.value(body) == "joined"


def test_a_member_that_is_revoked_counts_once(bench):
    body = join(bench, 2, task="body")
    first, second = bench.submit(bench.new_id(), bench.new_id(), join_id=body)
    bench.transport.call("revoke", [first], False, "SIGTERM")
    bench.transport.call("revoke", [first], False, "SIGTERM")
    puppet = bench.puppet(("work", "body"))
    assert puppet.run() == second
    assert puppet.run() == body


def test_a_spawn_submits_with_the_outcome(bench):
    first, following = bench.submit()[0], bench.new_id()
    puppet = bench.puppet(("work", "next"))
    spawn = {"submit": [[tuple(bench.template("next")), [[following, b"spawned", None]]]]}
    assert puppet.run(value=1, spawn=spawn) == first
    delivery = puppet.take()
    assert (delivery[1], delivery[3], bytes(delivery[4])) == (following, "next", b"spawned")
    puppet.end(delivery, value=2)
    assert bench.value(following) == 2


def test_the_spawn_of_a_stale_outcome_is_dropped(bench):
    (task_id,) = bench.submit()
    following = bench.new_id()
    puppet = bench.puppet()
    delivery = puppet.take()
    bench.transport.call("revoke", [task_id], True, "SIGTERM")
    spawn = {"submit": [[tuple(bench.template()), [[following, b"spawned", None]]]]}
    puppet.end(delivery, value=1, spawn=spawn)
    # Whatever is answered after it was taken after it.
    (after,) = bench.submit()
    assert puppet.run() == after
    bench.wait(after)
    assert bench.info(following) is None


def test_tasks_born_finished_are_told_and_counted(bench):
    body, tail = join(bench, 1, task="body"), bench.new_id()
    bench.submit()
    failure = Failure.capture(ValueError("of the first"))
    template = bench.template("never", join_id=body)
    puppet = bench.puppet(("work", "body"))
    delivery = puppet.take()
    spawn = {"end": [[tail, states.FAILURE_CODE, failure, "ValueError", tuple(template)]]}
    puppet.end(delivery, frames.FAILURE, error=ValueError("first"), spawn=spawn)
    assert isinstance(bench.value(tail), ValueError)
    assert puppet.run() == body


def test_a_join_grows(bench):
    body = join(bench, 1, task="body")
    grower = bench.submit(join_id=body)[0]
    more = bench.new_id()
    template = bench.template(join_id=body)
    puppet = bench.puppet(("work", "body"))
    spawn = {"grow": [[body, 1]], "submit": [[tuple(template), [[more, b"", None]]]]}
    assert puppet.run(spawn=spawn) == grower
    assert puppet.run() == more
    assert puppet.run() == body


def test_a_promise_that_is_submitted_again_is_there_already(bench):
    promised = bench.new_id()
    groups = [Group(bench.template(join_size=PROMISED, flags=CHECK_EXISTS), [(promised, b"", b"m" * 16)])]
    assert bench.transport.submit(groups).created == 1
    again = bench.transport.submit(groups, attempt=1)
    assert [tuple(one)[:2] for one in again.exceptions] == [(0, EXISTS)]
    bench.submit(promised)
    assert bench.puppet().run() == promised


def test_a_promised_task_is_fulfilled_by_a_later_submit(bench):
    promised = bench.submit(join_size=PROMISED)[0]
    puppet = bench.puppet(("work", "real"))
    assert puppet.take(0.2) is None
    bench.submit(promised, task="real", body=b"call")
    delivery = puppet.take()
    assert (delivery[1], delivery[3], bytes(delivery[4])) == (promised, "real", b"call")
    puppet.end(delivery, value=1)
    assert bench.value(promised) == 1


def test_a_replaced_task_keeps_its_id(bench):
    (task_id,) = bench.submit()
    member = bench.new_id()
    puppet = bench.puppet(("work", "body"))
    delivery = puppet.take()
    spawn = {
        "submit": [
            [tuple(bench.template(join_id=task_id)), [[member, b"", None]]],
            [tuple(bench.template("body", join_size=1)), [[task_id, b"body", None]]],
        ]
    }
    puppet.child.send(frames.DONE, [[delivery[0], 10, None, 0, 1, None, spawn]])
    assert puppet.run() == member
    again = puppet.take()
    assert (again[1], again[3]) == (task_id, "body")
    puppet.end(again, value="replaced")
    assert bench.value(task_id) == "replaced"


@pytest.mark.parametrize("how", ["revoked", "lost"])
def test_python_is_told_of_ends_it_did_not_decide(bench, how):
    options = message.encode_call_options({"a": 1})
    (task_id,) = bench.submit(flags=CONTINUES, max_deliveries=1, options=options)
    if how == "revoked":
        bench.transport.call("revoke", [task_id], False, "SIGTERM")
    puppet = bench.puppet(("work", "ignitetasks.settle"))
    if how == "lost":
        delivery = puppet.take()
        puppet.child.close()
        puppet.worker.send(frames.CHILD_DIED, [0, puppet.pid, "exit", delivery[0], "exit code 1"])
        # Another process, as in life: a report of a death names the process that died.
        puppet.pid += 1
        puppet.child = puppet.make_child()
    settle = puppet.take()
    assert settle[3] == "ignitetasks.settle"
    assert message.decode_body(bench.client.codecs, settle[3], bytes(settle[4])) == ([task_id], {})
    assert (bytes(settle[6]), settle[16]) == (options, task_id)
    puppet.end(settle)
    kind = errors.TaskRevokedError if how == "revoked" else errors.WorkerLostError
    assert isinstance(bench.value(task_id), kind)


def test_a_join_of_thousands(bench):
    size = 3000
    body = join(bench, size, task="body")
    members = [bench.new_id() for _ in range(size)]
    bench.transport.submit([Group(bench.template(join_id=body), [(one, b"", None) for one in members])])
    puppet = bench.puppet(("work", "body"), slots=100)
    for _ in range(size):
        puppet.run()
    assert puppet.run(value="all") == body
