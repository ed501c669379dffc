"""Tasks with an `apply_async` of their own: it is called for each call of a canvas, wherever the call is sent."""

from __future__ import annotations

import time
from typing import ClassVar
from unittest import mock

import pytest
from support.canvas_tasks import memory_app

from ignitetasks import Task
from ignitetasks.canvas import chain, chord, group
from ignitetasks.context import current_request
from ignitetasks.errors import ArgumentError

LIMIT = 20


class Tracked(Task):
    """Notes what is sent, and gives it a header."""

    sent: ClassVar[list] = []

    def apply_async(self, args=None, kwargs=None, **options):
        before = current_request()
        self.sent.append((self.name, tuple(args or ()), options.get("task_id"), before and before.id))
        options["headers"] = {**(options.get("headers") or {}), "tracked": len(self.sent)}
        return super().apply_async(args, kwargs, **options)


class Sometimes(Task):
    """Sends even numbers only."""

    def apply_async(self, args=None, kwargs=None, **options):
        return super().apply_async(args, kwargs, **options) if args[0] % 2 == 0 else None


class Doubles(Task):
    """Sends other arguments than it is given, with a callback more."""

    def apply_async(self, args=None, kwargs=None, **options):
        return super().apply_async([2 * one for one in args], kwargs, link=self.app.tasks["note"].s(), **options)


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks:
        app = tasks.app

        @app.task(name="tracked", base=Tracked, bind=True)
        def tracked(self, x, y=0):
            return [x, self.request.headers["tracked"]]

        @app.task(name="tracked_first", base=Tracked)
        def tracked_first(pairs, more=None):
            return [one[0] for one in pairs]

        @app.task(name="sometimes", base=Sometimes)
        def sometimes(x):
            return x

        @app.task(name="doubles", base=Doubles)
        def doubles(x):
            return x

        @app.task(name="sends_tracked", bind=True)
        def sends_tracked(self, x):
            return self.replace(tracked.s(x))

        @app.task(name="adds_tracked", bind=True)
        def adds_tracked(self, x):
            self.add_to_chord(tracked.s(x))
            return [x, 0]

        tasks.tracked, tasks.tracked_first, tasks.sometimes, tasks.doubles = tracked, tracked_first, sometimes, doubles
        tasks.sends_tracked, tasks.adds_tracked = sends_tracked, adds_tracked
        with app.local_worker(concurrency=2, pool="threads"):
            yield tasks


@pytest.fixture(autouse=True)
def sent():
    Tracked.sent.clear()
    return Tracked.sent


def until(condition):
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


def test_members_of_a_group_are_asked_in_order(t, sent):
    handle = group(t.tracked.s(i) for i in range(3)).apply_async()
    assert handle.get(timeout=LIMIT) == [[0, 1], [1, 2], [2, 3]]
    assert [one[:3] for one in sent] == [("tracked", (i,), handle[i].id) for i in range(3)]


def test_later_steps_are_asked_where_the_one_before_ended(t, sent):
    first = t.tracked.s(1)
    handle = chain(first, t.tracked.s(2), t.tracked.s(3)).apply_async()
    assert handle.get(timeout=LIMIT) == [[[1, 1], 2], 3]
    assert [one[3] for one in sent] == [None, handle.parent.parent.id, handle.parent.id]
    assert sent[1][1] == ([1, 1], 2), "the result of the step before stands in front"


def test_header_and_body_are_asked_together(t, sent):
    handle = chord([t.tracked.s(i) for i in range(3)], t.tracked_first.s()).apply_async()
    assert handle.get(timeout=LIMIT) == [0, 1, 2]
    assert sorted(one[:2] for one in sent) == [("tracked", (i,)) for i in range(3)] + [("tracked_first", ())]


def test_callbacks_replacements_and_additions_are_asked(t, sent):
    t.identity.apply_async((5,), link=t.tracked.s())
    until(lambda: len(sent) == 1)
    assert sent[0][:2] == ("tracked", (5,))
    assert t.sends_tracked.delay(7).get(timeout=LIMIT) == [7, 2]
    assert sorted(chord([t.adds_tracked.s(8)])(t.tracked_first.s()).get(timeout=LIMIT)) == [8, 8]
    assert len(sent) == 4


def test_a_call_with_callbacks_is_asked_once(t, sent):
    assert t.tracked.apply_async((1,), link=t.identity.s()).get(timeout=LIMIT) == [1, 1]
    assert t.tracked.s(2).set(link=t.identity.s()).delay().get(timeout=LIMIT) == [2, 2]
    assert len(sent) == 2


def test_what_it_hands_on_is_what_is_sent(t):
    t.seen.clear()
    assert group(t.doubles.s(1), t.doubles.s(2)).apply_async().get(timeout=LIMIT) == [2, 4]
    assert chain(t.identity.s(3), t.doubles.s()).apply_async().get(timeout=LIMIT) == 6
    until(lambda: len(t.seen) == 3)
    assert sorted(t.seen) == [("note", 2), ("note", 4), ("note", 6)]


def test_what_it_keeps_is_not_waited_for(t):
    assert chord([t.sometimes.s(i) for i in range(5)], t.identity.s()).apply_async().get(timeout=LIMIT) == [0, 2, 4]
    handle = group(t.sometimes.s(i) for i in range(2)).apply_async()
    assert handle[0].get(timeout=LIMIT) == 0 and handle[1].state == "PENDING"


def test_a_test_can_stand_in_for_it(t):
    with mock.patch.object(t.add, "apply_async") as sends:
        chain(t.add.s(1, 2), t.add.s(3)).apply_async()
        group(t.add.s(1, 1), t.add.s(2, 2)).apply_async()
    assert [call.args for call in sends.call_args_list] == [((1, 2), {}), ((1, 1), {}), ((2, 2), {})]
    assert all(call.kwargs["task_id"] for call in sends.call_args_list)


def test_its_error_reaches_the_sender_and_nothing_is_sent(t, sent):
    with pytest.raises(ArgumentError):
        group(t.tracked.s(1), t.tracked.s()).apply_async()
    with pytest.raises(TypeError):
        chain(t.identity.s("text"), t.sometimes.s()).apply_async().get(timeout=LIMIT)
