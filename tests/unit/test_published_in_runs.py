"""Who is told of a publish hears also of those that a run causes: repeats, next steps, callbacks and errbacks.

They are told while that run is the current one and before it is over: what follows the run of a traced task belongs to
its trace.
"""

from __future__ import annotations

import pytest
from support.canvas_tasks import memory_app

from ignitetasks import chain, chord, current_task, group, signals
from ignitetasks.worker import announced
from ignitetasks.worker.inprocess import InProcessWorker
from ignitetasks.worker.main import make_plan

LIMIT = 20


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks:

        @tasks.app.task(bind=True, name="runs.headers")
        def headers(self, *_):
            return self.request.headers.get("from"), self.request.retries, self.request.origin is not None

        @tasks.app.task(bind=True, name="runs.again")
        def again(self, *args, **kwargs):
            if not self.request.retries:
                raise self.retry(countdown=0, **kwargs)
            return self.request.headers.get("from"), list(args)

        @tasks.app.task(name="runs.fails", autoretry_for=(KeyError,), default_retry_delay=0, max_retries=1)
        def fails(*_):
            raise KeyError(current_task.request.headers.get("from"))

        tasks.headers, tasks.again, tasks.fails = headers, again, fails
        with tasks.app.local_worker(concurrency=1, pool="threads"):
            yield tasks


@pytest.fixture
def told():
    """What happens, in order: who publishes what, and which runs begin and end."""
    heard = []

    def publish(sender, headers, body, **_):
        by = current_task.name if current_task else "client"
        headers["from"] = by
        heard.append(("publish", sender, by, headers["retries"], headers["id"]))

    def over(sender, **_):
        heard.append(("over", sender.name))

    def published(sender, headers, **_):
        heard.append(("published", sender, headers["from"]))

    signals.before_task_publish.connect(publish)
    signals.after_task_publish.connect(published)
    signals.task_postrun.connect(over)
    try:
        yield heard
    finally:
        signals.before_task_publish.disconnect(publish)
        signals.after_task_publish.disconnect(published)
        signals.task_postrun.disconnect(over)


def test_the_next_step_is_told_by_the_run_before_it(t, told):
    end = chain(t.add.s(1, 2), t.headers.s(), t.headers.s()).apply_async()
    assert end.get(timeout=LIMIT) == ["runs.headers", 0, True]
    assert [one[:3] for one in told if one[0] != "published"][:5] == [
        ("publish", t.add.name, "client"),
        ("publish", "runs.headers", t.add.name),
        ("over", t.add.name),
        ("publish", "runs.headers", "runs.headers"),
        ("over", "runs.headers"),
    ]
    assert ("published", "runs.headers", t.add.name) in told


@pytest.mark.parametrize("follows", ["link", "group", "chord"])
def test_what_follows_sees_what_the_run_before_it_put_in(t, told, follows):
    if follows == "link":
        sent = t.add.apply_async((1, 2), link=t.headers.si())
        sent.get(timeout=LIMIT)
        values = [one.get(timeout=LIMIT) for one in sent.children]
    elif follows == "group":
        values = (t.add.si(1, 2) | group(t.headers.si(), t.headers.si())).apply_async().get(timeout=LIMIT)
    else:
        steps = t.add.si(1, 2) | chord([t.headers.si(), t.headers.si()], t.identity.s())
        values = steps.apply_async().get(timeout=LIMIT)
    assert [value[0] for value in values] == [t.add.name] * len(values)


def test_a_repeat_is_told_and_has_the_headers_it_was_given(t, told):
    sent = t.again.delay(1, 2)
    assert list(sent.get(timeout=LIMIT)) == ["runs.again", [1, 2]]
    assert [one for one in told if one[0] == "publish"] == [
        ("publish", "runs.again", "client", 0, sent.id),
        ("publish", "runs.again", "runs.again", 1, sent.id),
    ]
    assert told.index(("publish", "runs.again", "runs.again", 1, sent.id)) < told.index(("over", "runs.again"))
    assert told.count(("published", "runs.again", "runs.again")) == 1


def test_a_repeat_keeps_what_follows_it_and_what_it_had(t, told):
    end = (t.again.si(3).set(headers={"mine": 1}, shadow="s") | t.headers.s()).apply_async()
    assert end.get(timeout=LIMIT)[0] == "runs.again"
    assert list(end.parent.get(timeout=LIMIT)) == ["runs.again", [3]]


def test_a_receiver_may_change_the_arguments_of_a_repeat(t):
    def change(sender, headers, body, **_):
        if headers["retries"]:
            body[0][:] = ["changed", *body[0]]

    signals.before_task_publish.connect(change)
    try:
        assert list(t.again.delay(1).get(timeout=LIMIT)) == [None, ["changed", 1]]
        assert list(t.again.delay(args=(5,)).get(timeout=LIMIT)) == [None, ["changed", 5]]
    finally:
        signals.before_task_publish.disconnect(change)


def test_a_repeat_by_itself_is_told_and_an_errback_before_the_failure_is_over(t, told):
    sent = t.fails.apply_async(link_error=t.headers.si())
    with pytest.raises(KeyError) as caught:
        sent.get(timeout=LIMIT)
    assert caught.value.args == ("runs.fails",)  # the second run has what the first one's publish was given
    (errback,) = sent.children
    assert errback.get(timeout=LIMIT)[0] == "runs.fails"
    kinds = [one[:3] for one in told if one[0] in ("publish", "over") and one[1] != "over"]
    assert kinds[:5] == [
        ("publish", "runs.fails", "client"),
        ("publish", "runs.fails", "runs.fails"),
        ("over", "runs.fails"),
        ("publish", "runs.headers", "runs.fails"),
        ("over", "runs.fails"),
    ]


def test_nobody_who_listens_means_no_word(t, monkeypatch):
    monkeypatch.setattr(announced, "same", lambda *_: pytest.fail("told of a repeat that nobody wants to hear of"))
    assert list(t.again.delay(1).get(timeout=LIMIT)) == [None, [1]]


def test_coroutines_tell_as_functions_do(told):
    with memory_app() as tasks:

        @tasks.app.task(bind=True, name="runs.slow")
        async def slow(self, *_):
            if not self.request.retries:
                raise self.retry(countdown=0)
            return self.request.headers.get("from")

        plan = make_plan(tasks.app, pool="asyncio", concurrency=1)
        with InProcessWorker(tasks.app, plan):
            end = (slow.s() | slow.s()).apply_async()
            assert end.get(timeout=LIMIT) == "runs.slow"
    assert [one[:4] for one in told if one[0] == "publish"] == [
        ("publish", "runs.slow", "client", 0),
        ("publish", "runs.slow", "runs.slow", 1),
        ("publish", "runs.slow", "runs.slow", 0),
        ("publish", "runs.slow", "runs.slow", 1),
    ]
