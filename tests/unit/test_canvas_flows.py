"""Whole workflows, run by a worker on a home in memory: results, order, ids, errors, replacement."""

from __future__ import annotations

import threading
import time

import pytest
from support.canvas_tasks import memory_app

from ignitetasks.canvas import chain, chord, group, signature
from ignitetasks.errors import ChordError, ConfigurationError, RequestError, TaskRevokedError
from ignitetasks.result import AsyncResult, GroupResult, ResultSet, result_from_tuple

LIMIT = 20


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks, tasks.app.local_worker(concurrency=2, pool="threads"):
        yield tasks


def run(canvas, *args, **options):
    return canvas.apply_async(args, **options).get(timeout=LIMIT)


def until(condition):
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        threading.Event().wait(0.01)


# Each: a canvas made of the tasks, and the result that plain Python gives.
CASES = {
    "chain": (lambda t: t.add.s(4, 4) | t.add.s(8) | t.add.s(16), 32),
    "chain of one": (lambda t: chain(t.add.s(3, 4)), 7),
    "chain of a chain of one": (lambda t: chain([chain(t.identity.s(42))]), 42),
    "group": (lambda t: group(t.add.s(i, i) for i in range(10)), [2 * i for i in range(10)]),
    "empty group": (lambda t: group([]), []),
    "nested groups": (
        lambda t: group(t.add.si(1, 10), group(t.add.si(1, 100), group(t.add.si(1, 1000), t.add.si(1, 2000)))),
        [11, 101, 1001, 2001],
    ),
    "chord": (lambda t: chord([t.add.s(2, 2), t.add.s(4, 4)], t.tsum.s()), 12),
    "groups of one after another": (
        lambda t: chain(
            group(t.identity.si(1), t.identity.si(2)),
            group(t.identity.si(3), t.identity.si(4)),
            group(t.identity.si(5), t.identity.si(6)),
            t.tsum.s(),
        ),
        11,
    ),
    "a task itself in a header": (lambda t: t.identity.s([1, 2]) | chord([t.tsum, t.tsum], t.tsum.s()), 6),
    "empty header": (lambda t: chord([], t.add_to_all.s(9)), []),
    "empty group and task": (lambda t: group([]) | t.add_to_all.s(9), []),
    "header of one": (lambda t: chord([t.add.s(2, 5)], t.add_to_all.s(9)), [16]),
    "group of one and task": (lambda t: group([t.add.s(2, 5)]) | t.add_to_all.s(9), [16]),
    "task, group": (lambda t: t.identity.s(42) | group(t.identity.s(), t.add.s(1)), [42, 43]),
    "task, group of one": (lambda t: t.identity.s(42) | group(t.identity.s()), 42),
    "task, group, task": (lambda t: chain(t.identity.s(1), group(t.add.s(1), t.add.s(2)), t.tsum.s()), 5),
    "chain of a group": (lambda t: chain(group(t.identity.s(1), t.identity.s(2))), [1, 2]),
    "chain in group": (lambda t: t.add.s(5, 6) | group((t.add.s(1) | t.add.s(2), t.add.s(3))), [14, 14]),
    "group at the end of a chain in a group": (
        lambda t: group(t.identity.si(1), chain(t.identity.si(5), group(t.identity.si(3), t.identity.si(4)))),
        [1, [3, 4]],
    ),
    "group of one that ends in a group": (lambda t: group(t.add.s(1, 2) | group(t.add.s(1), t.add.s(2))), [4, 5]),
    "group, group, task": (
        lambda t: t.add.si(1, 0) | group(t.add.s(1), t.add.s(1)) | group(t.tsum.s(), t.tsum.s()) | t.tsum.s(),
        8,
    ),
    "two chords and a group": (
        lambda t: (
            t.add.si(1, 0) | group(t.add.s(1), t.add.s(1)) | t.tsum.s() | t.add.s(1) | group(t.add.s(1), t.add.s(1))
        ),
        [6, 6],
    ),
    "chain of chords": (
        lambda t: (
            chain(
                chord(group(t.add.si(1, 0), t.add.si(1, 0)), t.tsum.s()),
                chord(group(t.add.s(1), t.add.s(1)), t.tsum.s()),
                chord(group(t.add.s(0), t.add.s(0)), t.tsum.s()),
            )
            | chain(
                chord(group(t.add.s(10), t.add.s(10)), t.tsum.s()),
                chord(group(t.add.s(0), t.add.s(0)), t.tsum.s()),
                chord(group(t.add.s(1), t.add.s(1)), t.tsum.s()),
            )
        ),
        178,
    ),
    "chords in a header": (
        lambda t: chord(
            [chord([t.add.s(1, 2), t.add.s(3, 4)], t.add.s([5])), chord([t.add.s(6, 7)], t.add.s([10]))],
            t.add_to_all.s(["A"]),
        ),
        [[3, 7, 5, "A"], [13, 10, "A"]],
    ),
    "groups, four deep": (
        lambda t: (
            group([group([group([group([t.add.s(1, 2)]) | t.add.s([3])]) | t.add.s([4])]) | t.add.s([5])])
            | t.add.s([6])
        ),
        [[[[3, 3], 4], 5], 6],
    ),
    "all kinds in a header": (
        lambda t: group(
            (
                chord(
                    (
                        t.identity.si(42),
                        chain((t.identity.si(42),) * 5),
                        group((t.identity.si(42),) * 3),
                        chord((t.identity.si(42),) * 3, t.identity.si(1337)),
                    ),
                    t.identity.s(),
                ),
            )
        ),
        [[42, 42, 42, 42, 42, 1337]],
    ),
    "group at the end of a chain in a header": (
        lambda t: chord(group(chain(t.identity.s(42), group(t.identity.s(), t.identity.s()))), t.identity.s()),
        [[42, 42]],
    ),
    "a chord as the body of a chord": (
        lambda t: chord(
            [t.add.s(0, 1)],
            chord(
                [t.tsum.s(), t.tsum.s()], chain(t.tsum.s(), group(t.add.s(8), t.add.s(16)), t.tsum.s() | t.add.s(32))
            ),
        ),
        60,
    ),
    "a group as the body of a chord": (lambda t: chord([t.identity.s(1)], group(t.tsum.s(), t.tsum.s())), [1, 1]),
    "immutable": (lambda t: t.add.s(1, 1) | t.add.si(5, 5) | t.add.s(1), 11),
    "map": (lambda t: t.identity.map([1, 2, 3]), [1, 2, 3]),
    "starmap": (lambda t: t.add.starmap([(1, 2), (3, 4)]), [3, 7]),
    "chunks": (lambda t: t.add.chunks(zip(range(5), range(5), strict=True), 2), [[0, 2], [4, 6], [8]]),
    "a group of chunks, and task": (
        lambda t: t.add.chunks(zip(range(4), range(4), strict=True), 2).group() | t.identity.s(),
        [[0, 2], [4, 6]],
    ),
    "replaced by a call": (lambda t: chain(t.identity.s(1), t.replaced_add.s(2), t.add.s(3)), 6),
    "replaced by a chain": (lambda t: chain(t.identity.s(42), t.replaced_chain.s(), t.identity.s()), 42),
    "replaced by a group": (
        lambda t: group([t.replaced_group.s([2, 1], 1), t.replaced_group.s([4, 3], 1)] * 3),
        [[3, 2], [5, 4]] * 3,
    ),
    "replaced in a header": (
        lambda t: chord((t.identity.s(1), t.replaced_chain.s(2), t.replaced_add.s(1, 2)), t.identity.s()),
        [1, 2, 3],
    ),
    "replaced body": (lambda t: chord([t.identity.s(42)], t.replaced_chain.s()), [42]),
    "replaced in a body": (
        lambda t: chord([t.identity.s(42)], chain(t.identity.s(), t.replaced_chain.s(), t.identity.s())),
        [42],
    ),
    "replaced by what is replaced": (lambda t: t.replaced_twice.s(5) | t.identity.s(), [5, 1]),
    "added to a chord": (lambda t: group([t.adds_to_chord.s([1, 2, 3], 4)]) | t.identity.s(), [0, 5, 6, 7]),
    "added by what was added": (
        lambda t: group([t.adds_chain_to_chord.s(4), t.identity.s(1)]) | t.tsum.s(),
        1 + 100 + 8,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_plain_python(t, name):
    make, expected = CASES[name]
    assert run(make(t)) == expected


@pytest.mark.parametrize("name", CASES)
def test_a_round_trip_through_plain_data_changes_nothing(t, name):
    import json  # noqa: PLC0415

    make, expected = CASES[name]
    again = signature(json.loads(json.dumps(make(t))), app=t.app)
    assert run(again) == expected


def test_arguments_of_a_sending_go_to_the_first_calls(t):
    canvas = group(t.add.s(i) for i in range(4)) | t.add_to_all.s(8)
    assert canvas.apply_async(args=(4,), kwargs={"z": 1}).get(timeout=LIMIT) == [13, 14, 15, 16]
    canvas = t.add.s(2, 2) | group(t.add.s(i) for i in range(4)) | t.add_to_all.s(8)
    assert canvas.apply_async(kwargs={"z": 1}).get(timeout=LIMIT) == [13, 14, 15, 16]
    assert chain(t.add.s(1), t.add.s(1))(5).get(timeout=LIMIT) == 7
    assert group(t.add.s(1), t.add.s(2))(5).get(timeout=LIMIT) == [6, 7]
    assert chord([t.identity.s(1)])(t.tsum.s()).get(timeout=LIMIT) == 1


def test_each_step_knows_its_root_and_its_parent(t):
    canvas = chain(t.ids.si(i=i) for i in range(6))
    canvas.freeze()
    handle = canvas()
    root = handle
    while root.parent:
        root = root.parent
    number = 5
    while handle:
        parent = handle.parent.id if handle.parent else None
        assert handle.get(timeout=LIMIT) == [root.id, parent, number]
        handle, number = handle.parent, number - 1


@pytest.mark.parametrize("style", ["words", "operators"])
def test_ids_around_a_chord(t, style):
    root = t.ids.si(i=1)
    first = root.freeze().id
    header = group(t.ids.si(i=i) for i in range(3, 9))
    if style == "words":
        canvas = chain(root, t.ids.si(i=2), chord(header, chain(t.collect_ids.s(i=50), t.ids.si(i=51))))
    else:
        canvas = root | t.ids.si(i=2) | header | t.collect_ids.s(i=50) | t.ids.si(i=51)
    end = canvas()
    body, members = end.parent, end.parent.parent
    assert isinstance(members, GroupResult) and isinstance(members.parent, AsyncResult)
    assert end.get(timeout=LIMIT) == [first, body.id, 51]
    before, (root_id, parent_id, number) = body.get(timeout=LIMIT)
    assert (root_id, number) == (first, 50) and parent_id in members.results
    assert before == [[first, members.parent.id, i] for i in range(3, 9)]
    assert members.get(timeout=LIMIT) == before
    assert members.parent.get(timeout=LIMIT) == [first, first, 2]
    assert members.parent.parent.get(timeout=LIMIT) == [first, None, 1]


@pytest.mark.parametrize(
    "make",
    [
        lambda t: chain(t.add.s(1, 2), t.fail.s(), t.add.s(3), t.add.s(4)),
        lambda t: t.add.s(1, 1) | t.fail.s() | group(t.add.s(1), t.add.s(1)),
        lambda t: t.add.s(1, 1) | group(t.add.s(1), t.fail.s()),
        lambda t: chord([t.add.s(1, 2), t.fail.s()], t.identity.s()),
        lambda t: chord([t.identity.s(1)], t.fail.s()),
        lambda t: chord([chain(t.identity.si(1), t.fail.s(), t.identity.si(1))], t.identity.s()),
        lambda t: chord([group(t.identity.si(1), t.fail.s())], t.identity.s()),
        lambda t: chord([t.identity.si(1)], chain(t.identity.si(1), t.fail.s(), t.identity.si(1))),
        lambda t: chord([t.identity.si(1)], group(t.identity.si(1), t.fail.s())),
        lambda t: chain(t.identity.s(1), t.replaced_by_failure.s(), t.identity.s()),
        lambda t: group(t.identity.s(1), t.replaced_by_failure.s()) | t.identity.s(),
    ],
)
def test_an_error_reaches_the_end(t, make):
    with pytest.raises(ValueError, match="as asked"):
        run(make(t))


def test_what_never_runs_ends_with_the_error_that_kept_it(t):
    end = chain(t.add.s(1, 2), t.fail.s(), t.add.s(3), t.add.s(4)).apply_async()
    with pytest.raises(ValueError, match="as asked"):
        AsyncResult(end.id, app=t.app).get(timeout=LIMIT)
    assert end.state == "FAILURE"
    with pytest.raises(ValueError, match="as asked"):
        end.parent.get(timeout=LIMIT)  # a step that has no record at all: its parents are looked at
    assert end.parent.parent.state == "FAILURE" and end.parent.parent.parent.get(timeout=LIMIT) == 3


def test_a_chord_names_what_failed(t):
    end = chord([t.add.s(1, 2), t.fail.s()], t.identity.s()).apply_async()
    failed = end.parent.results[1].id
    with pytest.raises(ChordError, match=f"Dependency {failed} raised ValueError"):
        AsyncResult(end.id, app=t.app).get(timeout=LIMIT)


def test_links_get_the_result_and_errbacks_the_error(t):
    t.seen.clear()
    sent = t.add.apply_async((1, 2), link=[t.note.s("first"), t.note.si("second")])
    assert sent.get(timeout=LIMIT) == 3
    until(lambda: len(t.seen) == 2)
    assert sorted(t.seen, key=repr) == [("note", "second"), ("note", 3, "first")]
    t.seen.clear()
    sent = t.fail.apply_async(link_error=[t.old_errback.s(), t.new_errback.s(), t.note.si("x")])
    with pytest.raises(ValueError, match="as asked"):
        sent.get(timeout=LIMIT)
    until(lambda: len(t.seen) == 3)
    assert sorted(t.seen) == [("new", sent.id, "ValueError", True), ("note", "x"), ("old", sent.id)]


def test_a_callback_may_be_any_canvas(t):
    t.seen.clear()
    t.add.apply_async((1, 2), link=group(t.add.s(1), t.add.s(2)) | t.tsum.s() | t.note.s()).get(timeout=LIMIT)
    until(lambda: t.seen)
    assert t.seen == [("note", 9)]


def test_errbacks_of_chains_and_chords(t):
    t.seen.clear()
    end = chain(t.identity.s(1), t.fail.s(), t.identity.s()).on_error(t.old_errback.s()).apply_async()
    with pytest.raises(ValueError, match="as asked"):
        end.get(timeout=LIMIT)
    until(lambda: t.seen)
    assert t.seen == [("old", end.parent.id)]
    t.seen.clear()
    canvas = chord([t.fail.s(), t.identity.s(1)], t.identity.s())
    canvas.link_error(t.new_errback.s())
    end = canvas.apply_async()
    with pytest.raises(ValueError, match="as asked"):
        end.get(timeout=LIMIT)
    until(lambda: t.seen)
    assert t.seen == [("new", end.id, "ChordError", True)]


def test_an_errback_of_a_chord_is_called_once_however_deep_the_failure_is(t):
    t.seen.clear()
    inner = chord([t.identity.si(1), t.fail.si()], t.identity.si(2))
    canvas = chord(group(t.identity.si(3), inner), t.note.si("body"))
    canvas.link_error(t.old_errback.s())
    end = canvas.apply_async()
    with pytest.raises(ValueError, match="as asked"):
        end.get(timeout=LIMIT)
    run(t.identity.s(1))
    until(lambda: t.seen)
    assert t.seen == [("old", end.id)]


def test_links_and_errbacks_outlive_a_replacement(t):
    t.seen.clear()
    assert t.replaced_chain.apply_async((7,), link=t.note.s()).get(timeout=LIMIT) == 7
    until(lambda: t.seen)
    assert t.seen == [("note", 7)]
    t.seen.clear()
    with pytest.raises(ValueError, match="as asked"):
        t.replaced_by_failure.apply_async(link_error=t.note.si("failed")).get(timeout=LIMIT)
    until(lambda: t.seen)
    assert t.seen == [("note", "failed")]


def test_a_task_is_not_replaced_by_nothing(t):
    with pytest.raises(ConfigurationError, match="empty chain"):
        t.replaced_by_nothing.delay().get(timeout=LIMIT)


def test_a_revoked_step_ends_what_follows(t):
    end = chain(t.add.s(1, 2).set(countdown=3600), t.add.s(3), t.add.s(4)).apply_async()
    end.parent.parent.revoke()
    with pytest.raises(TaskRevokedError):
        end.get(timeout=LIMIT)


def test_the_end_of_a_chain_can_be_revoked_before_it_is_there(t):
    end = chain(t.identity.s(1).set(countdown=0.2), t.identity.s()).apply_async()
    assert end.exists() and end.state == "PENDING"
    end.revoke()
    assert end.state == "REVOKED"
    assert end.parent.get(timeout=LIMIT) == 1
    with pytest.raises(TaskRevokedError):
        end.get(timeout=LIMIT)


def test_a_long_chain_and_wide_chords(t):
    assert chain(t.add.s(1) for _ in range(300))(0).get(timeout=LIMIT) == 300
    assert run(chord([t.identity.s(i) for i in range(1500)], t.tsum.s())) == sum(range(1500))
    assert run(t.identity.si(1) | group(t.identity.s() for _ in range(1000)) | t.tsum.s()) == 1000


def test_ten_thousand_go_in_a_handful_of_submits(t, monkeypatch):
    transport, count = t.app.client.transport, []
    submit = transport.submit
    monkeypatch.setattr(transport, "submit", lambda *args, **kw: count.append(1) or submit(*args, **kw))
    sent = chord([t.identity.s(i) for i in range(10_000)], t.tsum.s()).apply_async(countdown=3600)
    assert len(count) <= 12 and len(sent.parent) == 10_000
    sent.parent.forget()


def test_a_chain_whose_submit_was_cut_and_repeated_is_sent_once(t, monkeypatch):
    transport = t.app.client.transport
    submit = transport.submit
    # As a node that was killed after it had written, and before it answered.
    monkeypatch.setattr(transport, "submit", lambda *args, **kw: submit(*args, **kw) and submit(*args, **kw))
    end = (t.add.s(1, 2) | t.add.s(3)).apply_async(countdown=0.2)
    monkeypatch.undo()
    assert end.created and end.parent.created
    assert end.get(timeout=LIMIT) == 6


def test_children_are_what_a_task_led_to(t):
    end = (t.add.s(1, 2) | t.add.s(3)).apply_async()
    assert end.get(timeout=LIMIT) == 6
    assert end.parent.children == [end] and list(end.parent.collect()) == [(end.parent, 3), (end, 6)]
    assert end.parent.get_leaf() == 6 and end.parent.graph == {end.parent: [end], end: []}
    sender = t.sends.delay(3)
    assert sender.get(timeout=LIMIT) == "sent"
    children = AsyncResult(sender.id, app=t.app).children
    assert [one.get(timeout=LIMIT) for one in children] == [0, 2, 4]


def test_waiting_inside_a_task_is_refused(t):
    with pytest.raises(RuntimeError, match="within a task"):
        t.waits.delay().get(timeout=LIMIT)


def test_groups_can_be_saved_and_read_again(t):
    sent = group(t.add.s(i, i) for i in range(3)).apply_async().save()
    again = t.app.GroupResult().restore(sent.id, app=t.app)
    assert again == sent and again.get(timeout=LIMIT) == [0, 2, 4]
    sent.delete()
    assert GroupResult.restore(sent.id, app=t.app) is None
    end = (t.add.s(1, 2) | group(t.add.s(3), t.add.s(4))).apply_async()
    same = result_from_tuple(end.as_tuple(), t.app)
    assert same == end and same.parent == end.parent and same.get(timeout=LIMIT) == [6, 7]


def test_sets_of_results(t):
    sent = ResultSet([t.add.delay(1, 1), t.add.delay(2, 2)])
    sent.add(sent[0])
    assert len(sent) == 2 and sent.get(timeout=LIMIT) == [2, 4]
    assert sent.successful() and sent.ready() and not sent.failed() and not sent.waiting()
    assert sent.completed_count() == 2 and sorted(sent.iterate(timeout=LIMIT)) == [2, 4]
    seen = []
    sent.join(callback=lambda task_id, value: seen.append((task_id, value)))
    assert seen == [(sent[0].id, 2), (sent[1].id, 4)]
    bad = ResultSet([t.fail.delay(), t.add.delay(1, 1)])
    assert [type(one) for one in bad.get(timeout=LIMIT, propagate=False)] == [ValueError, int]
    with pytest.raises(ValueError, match="as asked"):
        bad.get(timeout=LIMIT)
    assert bad[0].failed() and bad[1].successful() and bad.failed()
    sent.remove(sent[0].id)
    with pytest.raises(KeyError):
        sent.remove("x")
    sent.discard("x")
    called = threading.Event()
    t.add.delay(1, 1).then(lambda handle: called.set())
    assert called.wait(LIMIT)


def test_stamps_are_seen_by_the_tasks(t):
    canvas = chain(t.identity.s(1), group(t.stamps.s(), t.stamps.s()))
    canvas.stamp(header="value", number=[1])
    found = run(canvas)
    assert found == [{"names": ["header", "number"], "values": {"header": "value", "number": [1]}}] * 2


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda t: chain(t.add.s(1, 2), t.add.s(1)).set(prioritty=1), "prioritty"),
        (lambda t: t.add.s(1, 2).set(countdown=1, eta=2) | t.add.s(1), "countdown and eta"),
        (lambda t: t.add.s(1, 2) | t.add.s(1).set(idempotency_key="k"), "idempotency_key"),
        (lambda t: chord([t.add.s(1, 2)]), "needs a body"),
    ],
)
def test_a_wrong_canvas_is_refused_before_anything_is_sent(t, make, place):
    with pytest.raises(RequestError, match=place):
        make(t).apply_async()


def test_a_canvas_that_contains_itself_or_is_too_deep_is_refused(t):
    circle = group(t.add.s(1, 2), t.add.s(3, 4))
    circle.kwargs["tasks"].append(chain.of([t.add.s(1, 2), circle]))
    with pytest.raises(RequestError, match="contains itself at group"):
        circle.apply_async()
    deep = t.identity.s(1)
    for _ in range(150):
        deep = chord([deep], t.identity.s())
    with pytest.raises(RequestError, match="nested deeper than"):
        deep.apply_async()
