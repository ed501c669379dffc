"""Helpers under Celery's names do what their users know of them."""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.app import amqp
from ignitetasks.app.registry import TaskRegistry
from ignitetasks.registry import TaskRegistry as Older
from ignitetasks.utils import functional, gen_task_name, import_from_cwd, log, nodenames, text, time
from ignitetasks.utils.imports import find_module
from ignitetasks.utils.iso8601 import parse_iso8601
from ignitetasks.utils.term import colored


def test_older_module_names_mean_the_same() -> None:
    assert Older is TaskRegistry
    assert amqp.Queue("a").name == "a"


def test_backoff_doubles_up_to_a_maximum_and_may_be_drawn() -> None:
    pauses = [time.get_exponential_backoff_interval(2, retries, 30) for retries in range(6)]
    assert pauses == [2, 4, 8, 16, 30, 30]
    drawn = {time.get_exponential_backoff_interval(4, 1, 100, full_jitter=True) for _ in range(300)}
    assert min(drawn) >= 0 and max(drawn) <= 8 and len(drawn) > 4
    assert time.get_exponential_backoff_interval(4, 1, 100, full_jitter=True, chance=lambda limit: limit - 1) == 8


@pytest.mark.parametrize(
    ("limit", "calls"), [("10/m", 10 / 60), ("5/s", 5), ("7200/h", 2), (3, 3), (None, 0), ("4", 4)]
)
def test_rates(limit: object, calls: float) -> None:
    assert time.rate(limit) == pytest.approx(calls)


def test_spans_in_words() -> None:
    assert time.humanize_seconds(90) == "1.50 minutes"
    assert time.humanize_seconds(3600) == "1.00 hour"
    assert time.humanize_seconds(0) == "now"
    assert time.humanize_seconds(4 * 86400, prefix="in", sep=" ") == "in 4.00 days"


def test_times_are_read_and_moved_between_zones() -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
    assert time.maybe_iso8601("2026-06-01T12:00:00Z") == noon
    assert time.maybe_iso8601(None) is None
    vienna = ZoneInfo("Europe/Vienna")
    assert time.maybe_make_aware(datetime(2026, 6, 1, 12), vienna).hour == 14
    assert time.make_aware(datetime(2026, 3, 29, 2, 30), vienna).hour == 3  # a time that was left out that night
    assert time.maybe_make_aware(datetime(2026, 6, 1, 12), "Europe/Vienna", naive_as_utc=False).hour == 12
    assert time.localize(noon, vienna).hour == 14
    assert time.maybe_timedelta(3) == timedelta(seconds=3)
    assert time.remaining(noon, timedelta(hours=1), now=noon + timedelta(minutes=20)) == timedelta(minutes=40)
    assert time.delta_resolution(noon + timedelta(minutes=5), timedelta(hours=2)) == noon
    assert time.weekday("Sunday") == 0
    with pytest.raises(KeyError):
        time.weekday("noday")


def test_texts() -> None:
    assert text.truncate("one two three", 9) == "one two..." or text.truncate("one two three", 9).endswith("...")
    assert text.abbr("abcdefgh", 5) == "ab..."
    assert text.abbrtask("shop.orders.tasks.confirm", 16) == "shop.o[.]confirm"
    assert text.abbrtask("shop.orders.tasks.confirm", 8) == "[.]confirm"
    assert text.abbrtask(None, 8) == text.abbr(None, 8) == "???"
    assert text.indent("a\nb", 2) == "  a\n  b"
    assert text.pluralize(2, "task") == "tasks"
    assert text.join(["a", "", "b"], ", ") == "a, b"
    assert text.simple_format("%h says %%", {"h": lambda: "host"}) == "host says %"
    assert text.ensure_newlines("a\n", 2) == "a\n\n"


def test_names_of_workers() -> None:
    assert nodenames.nodesplit("w1@host") == ("w1", "host")
    assert nodenames.nodesplit("host") == (None, "host")
    assert nodenames.default_nodename("w1@host") == "w1@host"
    assert nodenames.default_nodename(None) == f"celery@{nodenames.gethostname()}"
    assert nodenames.node_format("%n-%h.log", "w1@host.example") == "w1-host.example.log"
    assert nodenames.host_format("%d", "host.example") == "example"
    assert nodenames.anon_nodename("host") == nodenames.anon_nodename("host") == f"gen{os.getpid()}@host"


def test_lists_maps_and_functions() -> None:
    assert list(functional.chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert functional.maybe_list("a") == ["a"]
    assert functional.maybe_list(None) is None
    assert functional.first(lambda n: n > 2, [1, 3, 5]) == 3
    assert functional.firstmethod("get")([{}, {"a": 1}], "a") == 1
    assert functional.padlist(["a"], 3) == ["a", None, None]
    assert list(functional.uniq([1, 2, 1])) == [1, 2]
    assert list(functional.lookahead([1, 2, 3])) == [(1, 2), (2, 3), (3, None)]
    assert list(functional.lookahead([])) == []
    assert functional.regen(iter([1])) == [1]
    assert functional.dictfilter({"a": None, "b": 1}, c=None) == {"b": 1}
    assert functional.noop(1, x=2) is None  # type: ignore[func-returns-value]


def test_answers_are_kept_up_to_a_number() -> None:
    calls = []

    @functional.memoize(maxsize=2, keyfun=lambda args, kwargs: args)
    def double(n: int) -> int:
        calls.append(n)
        return 2 * n

    assert [double(1), double(2), double(1), double(3), double(1), double(2)] == [2, 4, 2, 6, 2, 4]
    assert calls == [1, 2, 3, 2]


def test_a_coloured_line_has_the_colour_of_its_level() -> None:
    record = logging.LogRecord("n", logging.ERROR, "f", 1, "wrong", None, None)
    assert log.ColorFormatter("%(message)s").format(record) == "\x1b[31mwrong\x1b[0m"
    assert log.ColorFormatter("%(message)s", use_color=False).format(record) == "wrong"
    record.levelno, record.levelname = logging.INFO, "INFO"
    assert log.ColorFormatter("%(message)s").format(record) == "wrong"
    assert log.task_logger.parent is log.base_logger


def test_colours_are_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    c = colored(enabled=True)
    assert str(c.red("x")) == "\x1b[1;31mx\x1b[0m" and str(c.bold("a", c.igreen("b"), "c")).endswith("\x1b[1mc\x1b[0m")
    assert c.red("hello ", c.blue("world")).no_color() == "hello world" and len(c.red("four")) == 4
    assert str(colored(enabled=False).red("x", colored().bold("y"))) == "xy"
    assert str(c.names["ERROR"]("x")) == str(c.red("x")) and c.red("a") + "b" == "\x1b[1;31ma\x1b[0mb"
    assert str(c.reset("x")) == "\x1b[0mx\x1b[0m" and repr(c.red("x")) == "'x'"
    with pytest.raises(AttributeError, match="'pink'"):
        _ = c.pink
    monkeypatch.setenv("NO_COLOR", "1")
    assert str(colored().red("x")) == "x"
    app = IgniteTasks("colours", transport="memory", set_as_current=False)
    assert str(app.log.colored(enabled=True).red("x")) == str(c.red("x"))
    assert str(app.log.colored(logfile="x.log", enabled=True).red("x")) == "x" and not app.log.supports_color()


def test_modules_and_moments_by_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "found_here.py").write_text("x = 1")
    assert find_module("found_here").name == "found_here" and find_module("found_nowhere.at.all") is None
    assert import_from_cwd("found_here", lambda name, package: (name, package)) == ("found_here", None)
    app = IgniteTasks("names", transport="memory", set_as_current=False)
    assert gen_task_name(app, "add", "shop.tasks") == "shop.tasks.add"
    assert parse_iso8601("2026-03-01T12:00:00+01:00").utcoffset() == timedelta(hours=1)
