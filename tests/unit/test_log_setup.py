"""``app.log``: a process that is no worker sets up its log as one."""

from __future__ import annotations

import io
import logging

import pytest

from ignitetasks import IgniteTasks, signals
from ignitetasks.app.log import Logging
from ignitetasks.contrib.testing.app import UnitLogging
from ignitetasks.utils.log import TASK_LOGGER, get_task_logger

_NAMES = ("", "ignitetasks", TASK_LOGGER, "ignitetasks.worker.strategy", "ignitetasks.app.trace")


@pytest.fixture
def app():
    return IgniteTasks("logs", transport="memory", set_as_current=False)


@pytest.fixture(autouse=True)
def loggers_as_before():
    kept = [(one, list(one.handlers), one.level, one.propagate) for one in map(logging.getLogger, _NAMES)]
    yield
    for one, handlers, level, propagate in kept:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


def test_the_task_logger_gets_a_handler_and_its_receivers_are_told(app):
    told, stream = [], io.StringIO()

    def receiver(logger, loglevel, format, **_):
        told.append((logger.name, loglevel, format))

    signals.after_setup_task_logger.connect(receiver)
    try:
        logger = app.log.setup_task_loggers("INFO", stream, "%(levelname)s %(task_name)s %(message)s")
    finally:
        signals.after_setup_task_logger.disconnect(receiver)
    get_task_logger("a.module.of.tasks").info("hello")
    assert (logger.name, logger.propagate) == (TASK_LOGGER, False)
    assert told == [(TASK_LOGGER, logging.INFO, "%(levelname)s %(task_name)s %(message)s")]
    assert stream.getvalue() == "INFO ??? hello\n"


def test_the_task_logger_may_pass_on(app):
    assert app.log.setup_task_loggers().propagate is False
    assert app.log.setup_task_loggers(propagate=True).propagate is True


def test_a_log_is_set_up_once(app, tmp_path):
    app.conf.worker_log_format = "%(levelname)s %(message)s"
    path = tmp_path / "log"
    assert app.log.setup(loglevel=logging.WARNING, logfile=str(path)) is False
    handlers = list(logging.getLogger().handlers)
    assert app.log.already_setup and app.log.setup() is False and logging.getLogger().handlers == handlers
    logging.getLogger("somebody").info("not heard")
    logging.getLogger("somebody").warning("heard")
    handlers[0].stream.close()
    assert path.read_text() == "WARNING heard\n"


def test_receivers_of_setup_logging_do_it_themselves(app):
    told = []

    def receiver(loglevel, **_):
        told.append(loglevel)

    signals.setup_logging.connect(receiver)
    before = list(logging.getLogger().handlers)
    try:
        assert app.log.setup("debug") is True
    finally:
        signals.setup_logging.disconnect(receiver)
    assert told == [logging.DEBUG] and logging.getLogger().handlers == before


def test_the_log_of_a_test_is_left_alone(app):
    app.log = UnitLogging(app)
    before = list(logging.getLogger().handlers)
    assert isinstance(app.log, Logging) and app.log.setup() is False
    assert logging.getLogger().handlers == before


def test_layouts_of_lines_and_of_their_times_may_be_given(app):
    stream = io.StringIO()
    app.log.setup_logging_subsystem("INFO", stream, "%(asctime)s %(message)s", datefmt="at-%Y")
    logging.getLogger("somebody").info("hello")
    assert stream.getvalue().startswith("at-20") and stream.getvalue().endswith(" hello\n")
    own = io.StringIO()
    app.log.setup_task_loggers("INFO", own, "%(asctime)s %(task_id)s %(message)s", datefmt="at-%Y")
    get_task_logger("tasks").info("done")
    assert own.getvalue().startswith("at-20") and own.getvalue().endswith(" ??? done\n")
