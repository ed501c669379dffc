"""Looking for an answer, or being woken up."""

from __future__ import annotations

import pytest

from ignitetasks.pace import Pace


@pytest.fixture(autouse=True)
def _two_processors(monkeypatch):
    monkeypatch.setattr(Pace, "_cpus", 2)


def test_an_answer_that_is_there_is_seen():
    assert Pace().look(lambda _: True)


def test_looking_ends():
    looks = []
    assert not Pace().look(lambda _: looks.append(1))
    assert looks


def test_after_slow_answers_nobody_looks_until_they_are_quick_again():
    pace = Pace()
    for _ in range(10):
        pace.note(0.1)
    assert not pace.look(lambda _: True)
    for _ in range(10):
        pace.note(0.0001)
    assert pace.look(lambda _: True)


def test_one_thread_looks_at_a_time():
    assert not Pace().look(lambda _: Pace().look(lambda _: True))


def test_on_a_single_processor_nobody_looks(monkeypatch):
    monkeypatch.setattr(Pace, "_cpus", 1)
    assert not Pace().look(lambda _: True)


def test_who_has_to_share_the_processor_stops_looking(monkeypatch):
    looks = []
    monkeypatch.setattr("ignitetasks.pace.perf_counter", iter([0.0, 0.0002]).__next__)
    assert not Pace().look(lambda _: looks.append(1))
    assert len(looks) == 1
