"""Rates as users write them, and as the node is told of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from beats import StoreTransport

from ignitetasks import IgniteTasks, rates
from ignitetasks.errors import InvalidOption


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("10/s", "10/s"),
        ("10/m", "10/m"),
        ("1/h", "1/h"),
        ("0.5/s", "0.5/s"),
        ("100", "100/s"),
        (2, "2/s"),
        (0.25, "0.25/s"),
        (None, ""),
        ("", ""),
        (0, ""),
        ("0/m", ""),
    ],
)
def test_rates_as_written(written, told):
    assert rates.rate_text(written) == told


@pytest.mark.parametrize("wrong", ["ten/s", "10/d", "10/", "/m", "-1/s", -1, True, "nan", float("inf"), [], "1/s/s"])
def test_a_wrong_rate_is_refused_with_the_option_s_name(wrong):
    with pytest.raises(InvalidOption, match="rate_limit"):
        rates.rate_text(wrong)


def test_only_tasks_with_a_rate_are_told_of():
    tasks = {"a": SimpleNamespace(rate_limit="10/m"), "b": SimpleNamespace(rate_limit=None), "c": SimpleNamespace()}
    assert rates.declared(tasks) == {"a": "10/m"}


def test_rates_set_at_run_time_are_durable_and_homes_are_told():
    transport = StoreTransport()
    transport.rates_changed = lambda: []
    rates.set_rate(transport, "shop.mail", "5/m")
    rates.set_rate(transport, "shop.free", None)
    assert rates.rates_set(transport) == {"shop.mail": "5/m", "shop.free": ""}
    rates.reset_rate(transport, "shop.free")
    assert rates.rates_set(transport) == {"shop.mail": "5/m"}
    assert transport.calls.count("rates_changed") == 3
    with pytest.raises(InvalidOption):
        rates.set_rate(transport, "shop.mail", "often")


def test_a_project_that_disables_rate_limits_declares_none():
    app = IgniteTasks("unlimited", broker="memory://unlimited")
    limited = app.task(name="limited", rate_limit="10/m")(lambda: None)
    assert rates.declared({"limited": limited}) == {"limited": "10/m"}
    app.conf.worker_disable_rate_limits = True
    assert rates.declared({"limited": limited}) == {}


def test_each_app_has_a_schedule_of_its_own():
    first, second = IgniteTasks("first-schedule"), IgniteTasks("second-schedule")
    first.conf.beat_schedule["tick"] = {"task": "t", "schedule": 1}
    assert (list(first.conf.beat_schedule), second.conf.beat_schedule) == (["tick"], {})
