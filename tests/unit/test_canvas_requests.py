"""What a task of a workflow knows of its place in it, and what is told when one is sent; on a home in memory."""

from __future__ import annotations

import pytest

from ignitetasks import chain, chord, group, signals, signature
from ignitetasks.canvas.steps import Call, Fan, calls_of, signature_of, unpack_step
from ignitetasks.contrib.testing.app import TestApp, setup_default_app
from ignitetasks.contrib.testing.worker import start_worker

LIMIT = 20


@pytest.fixture(scope="module")
def app():
    app = TestApp()

    @app.task(name="add")
    def add(x, y):
        return x + y

    @app.task(name="total")
    def total(numbers):
        return sum(numbers)

    @app.task(name="fail")
    def fail(*_):
        raise KeyError("as asked")

    @app.task(name="place", bind=True)
    def place(self, *_):
        return self.request.group_index

    @app.task(name="after", bind=True)
    def after(self, *_):
        return [one["task"] for one in self.request.chain or ()]

    @app.task(name="replaced", bind=True)
    def replaced(self, *_):
        raise self.replace(place.si())

    @app.task(name="sends", bind=True)
    def sends(self):
        add.delay(1, 2)
        group(add.s(1, 2), add.s(3, 4))()
        self.add_trail(add.s(5, 6).delay())

    app.register_task(type("Quiet", (app.Task,), {"name": "quiet", "trail": False, "run": lambda self: sends.run()}))

    with setup_default_app(app), start_worker(app, pool="threads", concurrency=2):
        yield app


class Tasks:
    def __init__(self, app):
        self.app = app

    def __getattr__(self, name):
        return self.app.tasks[name]


@pytest.fixture
def t(app):
    return Tasks(app)


@pytest.fixture
def heard():
    """What receivers of both signals are told: name of the signal, task, headers, body."""
    found = []

    def before(sender=None, headers=None, body=None, **_):
        found.append(("before", sender, dict(headers), body))

    def after(sender=None, headers=None, body=None, **_):
        found.append(("after", sender, dict(headers), body))

    signals.before_task_publish.connect(before)
    signals.after_task_publish.connect(after)
    yield found
    signals.before_task_publish.disconnect(before)
    signals.after_task_publish.disconnect(after)


def run(canvas):
    return canvas.apply_async().get(timeout=LIMIT)


@pytest.mark.parametrize(
    ("canvas", "places"),
    [
        (lambda t: group(t.place.s() for _ in range(5)), [0, 1, 2, 3, 4]),
        (lambda t: chord([t.place.si() for _ in range(3)], t.add.s([9])), [0, 1, 2, 9]),
        (lambda t: group(t.place.s(), t.add.s(1, 2) | t.place.s(), t.place.s(), t.add.s(1, 1), t.place.s()),
         [0, 1, 2, 2, 4]),
        (lambda t: group(t.place.s().set(priority=3), t.place.s(), t.place.s().set(priority=3)), [0, 1, 2]),
        (lambda t: group(t.add.s(0, 0), t.replaced.s(), t.place.s()), [0, 1, 2]),
        (lambda t: t.add.s(1, 2) | group(t.place.s(), t.place.s()), [0, 1]),
        (lambda t: t.place.s(), None),
    ],
)  # fmt: skip
def test_a_member_knows_its_place_in_the_group(t, canvas, places):
    assert run(canvas(t)) == places


def test_a_member_that_is_run_here_knows_its_place_too(t):
    assert group(t.place.s(), t.add.s(1, 2), t.place.s()).apply().get() == [0, 3, 2]


def test_a_task_knows_what_follows_it(t):
    steps = t.after.s() | t.add.s(["x"]) | t.add.s(["y"])
    assert run(steps) == ["add", "add", "x", "y"]
    assert run(t.after.s()) == []


def test_a_long_rest_is_known_too(t):
    steps = chain(t.after.s(), *(t.add.s(["a long argument" * 10]) for _ in range(30)))
    assert run(steps)[:30] == ["add"] * 30


def test_steps_become_signatures_and_back():
    inner = Call("b", (2,), {"k": 3}, {"priority": 1}, True, "id-b")
    inner.links, inner.group_index = [{"task": "link"}], 0
    fan = Fan([[inner], [Call("c", id="id-c"), Call("d", id="id-d")]], "id-group")
    sig = signature(signature_of(fan))
    assert repr(sig.tasks[0]) == "b(2, k=3)"
    assert sig.tasks[0].options == {"priority": 1, "task_id": "id-b", "link": [{"task": "link"}]}
    assert [one.task for one in sig.tasks[1].tasks] == ["c", "d"]
    assert [one.group_index for one in calls_of([unpack_step(fan.pack())])] == [0, None, None]


def test_the_calls_of_a_canvas_are_told_of_before_and_after_they_are_sent(t, heard):
    assert run(t.add.s(1, 2) | group(t.add.s(3), t.add.s(4)) | t.total.s()) == 13
    assert [task for when, task, *_ in heard if when == "before"] == ["add", "total", "add", "add"]
    assert sorted(task for when, task, *_ in heard if when == "after") == ["add", "add", "add", "total"]
    first = heard[0]
    assert [one["task"] for one in first[3][2]["chain"]] == ["total", "ignitetasks.group"]
    members = [headers for when, task, headers, body in heard if when == "before" and headers["group"]]
    assert [one["group_index"] for one in members] == [0, 1]
    assert {one["root_id"] for one in members} == {first[2]["id"]}


def test_stamps_callbacks_and_errbacks_are_told(t, heard):
    sig = t.add.s(1, 2)
    sig.link(t.add.s(3))
    sig.link_error(t.fail.s())
    sig.stamp(tenant="a")
    sent = sig.apply_async()
    assert sent.get(timeout=LIMIT) == 3
    _, _, headers, body = heard[0]
    assert headers["id"] == sent.id
    assert (headers["stamped_headers"], headers["stamps"]) == (["tenant"], {"tenant": "a"})
    assert body[2]["callbacks"][0]["task"] == "add" and body[2]["errbacks"][0]["task"] == "fail"


def test_the_caller_says_how_arguments_are_shown(t, heard):
    t.add.apply_async((1, 2), argsrepr="(***)", kwargsrepr="{none}", shadow="sum").get(timeout=LIMIT)
    run(group(t.add.s(1, 2).set(argsrepr="(***)", kwargsrepr="{none}", shadow="sum")))
    for _, _, headers, _ in heard:
        assert (headers["argsrepr"], headers["kwargsrepr"], headers["shadow"]) == ("(***)", "{none}", "sum")
    assert len(heard) == 4


def test_receivers_may_change_headers_and_arguments_of_a_canvas(app, t):
    @app.task(name="header", bind=True)
    def header(self, x):
        return self.request.headers["trace"], x

    def change(headers=None, body=None, **_):
        headers["trace"] = "t-1"
        body[0][0] = "changed"

    signals.before_task_publish.connect(change)
    try:
        assert run(group(header.s(1), header.s(2))) == [["t-1", "changed"]] * 2
    finally:
        signals.before_task_publish.disconnect(change)


def test_the_tasks_that_a_task_sends_are_its_children_unless_it_keeps_no_trail(t):
    sent = t.sends.delay()
    sent.get(timeout=LIMIT)
    assert [one.get(timeout=LIMIT) for one in sent.children][:3] == [3, 3, 7]
    quiet = t.quiet.delay()
    quiet.get(timeout=LIMIT)
    assert quiet.children == []


def test_a_group_that_is_a_body_raises_what_the_header_raised(t):
    sent = chain(group(t.add.si(1, 2), t.fail.si()), group(t.total.s(), t.total.s())).apply_async()
    with pytest.raises(KeyError, match="as asked"):
        sent.get(timeout=LIMIT)


def test_who_hears_of_a_call_is_told_its_queue_as_an_object(t):
    told = []

    def look(declare, **_):
        told.extend((one.name, one.exchange.type, one.routing_key) for one in declare)

    signals.before_task_publish.connect(look)
    try:
        t.add.apply_async((1, 2), queue="declared")
        chain(t.add.s(1, 2).set(queue="first"), t.add.s(3)).apply_async()
    finally:
        signals.before_task_publish.disconnect(look)
    assert told == [(name, "direct", name) for name in ("declared", "first")]


def test_who_hears_of_a_chords_member_is_told_its_body(t, heard):
    run(chord([t.add.si(1, 1), t.add.si(1, 1) | t.place.si()], t.add.s([9])))
    body, plain, first = [(headers, body) for when, _, headers, body in heard if when == "before"][:3]
    assert body[1][2]["chord"] is None
    chord_of = plain[1][2]["chord"]
    assert (chord_of["task"], chord_of["options"]["task_id"]) == (t.add.name, body[0]["id"])
    assert first[1][2]["chord"] is None and first[1][2]["chain"]  # its flow goes on: the step after it is the member
