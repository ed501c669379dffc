"""What can be read of and set on canvases and handles without sending anything: tasks, lengths, places, classes."""

from __future__ import annotations

import pytest
from support.canvas_tasks import memory_app

from ignitetasks.canvas import Signature, chain, chord, group
from ignitetasks.errors import RequestError
from ignitetasks.result import GroupResult, ResultSet


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks:
        yield tasks


def test_a_signature_can_be_given_another_task(t):
    sig, calls = Signature("elsewhere", (1, 2), {"key": 3}, app=t.app), []
    sig.type = lambda *args, **kwargs: calls.append((args, kwargs))
    sig(4, more=5)
    assert calls == [((4, 1, 2), {"key": 3, "more": 5})]


@pytest.mark.parametrize(
    ("header", "count"),
    [
        (lambda a: a, 1),
        (lambda a: group([a] * 42), 42),
        (lambda a: [a] * 42, 42),
        (lambda a: chain([a] * 42), 42),
        (lambda a: [chain([a] * 42)], 1),
        (lambda a: chord((), a), 1),
        (lambda a: [group([a] * 4) | a] * 2, 2),
        (lambda a: [a | group([a] * 4) | a] * 2, 2),
        (lambda a: [a | group([a] * 4)] * 2, 8),
        (lambda a: [group(a, group(a, a)), a], 4),
        (lambda a: [chord([a, a], group(a, a, a))], 3),
        (lambda a: [chain(a, group([a, a]), group())], 2),
        (lambda a: [dict(a | group([a, a, a]))], 3),
    ],
)
def test_a_chord_hints_how_many_results_its_body_gets(t, header, count):
    assert chord(header(t.add.s()), t.tsum.s()).__length_hint__() == count


def test_a_copy_of_a_chord_has_further_keyword_arguments(t):
    made = chord([t.add.s(1, 1)], t.tsum.s(), kwargs={"z": 6})
    assert made.clone(kwargs={"x": 2}).kwargs == {**made.kwargs, "x": 2}


def test_frozen_members_know_their_place(t):
    made = group(t.add.s(i, i) for i in range(3))
    made.freeze()
    assert [one.options["group_index"] for one in made.tasks] == [0, 1, 2]


def test_an_app_has_its_own_class_of_group_handles(t):
    made = t.app.GroupResult("some", [t.app.AsyncResult("one")])
    assert isinstance(made, GroupResult) and made.app is t.app
    made.save()
    found = t.app.GroupResult.restore("some")
    assert found == made and isinstance(found, t.app.GroupResult) and found.app is t.app
    made.delete()
    assert t.app.GroupResult.restore("some") is None


def test_a_set_of_handles_can_be_given_its_app(t):
    made = ResultSet([])
    made.app = t.app
    assert made.app is t.app


def test_an_id_is_a_text_and_can_be_set(t):
    made = t.app.AsyncResult("one")
    made.task_id = "other"
    assert made.id == "other" and not made.exists()
    with pytest.raises(ValueError, match="a task id is a text that is not empty, not None"):
        t.app.AsyncResult(None)


def test_a_signature_that_nobody_has_named_can_be_given_an_id_but_not_sent():
    nameless = Signature(task_id="mine")
    assert nameless.freeze().id == nameless.id
    both = chain(Signature(), Signature())
    assert both.freeze().id == both.tasks[-1].id
    with pytest.raises(RequestError, match="has no task name"):
        both.apply_async()
