"""What the log says of each task: Celery's words, with the facts as keys, and values only where they may be seen."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest

from ignitetasks import IgniteTasks, Ignore, Reject, log, signals
from ignitetasks.app import logsetup, tasklog, trace
from ignitetasks.app.log import TaskFormatter
from ignitetasks.contrib.testing.worker import start_worker
from ignitetasks.utils.log import get_task_logger

LIMIT = 30.0
LAID_OUT = (("add", (2, 2)), ("fail", ("boom",)), ("refuse", ("reject",)))


@pytest.fixture
def app():
    app = IgniteTasks("logging", transport="memory", set_as_current=False)

    @app.task(name="add")
    def add(x, y):
        return x + y

    @app.task(name="fail", throws=(KeyError,))
    def fail(word):
        raise KeyError(word) if word == "known" else ValueError(word)

    @app.task(name="again", bind=True, max_retries=1)
    def again(self):
        if not self.request.retries:
            raise self.retry(exc=OSError("busy"), countdown=0)

    @app.task(name="by_itself", bind=True, autoretry_for=(OSError,), default_retry_delay=0, max_retries=1)
    def by_itself(self):
        if not self.request.retries:
            raise OSError("busy")

    @app.task(name="refuse")
    def refuse(how):
        raise Reject("50% no") if how == "reject" else Ignore()

    yield app
    app.close()


@pytest.fixture
def own_logger():
    """Whatever sets up logging for a program is taken back."""
    root = logging.getLogger(log.ROOT)
    before = root.level, list(root.handlers), root.propagate
    everybody = logging.getLogger()
    others = everybody.level, list(everybody.handlers)
    tasks = logging.getLogger("ignitetasks.task")
    theirs = list(tasks.handlers), tasks.propagate
    yield root
    tasks.handlers[:], tasks.propagate = theirs
    root.level, root.handlers[:], root.propagate = before
    root.setLevel(before[0])
    everybody.setLevel(others[0])
    everybody.handlers[:] = others[1]
    tasklog.set_level(logging.NOTSET)


def said(caplog, task_id):
    return [
        (record.name.removeprefix("ignitetasks."), record.levelname, record.getMessage().replace(task_id, "ID"))
        for record in caplog.records
        if f"[{task_id}]" in record.getMessage()
    ]


@pytest.mark.parametrize("pool", ["solo", "threads", "asyncio"])
def test_each_run_is_told_of(app, caplog, pool):
    caplog.set_level(logging.INFO)
    with start_worker(app, pool=pool):
        calls = {
            "add": app.tasks["add"].delay(2, 2),
            "fail": app.tasks["fail"].delay("boom"),
            "known": app.tasks["fail"].delay("known"),
            "again": app.tasks["again"].delay(),
            "by_itself": app.tasks["by_itself"].delay(),
            "ignore": app.tasks["refuse"].delay("ignore"),
            "reject": app.tasks["refuse"].delay("reject"),
        }
        for sent in calls.values():
            sent.get(timeout=LIMIT, propagate=False)
    told = {name: said(caplog, sent.id) for name, sent in calls.items()}
    received = ("worker.strategy", "INFO")
    assert told["add"][0] == (*received, "Task add[ID] received")
    name, level, text = told["add"][1]
    assert (name, level) == ("app.trace", "INFO") and len(told["add"]) == 2
    assert re.fullmatch(r"Task add\[ID\] succeeded in \d+\.\d+s: 4", text)  # however long the machine was busy
    assert told["fail"][1:] == [("app.trace", "ERROR", "Task fail[ID] raised unexpected: ValueError('boom')")]
    assert told["known"][1:] == [("app.trace", "INFO", "Task fail[ID] raised expected: KeyError('known')")]
    assert told["again"][1] == ("app.trace", "INFO", "Task again[ID] retry: Retry in 0s: OSError('busy')")
    assert told["by_itself"][1] == ("app.trace", "INFO", "Task by_itself[ID] retry: Retry in 0s: OSError('busy')")
    assert [one[2].partition(" in ")[0] for one in told["again"][2:]] == [
        "Task again[ID] received",
        "Task again[ID] succeeded",
    ]
    assert told["ignore"][1:] == [("app.trace", "INFO", "Task refuse[ID] ignored")]
    assert told["reject"][1][:2] == ("app.trace", "WARNING") and "rejected: Reject(" in told["reject"][1][2]
    (failure,) = [one for one in caplog.records if "raised unexpected" in one.getMessage()]
    assert failure.exc_info and failure.exc_info[0] is ValueError
    assert failure.data["id"] == calls["fail"].id and failure.data["exc"] == "ValueError('boom')"


def test_a_level_may_change_while_the_worker_runs(app, caplog):
    with start_worker(app):
        caplog.set_level(logging.WARNING)
        quiet = app.tasks["add"].delay(1, 1)
        quiet.get(timeout=LIMIT)
        caplog.set_level(logging.INFO, "ignitetasks.app.trace")
        heard = app.tasks["add"].delay(1, 1)
        heard.get(timeout=LIMIT)
    assert said(caplog, quiet.id) == []
    assert [one[0] for one in said(caplog, heard.id)] == ["app.trace"]


def test_eager_runs_are_told_of_too(app, caplog):
    caplog.set_level(logging.INFO)
    done = app.tasks["add"].apply((1, 2))
    lost = app.tasks["fail"].apply(("boom",))
    assert [one[2].partition(" in ")[0] for one in said(caplog, done.id)] == ["Task add[ID] succeeded"]
    assert [one[2] for one in said(caplog, lost.id)] == ["Task fail[ID] raised unexpected: ValueError('boom')"]


def test_a_program_may_lay_the_lines_out_itself(app, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(trace, "LOG_SUCCESS", "Task %(name)s[%(id)s] done in %(runtime)ss")
    monkeypatch.setattr(trace, "LOG_FAILURE", "[%(id)s] %(description)s, called with %(args)s %(kwargs)s")
    monkeypatch.setattr(trace, "LOG_RECEIVED", "[%(id)s] %(unknown)s")
    monkeypatch.setattr(trace, "LOG_REJECTED", "[%(id)s] sent back")
    with start_worker(app):
        done, lost, refused = (app.tasks[name].delay(*args) for name, args in LAID_OUT)
        for sent in (done, lost, refused):
            sent.get(timeout=LIMIT, propagate=False)
    lines = said(caplog, done.id)
    assert lines[0][2] == "Task add[ID] received", "a layout with names that there are not is not used"
    assert re.fullmatch(r"Task add\[ID\] done in \d[\d.e-]*s", lines[1][2])
    assert said(caplog, lost.id)[1][2] == "[ID] raised unexpected, called with ('boom',) {}"
    assert said(caplog, refused.id)[1][2] == "[ID] sent back"


def test_a_shadow_is_the_name_that_is_shown(app, caplog):
    caplog.set_level(logging.INFO)
    with start_worker(app):
        sent = app.tasks["add"].apply_async((1, 2), shadow="sum")
        sent.get(timeout=LIMIT)
    assert said(caplog, sent.id)[0][2] == "Task sum[ID] received"


@pytest.mark.parametrize(("values", "shown"), [(False, False), (True, True), (None, False)])
def test_values_are_in_a_file_only_where_that_is_wanted(app, own_logger, values, shown):
    stream = io.StringIO()
    log.configure(json=True, level="info", stream=stream, values=values)
    done = app.tasks["add"].apply((40, 2))
    app.tasks["fail"].apply(("s3cret",))
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["task"], first["task_id"], first["logger"]) == ("add", done.id, "ignitetasks.app.trace")
    assert first["runtime"] < LIMIT and first["event"].startswith(f"Task add[{done.id}] succeeded in ")
    assert first["event"].endswith("s: 42" if shown else "s")
    assert second["error"] == "ValueError" and second["place"] and "raised unexpected: ValueError" in second["event"]
    assert ("s3cret" in stream.getvalue()) is shown and ("exception" in second) is shown


@pytest.mark.parametrize(
    ("level", "configured", "talks"),
    [(None, None, False), ("info", None, True), (None, "info", True), ("warning", None, False)],
)
def test_a_worker_tells_of_runs_when_it_is_asked_to(app, own_logger, level, configured, talks):
    app.configure(log_level=configured)
    stream = io.StringIO()
    logsetup.set_up(app, level, True, stream)
    assert tasklog.heard() is talks
    app.tasks["add"].apply((1, 1))
    app.tasks["fail"].apply(("boom",))
    assert ("succeeded" in stream.getvalue()) is talks and "raised unexpected" in stream.getvalue()


def test_a_layout_of_ones_own_has_all_words(app, own_logger):
    app.conf.worker_log_format = "%(levelname)s %(message)s"
    stream = io.StringIO()
    logsetup.set_up(app, "info", None, stream)
    done = app.tasks["add"].apply((1, 1))
    assert stream.getvalue().startswith(f"INFO Task add[{done.id}] succeeded in ")
    assert stream.getvalue().endswith("s: 2\n")


def test_receivers_of_the_logging_signals_find_handlers_and_may_add_some(app, own_logger):
    worker, theirs = io.StringIO(), io.StringIO()

    def add(logger=None, **_):
        logger.addHandler(logging.StreamHandler(theirs))

    def lay_out(logger=None, **_):
        for handler in logger.handlers:
            handler.setFormatter(TaskFormatter("own %(task_name)s %(message)s", use_color=False))

    signals.after_setup_logger.connect(add)
    signals.after_setup_task_logger.connect(lay_out)
    try:
        logsetup.set_up(app, "info", True, worker)
    finally:
        signals.after_setup_logger.disconnect(add)
        signals.after_setup_task_logger.disconnect(lay_out)

    @app.task(name="say")
    def say():
        get_task_logger("a.module").info("hello")

    done = say.apply()
    logging.getLogger("somebody.else").info("a line of others")
    log.get_logger("worker").info("worker became ready")
    assert worker.getvalue().count("own say hello\n") == 1
    assert f"Task say[{done.id}] succeeded in " in theirs.getvalue()
    for words in ("a line of others", "worker became ready", f"Task say[{done.id}] succeeded"):
        assert worker.getvalue().count(words) == theirs.getvalue().count(words) == 1


def test_without_hijacking_the_handlers_of_others_stay(app, own_logger):
    app.conf.worker_hijack_root_logger = False
    before, stream = list(logging.getLogger().handlers), io.StringIO()
    logsetup.set_up(app, "info", True, stream)
    logging.getLogger("somebody.else").warning("a line of others")
    log.get_logger("worker").info("worker became ready")
    assert logging.getLogger().handlers == before
    assert "worker became ready" in stream.getvalue() and "others" not in stream.getvalue()


def test_without_hijacking_a_root_logger_that_has_no_handler_is_given_one(app, own_logger):
    app.conf.worker_hijack_root_logger = False
    logging.getLogger().handlers[:] = [logging.NullHandler()]
    stream = io.StringIO()
    logsetup.set_up(app, "info", True, stream)
    logging.getLogger("somebody.else").info("a line of others")
    assert "a line of others" in stream.getvalue()
