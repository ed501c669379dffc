"""Groups and headers whose calls are still to be generated: read late, remembered, and sent while they are made."""

from __future__ import annotations

import copy
import json
import pickle
import threading

import pytest
from support.canvas_tasks import memory_app

from ignitetasks.canvas import chain, chord, group, signature, streaming
from ignitetasks.canvas.members import Members
from ignitetasks.errors import TaskRevokedError
from ignitetasks.result import AsyncResult
from ignitetasks.serializers import Codecs

LIMIT = 20


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks, tasks.app.local_worker(concurrency=2, pool="threads"):
        yield tasks


@pytest.fixture
def no_pause(monkeypatch):
    """Every call is sent as soon as it is generated."""
    monkeypatch.setattr(streaming, "_PAUSE_S", -1.0)


class Source:
    """Generates calls, and remembers how far it was asked."""

    def __init__(self, calls):
        self.calls, self.given = calls, 0

    def __iter__(self):
        for one in self.calls:
            self.given += 1
            yield one

    def __call__(self):
        return iter(self)


def adds(t, count):
    return Source([t.add.s(i, i) for i in range(count)])


def test_nothing_is_read_before_it_is_looked_at(t):
    source = adds(t, 5)
    canvas = group(source())
    assert source.given == 0 and repr(canvas) == "group([...])"
    assert canvas.tasks[1] == t.add.s(1, 1) and source.given == 2
    assert bool(canvas.tasks) and source.given == 2
    assert len(canvas.tasks) == 5 and list(canvas.tasks) == [t.add.s(i, i) for i in range(5)]
    assert source.given == 5


@pytest.mark.parametrize(
    "combine",
    [
        lambda t, calls: chord(calls, t.tsum.s()),
        lambda t, calls: group(calls) | t.tsum.s(),
        lambda t, calls: chord(group(calls), t.tsum.s()),
        lambda t, calls: (group(calls) | t.tsum.s()).clone(),
        lambda t, calls: chord(calls, t.tsum.s()) | t.identity.s(),
    ],
)
def test_combining_reads_nothing_and_sending_all(t, combine):
    source = adds(t, 5)
    canvas = combine(t, source())
    assert source.given == 0
    assert canvas.apply_async().get(timeout=LIMIT) == 20
    assert source.given == 5
    assert canvas.apply_async().get(timeout=LIMIT) == 20, "what was read is kept"


def test_a_copy_has_calls_of_its_own(t):
    canvas = group(adds(t, 3)())
    other = canvas.clone()
    other.tasks[0].set(queue="elsewhere")
    assert canvas.tasks[0].options == {} and len(canvas.tasks) == len(other.tasks) == 3
    assert group(group(adds(t, 2)())).tasks == [t.add.s(0, 0), t.add.s(1, 1)]


def test_encoders_get_all_of_it(t):
    plain = group([t.add.s(i, i) for i in range(3)])
    made = [signature(json.loads(json.dumps(group(adds(t, 3)()))))]
    made.append(signature(json.loads(json.dumps(chord(adds(t, 3)(), t.tsum.s())))))
    assert len(made[0].tasks) == 3 and len(made[1].tasks) == 3
    codecs = Codecs()
    for name in ("msgpack", "json"):
        packed = codecs.encode({"canvas": group(adds(t, 3)())}, name)
        assert codecs.decode(packed)["canvas"]["kwargs"]["tasks"][2]["args"] == [2, 2]
    again = pickle.loads(pickle.dumps(dict(group(adds(t, 3)()))))
    assert again["kwargs"]["tasks"] == plain.tasks
    assert copy.deepcopy(group(adds(t, 3)())) == plain


def test_it_can_be_changed_as_a_list():
    made = Members(iter("abc"))
    made.append("d")
    made[0] = "A"
    del made[1]
    made.insert(0, "-")
    assert made == ["-", "A", "c", "d"] and made != "-Acd"
    assert made[-1] == "d" and made[1:3] == ["A", "c"] and repr(made) == "['-', 'A', 'c', 'd']"
    assert not Members(iter(())) and len(Members(iter(()))) == 0
    with pytest.raises(IndexError):
        Members(iter("a"))[3]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda t, calls: group(calls), [0, 2, 4, 6]),
        (lambda t, calls: chord(calls, t.tsum.s()), 12),
        (lambda t, calls: group(calls) | t.tsum.s() | t.add.s(1), 13),
        (lambda t, calls: chord(calls, group(t.add_to_all.s(1), t.identity.s())), [[1, 3, 5, 7], [0, 2, 4, 6]]),
        (lambda t, calls: chord((chain(one, t.add.s(1)) for one in calls), t.tsum.s()), 16),
        (lambda t, calls: group(group(one, t.add.s(1, 0)) for one in calls), [0, 1, 2, 1, 4, 1, 6, 1]),
        (lambda t, calls: chord((group(one, t.add.s(1, 0)) for one in calls), t.tsum.s()), 16),
    ],
)
def test_sent_one_by_one_it_is_the_same(t, no_pause, make, expected):
    assert make(t, adds(t, 4)()).apply_async().get(timeout=LIMIT) == expected


def test_arguments_and_options_reach_every_part(t, no_pause):
    canvas = chord((t.add.s(i) for i in range(4)), t.tsum.s())
    assert canvas.apply_async((10,), {"z": 1}).get(timeout=LIMIT) == 50

    @t.app.task(name="where_in_group", bind=True)
    def where_in_group(self):
        return self.request.group, self.request.group_index

    handle = group(where_in_group.s() for _ in range(4)).apply_async(headers={"a": 1})
    assert [one[1] for one in handle.get(timeout=LIMIT)] == [0, 1, 2, 3]
    assert {one[0] for one in handle.get(timeout=LIMIT)} == {handle.id}


def test_members_run_while_others_are_generated(t, no_pause):
    ran = threading.Event()

    @t.app.task(name="tell")
    def tell(number):
        ran.set()
        return number

    def calls():
        yield tell.s(0)
        yield tell.s(1)
        assert ran.wait(LIMIT), "the first one was not sent"
        yield tell.s(2)

    assert chord(calls(), t.tsum.s()).apply_async().get(timeout=LIMIT) == 3
    ran.clear()
    assert group(calls()).apply_async().get(timeout=LIMIT) == [0, 1, 2]


def test_a_member_that_fails_meanwhile_fails_the_body(t, no_pause):
    handle = chord((one for one in (t.fail.s(), t.identity.s(1), t.identity.s(2))), t.tsum.s()).apply_async()
    with pytest.raises(ValueError, match="as asked"):
        handle.get(timeout=LIMIT)


def test_a_generator_that_fails_leaves_no_body_behind(t, no_pause, monkeypatch):
    promised = []
    revoke = t.app.client.transport.call

    def call(name, *args):
        if name == "revoke":
            promised.extend(args[0])
        return revoke(name, *args)

    def calls():
        yield t.identity.s(1)
        yield t.identity.s(2)
        raise KeyError("no more")

    monkeypatch.setattr(t.app.client.transport, "call", call)
    with pytest.raises(KeyError, match="no more"):
        chord(calls(), t.tsum.s()).apply_async()
    (body,) = promised
    with pytest.raises(TaskRevokedError):
        AsyncResult(body, app=t.app).get(timeout=LIMIT)
