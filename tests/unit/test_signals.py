"""Signals: who is told, in what order, and what a failing receiver does (nothing)."""

from __future__ import annotations

import gc
import logging

import pytest

from ignitetasks import signals
from ignitetasks.utils.dispatch import Group, Signal
from ignitetasks.utils.dispatch import signal as signal_module


@pytest.fixture
def heard():
    return []


def test_receivers_are_told_in_order_with_signal_sender_and_news(heard):
    signal = Signal(name="news")
    signal.connect(lambda **named: heard.append(("first", named)), weak=False)
    signal.connect(lambda **named: heard.append(("second", named)), weak=False)
    signal.send("me", fact=1)
    assert heard == [
        ("first", {"signal": signal, "sender": "me", "fact": 1}),
        ("second", {"signal": signal, "sender": "me", "fact": 1}),
    ]


def test_connect_is_a_decorator_with_and_without_arguments(heard):
    signal = Signal()

    @signal.connect
    def plain(**_):
        heard.append("plain")

    @signal.connect(sender="a")
    def only_a(**_):
        heard.append("a")

    signal.send("a")
    signal.send("b")
    assert heard == ["plain", "a", "plain"]
    assert plain.__name__ == "plain"


def test_a_text_sender_matches_a_task_of_that_name(heard):
    class Named:
        name = "shop.pay"

    signal, task = Signal(), Named()
    signal.connect(lambda **_: heard.append("by name"), sender="shop.pay", weak=False)
    signal.connect(lambda **_: heard.append("by object"), sender=task, weak=False)
    signal.connect(lambda **_: heard.append("other"), sender=Named(), weak=False)
    signal.send(task)
    assert heard == ["by name", "by object"]


def test_receivers_are_held_weakly_unless_told_otherwise(heard):
    signal = Signal(group=(group := Group()))

    class Listener:
        def hear(self, **_):
            heard.append("heard")

    listener = Listener()
    signal.connect(listener.hear)
    signal.send(None)
    assert heard == ["heard"] and group.receivers == 1
    del listener
    gc.collect()
    signal.send(None)
    assert heard == ["heard"]
    assert not signal.receivers and group.receivers == 0


def test_dispatch_uid_and_repeated_connects_count_once(heard):
    signal = Signal()

    def receiver(**_):
        heard.append(1)

    signal.connect(receiver)
    signal.connect(receiver)
    signal.send(None)
    for _ in range(2):
        signal.connect(lambda **_: heard.append(2), weak=False, dispatch_uid="two")
    signal.send(None)
    assert heard == [1, 1, 2]


def test_disconnect(heard):
    signal = Signal(group=(group := Group()))

    def receiver(**_):
        heard.append(1)

    signal.connect(receiver, sender="a")
    assert not signal.disconnect(receiver)
    assert signal.has_listeners("a") and not signal.has_listeners("b")
    assert signal.disconnect(receiver, sender="a")
    signal.connect(receiver, dispatch_uid="x")
    assert signal.disconnect(dispatch_uid="x")
    signal.send("a")
    assert heard == [] and group.receivers == 0


def test_an_error_is_logged_returned_and_stops_nobody(heard, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("ignitetasks"), "propagate", True)
    signal = Signal(name="news")

    def bad(**_):
        raise ValueError("mine")

    signal.connect(bad)
    signal.connect(lambda **_: heard.append("told"), weak=False)
    answers = signal.send(None)
    assert heard == ["told"]
    assert answers[0][0] is bad and isinstance(answers[0][1], ValueError)
    assert "a receiver of a signal failed" in caplog.text


def test_what_happens_once_is_told_to_the_late(heard):
    signal = Signal(replay=True)
    signal.send("app", source=1)
    signal.connect(lambda sender, source, **_: heard.append((sender, source)), weak=False)
    assert heard == [("app", 1)]


def test_a_receiver_must_be_callable():
    with pytest.raises(TypeError, match="receiver"):
        Signal().connect(5)


def test_a_receiver_must_take_what_it_does_not_name():
    signal = Signal(name="news")
    with pytest.raises(ValueError, match="must accept"):
        signal.connect(lambda sender: None)
    assert not signal.has_listeners()


def test_a_receiver_with_retry_is_called_until_it_works(heard, monkeypatch):
    pauses = []
    monkeypatch.setattr(signal_module.time, "sleep", pauses.append)
    signal = Signal(name="news")

    @signal.connect(sender="me", retry=True)
    def shaky(val, **_):
        heard.append(val)
        if len(heard) < 4:
            raise OSError("not yet")
        return val

    assert signal.send("me", val=7) == [(signal.receivers[0][1](), 7)]
    assert heard == [7] * 4 and pauses == [2.0, 4.0, 6.0]
    assert signal.disconnect(shaky, sender="me") and not signal.receivers


def test_an_error_says_nothing_of_what_its_sender_handles(monkeypatch, caplog):
    monkeypatch.setattr(logging.getLogger("ignitetasks"), "propagate", True)
    signal = Signal(name="news")

    @signal.connect
    def fail(**_):
        raise LookupError("its own")

    try:
        raise ValueError("hush")
    except ValueError:
        signal.send("me")
    assert "its own" in caplog.text and "hush" not in caplog.text


def test_every_signal_has_its_own_name():
    for name in signals.__all__:
        assert getattr(signals, name).name == name
