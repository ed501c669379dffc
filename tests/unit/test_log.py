"""Log events."""

from __future__ import annotations

import io
import json
import logging
import os

import pytest
import structlog

from ignitetasks import log


@pytest.fixture
def stream():
    root = logging.getLogger(log.ROOT)
    before = (list(root.handlers), root.level, root.propagate)
    yield io.StringIO()
    root.handlers[:], root.level, root.propagate = before
    root.setLevel(before[1])


def test_json_events_have_fixed_keys(stream):
    log.configure(json=True, level="info", stream=stream)
    tokens = log.bind(worker="w1")
    log.get_logger("part").info("task finished", task_id="x", queue="q", odd=object)
    log.get_logger("part").debug("not shown")
    log.unbind(tokens)
    log.get_logger("part").warning("later")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["task_id"], first["queue"], first["worker"]) == ("task finished", "x", "q", "w1")
    assert (first["level"], first["logger"]) == ("info", "ignitetasks.part")
    assert "timestamp" in first and first["process"] == os.getpid()
    assert second["event"] == "later" and "worker" not in second


def test_text_with_traceback_and_foreign_lines(stream):
    log.configure(json=False, stream=stream)
    try:
        raise ValueError("boom 100%")
    except ValueError:
        log.get_logger("part").error("task failed 50%", task_id="a%sb", exc_info=True)
    logging.getLogger("ignitetasks.other").info("plain %s", "line")
    text = stream.getvalue()
    assert "task failed 50%" in text and "a%sb" in text and "boom 100%" in text and "plain line" in text


def test_configure_replaces_its_own_handler_only(stream):
    mine = logging.NullHandler()
    logging.getLogger(log.ROOT).addHandler(mine)
    log.configure(json=True, stream=stream)
    log.configure(json=True, stream=stream)
    handlers = logging.getLogger(log.ROOT).handlers
    assert mine in handlers and len([one for one in handlers if isinstance(one, logging.StreamHandler)]) == 1


def test_unconfigured_events_reach_the_application_s_handlers(caplog, stream):
    logging.getLogger(log.ROOT).propagate = True
    with caplog.at_level(logging.INFO, "ignitetasks"):
        log.get_logger("quiet").info("session replaced", waiting=3)
    assert "session replaced waiting=3" in caplog.text


def test_a_fact_neither_hides_a_fixed_key_nor_is_lost_to_one(stream):
    log.configure(json=True, stream=stream)
    log.get_logger("part").info("child left", pid=7, level="low", logger="mine", process=8, timestamp="now", event_="x")
    line = json.loads(stream.getvalue())
    assert (line["pid"], line["process"], line["process_"]) == (7, os.getpid(), 8)
    assert (line["level"], line["level_"]) == ("info", "low")
    assert (line["logger"], line["logger_"], line["timestamp_"]) == ("ignitetasks.part", "mine", "now")


def test_what_a_program_binds_with_structlog_is_on_our_lines_too(stream):
    log.configure(json=True, stream=stream)
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        log.get_logger("part").info("sent", queue="q")
    assert json.loads(stream.getvalue())["request_id"] == "r1"


def test_the_caller_is_the_line_that_logged(stream):
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger(log.ROOT).addHandler(handler)
    log.get_logger("part").warning("here")
    assert records[0].filename == "test_log.py"
