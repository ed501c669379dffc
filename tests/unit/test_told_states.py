"""States told by id, from wherever: what is shown, what becomes an end, and what nobody can change."""

from __future__ import annotations

import itertools

import pytest

from ignitetasks import IgniteTasks, chain, states
from ignitetasks.context import Context
from ignitetasks.errors import InvalidTaskError, PayloadTooLarge, TaskRevokedError
from ignitetasks.exceptions import Ignore

PATIENCE = 20
_numbers = itertools.count(1)


@pytest.fixture
def app():
    made = IgniteTasks("told-states", transport=f"memory://told-states-{next(_numbers)}")

    @made.task(name="tell", bind=True)
    def tell(self, state, meta, after="ignore"):
        self.update_state(state=state, meta=meta)
        if after == "ignore":
            raise Ignore
        return after

    @made.task(name="double")
    def double(x):
        return 2 * x

    yield made
    made.close()


@pytest.fixture
def new_id():
    return f"told-{next(_numbers)}-0000"


def test_any_id_can_be_given_a_state_of_ones_own(app, new_id):
    app.backend.store_result(new_id, {"done": 40}, "PROGRESS")
    found = app.AsyncResult(new_id)
    assert (found.state, found.info, found.ready(), found.exists()) == ("PROGRESS", {"done": 40}, False, True)
    assert app.backend.get_task_meta(new_id)["status"] == "PROGRESS"
    app.tasks["double"].update_state(task_id=new_id, state="LATER", meta=1)
    assert (found.state, found.result) == ("LATER", 1)


def test_a_state_of_ones_own_stays_where_the_run_is_ignored(app):
    step = app.tasks["double"]
    with app.local_worker(1, pool="solo"):
        alone = app.tasks["tell"].delay("PAUSED", {"at": 3})
        assert (alone.get(timeout=PATIENCE), alone.state, alone.info) == ({"at": 3}, "PAUSED", {"at": 3})
        assert alone.ready() and not alone.successful() and not alone.failed()
        last = chain(app.tasks["tell"].s("PAUSED", 1), step.s())()
        assert (last.get(timeout=PATIENCE), last.state) == (None, states.IGNORED)
        assert (last.parent.state, last.parent.info) == ("PAUSED", 1)


def test_a_task_that_waits_is_shown_so_until_it_ends(app, new_id):
    sent = app.tasks["double"].apply_async((4,), task_id=new_id)
    app.backend.store_result(new_id, "soon", "QUEUED")
    assert (sent.state, sent.info) == ("QUEUED", "soon")
    with app.local_worker(1, pool="solo"):
        assert sent.get(timeout=PATIENCE) == 8
    assert (sent.state, app.AsyncResult(new_id).info) == (states.SUCCESS, 8)


def test_an_end_can_be_stored_for_an_id_that_nobody_has_sent(app, new_id):
    app.backend.store_result(new_id, [1, 2], states.SUCCESS)
    assert app.AsyncResult(new_id).get(timeout=PATIENCE) == [1, 2]
    failed = f"{new_id}-failed"
    app.backend.store_result(failed, KeyError("x"), states.FAILURE, traceback="here")
    with pytest.raises(KeyError):
        app.AsyncResult(failed).get(timeout=PATIENCE)
    assert "here" in app.AsyncResult(failed).traceback
    with pytest.raises(InvalidTaskError, match="its run alone decides"):
        app.backend.store_result(new_id, 3, states.SUCCESS)


def test_the_end_of_a_task_that_was_sent_is_its_runs(app, new_id):
    sent = app.tasks["double"].apply_async((4,), task_id=new_id, countdown=3600)
    for state in (states.SUCCESS, states.FAILURE):
        with pytest.raises(InvalidTaskError, match="its run alone decides"):
            app.backend.store_result(new_id, 3, state)
    assert not sent.ready()
    sent.revoke()


def test_what_is_no_end_and_no_state_is_refused(app, new_id):
    with pytest.raises(InvalidTaskError, match="SUCCESS, FAILURE, REVOKED or a state"):
        app.backend.store_result(new_id, None, states.REJECTED)
    for state in ("PROGRESS", states.SUCCESS):
        with pytest.raises(PayloadTooLarge):
            app.backend.store_result(new_id, "x" * 70_000, state)


@pytest.mark.parametrize("pool", ["solo", "asyncio"])
def test_a_task_that_tells_its_end_and_asks_to_be_ignored(app, pool):
    with app.local_worker(1, pool=pool):
        tell = app.tasks["tell"]
        assert tell.delay(states.SUCCESS, {"rows": 3}).get(timeout=PATIENCE) == {"rows": 3}
        failed = tell.delay(states.FAILURE, {"exc_type": "ValueError", "exc_message": ["no rows"]})
        with pytest.raises(ValueError, match="no rows"):
            failed.get(timeout=PATIENCE)
        assert failed.state == states.FAILURE
        with pytest.raises(Exception, match="bad weather"):
            tell.delay(states.FAILURE, "bad weather").get(timeout=PATIENCE)
        assert tell.delay(states.FAILURE, "not after all", "fine").get(timeout=PATIENCE) == "fine"
        flow = chain(tell.s(states.SUCCESS, 4), app.tasks["double"].s()).apply_async()
        assert flow.get(timeout=PATIENCE) == 8


def test_eager_results_are_kept_where_that_is_wanted(app):
    double = app.tasks["double"]
    app.conf.update(task_always_eager=True)
    kept = double.apply_async((2,))
    assert app.AsyncResult(kept.id).state == states.PENDING
    app.conf.task_store_eager_result = True

    @app.task(name="keeps")
    def keeps(x):
        return 10 / x

    kept = keeps.delay(5)
    assert app.AsyncResult(kept.id).get(timeout=PATIENCE) == kept.get() == 2
    lost = keeps.delay(0)
    with pytest.raises(ZeroDivisionError):
        app.AsyncResult(lost.id).get(timeout=PATIENCE)
    unkept = keeps.apply_async((5,), ignore_result=True)
    assert app.AsyncResult(unkept.id).state == states.PENDING


def test_the_words_of_a_result_backend(app, new_id):
    backend = app.backend
    backend.mark_as_started(new_id, pid=7)
    assert backend.get_task_meta(new_id)["status"] == states.STARTED and backend.task_result_exists(new_id)
    backend.mark_as_retry(new_id, KeyError("once more"))
    found = app.AsyncResult(new_id)
    assert found.state == states.RETRY and isinstance(found.result, KeyError) and not found.ready()
    backend.mark_as_revoked(new_id, "not needed")
    assert found.state == states.REVOKED
    with pytest.raises(TaskRevokedError, match="not needed"):
        found.get(timeout=PATIENCE)


def test_nothing_is_stored_where_nobody_wants_it(app, new_id):
    backend = app.backend
    backend.mark_as_done(new_id, 1, store_result=False)
    backend.mark_as_done(new_id, 1, request=Context(ignore_result=True))
    backend.mark_as_failure(new_id, KeyError("x"), store_result=False)
    backend.mark_as_revoked(new_id, store_result=False)
    assert backend.mark_as_retry(new_id, KeyError("x"), store_result=False) is None
    assert not backend.task_result_exists(new_id)
    backend.mark_as_failure(new_id, KeyError("x"), request=Context(task="double", queue="mail"))
    meta = backend.get_task_meta(new_id)
    assert (meta["status"], meta["name"], meta["queue"]) == (states.FAILURE, "double", "mail")


@pytest.mark.parametrize("extended", [False, True])
def test_arguments_are_kept_with_the_result_where_the_setting_says_so(app, extended):
    app.conf.result_extended = extended
    sent = app.tasks["double"].delay(4)
    assert (sent.args, sent.kwargs) == ([4], {})
    with app.local_worker(1, pool="solo"):
        assert sent.get(timeout=PATIENCE) == 8
    assert (sent.args, sent.kwargs) == (([4], {}) if extended else (None, None))
    meta = app.AsyncResult(sent.id)._get_task_meta()
    assert (meta["status"], meta["result"], meta["name"], meta["retries"]) == (states.SUCCESS, 8, "double", 0)
    assert meta["args"] == ([4] if extended else None) and meta["worker"] and meta["date_done"] == sent.date_done
