"""What tasks print becomes log lines: ``worker_redirect_stdouts``, ``app.log`` and `LoggingProxy`."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest

from ignitetasks import IgniteTasks, signals
from ignitetasks.app.log import redirected
from ignitetasks.utils.log import REDIRECTED_LOGGER, LoggingProxy


class Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.seen = []

    def emit(self, record):
        self.seen.append((record.levelname, record.getMessage()))


@pytest.fixture
def lines():
    logger, handler = logging.getLogger(REDIRECTED_LOGGER), Lines()
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield handler.seen
    logger.removeHandler(handler)
    logger.level, logger.propagate = before


def test_a_line_is_one_record_however_many_pieces_it_is_printed_in(lines):
    proxy = LoggingProxy(logging.getLogger(REDIRECTED_LOGGER), "INFO", io.StringIO())
    print("total", 1, 2, file=proxy)
    print("no end yet", end="", file=proxy)
    assert lines == [("INFO", "total 1 2")]
    proxy.flush()
    proxy.write("\n\n")
    proxy.writelines(["a\n", "b\n"])
    assert lines[1:] == [("INFO", "no end yet"), ("INFO", "a"), ("INFO", "b")]
    assert not proxy.isatty()


def test_threads_do_not_mix_their_lines(lines):
    proxy = LoggingProxy(logging.getLogger(REDIRECTED_LOGGER), None, io.StringIO())
    proxy.write("mine ")
    other = threading.Thread(target=proxy.write, args=("theirs\n",))
    other.start()
    other.join()
    proxy.write("too\n")
    assert lines == [("WARNING", "theirs"), ("WARNING", "mine too")]


def test_a_handler_that_prints_what_fails_does_not_log_without_end():
    behind = io.StringIO()
    logger = logging.getLogger("test.redirected.broken")
    proxy = LoggingProxy(logger, "INFO", behind)

    class Broken(logging.Handler):
        def emit(self, record):
            print("cannot write", file=proxy)

    logger.addHandler(Broken())
    logger.setLevel("INFO")
    print("hello", file=proxy)
    assert behind.getvalue() == "cannot write\n"


def test_what_is_below_the_text_is_the_stream_behind(tmp_path):
    with open(tmp_path / "out", "w", encoding="utf-8") as behind:
        proxy = LoggingProxy(logging.getLogger(REDIRECTED_LOGGER), None, behind)
        assert (proxy.fileno(), proxy.encoding) == (behind.fileno(), "utf-8")


def test_a_worker_logs_what_is_printed_at_the_level_of_the_settings(lines):
    app = IgniteTasks("printing", transport="memory", worker_redirect_stdouts_level="ERROR")
    before = sys.stdout, sys.stderr
    with redirected(app):
        print("out")
        print("err", file=sys.stderr)
        print("at the end", end="")
    assert (sys.stdout, sys.stderr) == before
    assert lines == [("ERROR", "out"), ("ERROR", "err"), ("ERROR", "at the end")]


def test_nothing_is_redirected_where_that_is_off_or_logging_is_the_programs_own():
    app = IgniteTasks("printing", transport="memory", worker_redirect_stdouts=False)
    before = sys.stdout
    with redirected(app):
        assert sys.stdout is before
    app.conf.worker_redirect_stdouts = True

    def own(**_):
        """Sets up logging its own way."""

    signals.setup_logging.connect(own)
    try:
        with redirected(app):
            assert sys.stdout is before
    finally:
        signals.setup_logging.disconnect(own)


def test_a_task_can_log_what_it_prints_with_a_logger_of_its_own(lines, monkeypatch):
    app = IgniteTasks("printing", transport="memory")
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)

    @app.task(bind=True)
    def add(self, x, y):
        outs = sys.stdout, sys.stderr
        try:
            self.app.log.redirect_stdouts_to_logger(logging.getLogger(REDIRECTED_LOGGER), "INFO")
            print(f"Adding {x} + {y}")
            return x + y
        finally:
            sys.stdout, sys.stderr = outs

    assert add.apply((1, 2)).get() == 3
    assert lines == [("INFO", "Adding 1 + 2")]
