"""The beat on a clock that obeys: what fires, when, and once."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest
from beats import Clock, FakeApp, StoreTransport

from ignitetasks import periodic
from ignitetasks.agenda import Agenda
from ignitetasks.beat import (
    BeatLazyFunc,
    PersistentScheduler,
    ScheduleEntry,
    Scheduler,
    SchedulingError,
    Service,
    run_now,
)
from ignitetasks.errors import ScheduleError
from ignitetasks.schedules import BaseSchedule, crontab, schedstate, schedule

UTC = timezone.utc
EVERY_TEN = {"ten": {"task": "shop.clean", "schedule": 10.0, "args": (1, "x")}}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def transport():
    return StoreTransport()


def beat(app):
    return PersistentScheduler(app, clock=app.clock, monotonic=app.clock.monotonic)


def run(one, clock, seconds, step=1.0):
    """Lets a beat work for a time."""
    for _ in range(int(seconds / step)):
        clock.forward(seconds=step)
        one.tick()


def test_an_interval_fires_at_its_times(transport, clock):
    app = FakeApp(transport, clock, EVERY_TEN)
    one = beat(app)
    assert one.tick() <= 1.0
    run(one, clock, 35)
    assert app.sent.ticks() == ["12:00:10", "12:00:20", "12:00:30"]
    assert app.sent[0]["task"] == "shop.clean"
    assert app.sent[0]["args"] == [1, "x"]
    assert app.sent[0]["options"]["headers"]["periodic_task_name"] == "ten"
    entry = one.agenda.get("ten")
    assert (entry.total_run_count, entry.last_run_at) == (3, datetime(2024, 5, 10, 12, 0, 30, tzinfo=UTC))


def test_any_number_of_beats_fires_each_tick_once(transport, clock):
    apps = [FakeApp(transport, clock, EVERY_TEN)]
    apps += [FakeApp(transport, clock, EVERY_TEN, sent=apps[0].sent) for _ in range(3)]
    beats = [beat(app) for app in apps]
    for step in range(100):
        clock.forward(seconds=1)
        for one in beats[step % 4 :] + beats[: step % 4]:
            one.tick()
    assert len(apps[0].sent) == 10
    assert beats[0].agenda.get("ten").total_run_count == 10


def test_two_beats_at_the_same_moment(transport, clock):
    app = FakeApp(transport, clock, EVERY_TEN)
    one, other = beat(app), beat(app)
    clock.forward(seconds=10)
    transport.before_put = other.tick  # between what the first has sent and what it notes
    one.tick()
    assert len(app.sent) == 1
    assert one.agenda.get("ten").total_run_count == 1


def test_a_beat_killed_between_sending_and_noting_doubles_nothing(transport, clock):
    app = FakeApp(transport, clock, EVERY_TEN)
    one = beat(app)
    clock.forward(seconds=10)
    app.killed_after_send = True
    with pytest.raises(KeyboardInterrupt):
        one.tick()
    app.killed_after_send = False
    again = beat(app)
    again.tick()
    run(again, clock, 10)
    assert app.sent.ticks() == ["12:00:10", "12:00:20"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("latest", ["15:00:00"]),
        ("skip", []),
        (2, ["14:00:00", "15:00:00"]),
        (100, ["13:00:00", "14:00:00", "15:00:00"]),
    ],
)
def test_missed_ticks_follow_the_rule(transport, clock, rule, expected):
    definition = {"hourly": {"task": "t", "schedule": crontab(minute=0), "catch_up": rule}}
    app = FakeApp(transport, clock, definition)
    beat(app)
    clock.forward(hours=3, minutes=30)  # nobody was there
    again = beat(app)
    again.tick()
    assert app.sent.ticks() == expected
    clock.forward(minutes=30)
    again.tick()
    assert app.sent.ticks() == [*expected, "16:00:00"]


def test_a_tick_late_by_seconds_is_no_missed_one(transport, clock):
    app = FakeApp(transport, clock, {"hourly": {"task": "t", "schedule": crontab(minute=0), "catch_up": "skip"}})
    beat(app)
    clock.forward(minutes=60, seconds=20)
    beat(app).tick()
    assert app.sent.ticks() == ["13:00:00"]


def test_ticks_overdue_for_longer_than_the_deadline_are_passed_over(transport, clock):
    definition = {"hourly": {"task": "t", "schedule": crontab(minute=0), "catch_up": 10}}
    app = FakeApp(transport, clock, definition, beat_cron_starting_deadline=5400)
    beat(app)
    clock.forward(hours=3, minutes=1)
    beat(app).tick()
    assert app.sent.ticks() == ["14:00:00", "15:00:00"]


def test_a_year_of_missed_minutes_is_worked_out_at_once(transport, clock):
    app = FakeApp(transport, clock, {"minutely": {"task": "t", "schedule": crontab(), "catch_up": 3}})
    beat(app)
    clock.forward(days=365)
    transport.calls.clear()
    beat(app).tick()
    assert len(app.sent) == 3


def test_a_clock_set_forward_is_a_missed_time(transport, clock):
    app = FakeApp(transport, clock, EVERY_TEN)
    one = beat(app)
    one.tick()
    clock.set(hours=1)
    one.tick()
    assert app.sent.ticks() == ["13:00:00"]
    run(one, clock, 10)
    assert app.sent.ticks() == ["13:00:00", "13:00:10"]


def test_a_clock_set_back_neither_stops_an_interval_nor_doubles_a_crontab(transport, clock):
    app = FakeApp(transport, clock, {**EVERY_TEN, "minutely": {"task": "m", "schedule": crontab()}})
    one = beat(app)
    run(one, clock, 125)
    before = [sent["id"] for sent in app.sent if sent["task"] == "m"]
    assert len(before) == 2
    clock.set(hours=-1)
    one.tick()
    app.sent.clear()
    run(one, clock, 20)
    assert len([sent for sent in app.sent if sent["task"] == "shop.clean"]) == 2
    # An hour later the clock shows the same minutes again: their ticks are the same tasks.
    clock.forward(minutes=58)
    ids = set(before)
    one.tick()
    run(one, clock, 200)
    minutes = [sent for sent in app.sent if sent["task"] == "m"]
    assert [sent["id"] for sent in minutes if sent["id"] in ids] == [
        sent["id"] for sent in minutes if sent["options"]["headers"]["scheduled_at"][11:16] in ("12:01", "12:02")
    ]


def test_the_node_away_for_a_while_loses_no_tick(transport, clock):
    app = FakeApp(transport, clock, EVERY_TEN)
    one = beat(app)
    app.offline = True
    run(one, clock, 12)
    assert app.sent == []
    app.offline = False
    run(one, clock, 3)
    assert app.sent.ticks() == ["12:00:10"]


def test_an_entry_that_cannot_be_worked_out_does_not_stop_the_others(transport, clock):
    class Broken(BaseSchedule):
        def next_after(self, last):
            raise ValueError("no")

    app = FakeApp(transport, clock, {**EVERY_TEN, "broken": {"task": "t", "schedule": Broken()}})
    one = beat(app)
    run(one, clock, 11)
    assert app.sent.ticks() == ["12:00:10"]


def test_changes_at_run_time_are_seen_within_a_second(transport, clock):
    app = FakeApp(transport, clock, EVERY_TEN)
    one = beat(app)
    agenda = Agenda(transport, "default", app, clock)
    agenda.add("five", "shop.look", 5, kwargs={"deep": True}, options={"queue": "slow"})
    agenda.pause("ten")
    run(one, clock, 11)
    assert [sent["task"] for sent in app.sent] == ["shop.look", "shop.look"]
    assert app.sent[0]["options"]["queue"] == "slow"
    agenda.set("five", schedule=2)
    agenda.resume("ten")
    app.sent.clear()
    run(one, clock, 10)
    assert [sent["task"] for sent in app.sent].count("shop.look") in (4, 5)
    assert [sent["task"] for sent in app.sent].count("shop.clean") == 1
    assert agenda.remove("five")
    assert not agenda.remove("five")
    app.sent.clear()
    run(one, clock, 9)
    assert {sent["task"] for sent in app.sent} <= {"shop.clean"}


def test_ticks_of_a_pause_are_not_missed_ones(transport, clock):
    app = FakeApp(transport, clock, EVERY_TEN)
    one = beat(app)
    one.agenda.pause("ten")
    run(one, clock, 60)
    one.agenda.resume("ten")
    run(one, clock, 9)
    assert app.sent == []


def test_what_was_set_at_run_time_stays_until_the_code_changes(transport, clock):
    app = FakeApp(transport, clock, EVERY_TEN)
    beat(app).agenda.set("ten", schedule=60)
    assert beat(app).agenda.get("ten").schedule == timedelta(seconds=60)
    app.conf.beat_schedule = {"ten": {**EVERY_TEN["ten"], "schedule": 20}}
    assert beat(app).agenda.get("ten").schedule == timedelta(seconds=20)


def test_entries_that_left_the_code_go_and_those_of_others_stay(transport, clock):
    app = FakeApp(transport, clock, {**EVERY_TEN, "old": {"task": "t", "schedule": 5}})
    other = FakeApp(transport, clock, {"theirs": {"task": "t", "schedule": 5}}, name="other")
    beat(app), beat(other)
    Agenda(transport, "default", app, clock).add("mine", "t", 5)
    app.conf.beat_schedule = EVERY_TEN
    beat(app)
    assert [entry.name for entry in Agenda(transport, "default").list()] == ["mine", "ten", "theirs"]
    assert Agenda(transport, "other namespace").list() == []


def test_a_restart_goes_on_where_the_last_run_was(transport, clock):
    app = FakeApp(transport, clock, {"day": {"task": "t", "schedule": timedelta(days=1)}})
    beat(app)
    clock.forward(hours=23)
    one = beat(app)
    one.tick()
    assert app.sent == []
    clock.forward(hours=1)
    one.tick()
    assert app.sent.ticks() == ["12:00:00"]


def test_schedules_and_arguments_that_live_in_code(transport, clock):
    class Twice(BaseSchedule):
        def is_due(self, last_run_at):
            return schedstate((self.now() - last_run_at).total_seconds() >= 20, 5)

    definition = {
        "own": {"task": "own", "schedule": Twice()},
        "lazy": {"task": "lazy", "schedule": 10, "kwargs": {"now": BeatLazyFunc(lambda: clock.now.second)}},
    }
    app = FakeApp(transport, clock, definition)
    one = beat(app)
    run(one, clock, 41)
    assert [sent["kwargs"] for sent in app.sent if sent["task"] == "lazy"] == [{"now": n} for n in (10, 20, 30, 40)]
    assert len([sent for sent in app.sent if sent["task"] == "own"]) == 2
    # A beat of other code leaves them alone, and so does the command line.
    stranger = FakeApp(transport, clock, name="other")
    run(beat(stranger), clock, 20)
    assert stranger.sent == []
    with pytest.raises(SchedulingError, match="lives in code"):
        run_now(stranger, Agenda(transport, "default", stranger, clock).get("own"))
    with pytest.raises(ScheduleError, match="lives in code"):
        one.agenda.set("own", schedule=3)
    one.agenda.pause("own")


@pytest.mark.parametrize("base", [schedule, crontab])
def test_a_schedule_that_changes_what_is_due_is_asked(transport, clock, base):
    asked = []

    class Mine(base):
        def is_due(self, last_run_at):
            asked.append(last_run_at)
            return schedstate((self.now() - last_run_at).total_seconds() >= 7, 1)

    mine = Mine(timedelta(days=1)) if base is schedule else Mine(0, 0)
    app = FakeApp(transport, clock, {"mine": {"task": "mine", "schedule": mine}})
    run(beat(app), clock, 30)
    assert asked and len(app.sent) == 4


def test_run_now_is_beside_the_ticks(transport, clock):
    app = FakeApp(transport, clock, EVERY_TEN)
    one = beat(app)
    first, second = run_now(app, one.agenda.get("ten")), run_now(app, one.agenda.get("ten"))
    assert first.id != second.id and len(app.sent) == 2
    run(one, clock, 10)
    assert len(app.sent) == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"schedule": 10}, "task"),
        ({"task": "t"}, "schedule"),
        ({"task": "t", "schedule": 0}, "millisecond"),
        ({"task": "t", "schedule": "daily"}, "a schedule is"),
        ({"task": "t", "schedule": 1, "arg": (1,)}, "'arg'"),
        ({"task": "t", "schedule": 1, "args": "ab"}, "args"),
        ({"task": "t", "schedule": 1, "options": {"task_id": "x"}}, "task_id"),
        ({"task": "t", "schedule": 1, "catch_up": 0}, "catch_up"),
        ({"task": "t", "schedule": 1, "catch_up": "all"}, "catch_up"),
        ({"task": "t", "schedule": 1, "enabled": "no"}, "enabled"),
    ],
)
def test_a_wrong_entry_is_named_with_its_key(transport, clock, given, words):
    with pytest.raises(ScheduleError, match=words) as caught:
        beat(FakeApp(transport, clock, {"wrong one": given}))
    assert "wrong one" in str(caught.value)


def test_entries_in_bytes_and_back(clock):
    whens = [
        schedule(90, relative=True),
        crontab("*/5", [1, 2], "mon-fri", tz="Europe/Berlin"),
        crontab(0, 4, day_of_month={1, 15}),
    ]
    for when in whens:
        given = {"task": "t", "schedule": when, "kwargs": {"at": clock.now}, "options": {"priority": 7}, "catch_up": 3}
        entry = periodic.from_definition("e", given, owner="shop")
        back = periodic.unpack("e", periodic.pack(entry))
        assert back == entry
        assert (back.catch_up, back.owner, back.origin) == (3, "shop", entry.origin)
        assert back.schedule.next_after(clock.now) == when.next_after(clock.now)


def test_celerys_words_for_entries(clock):
    entry = ScheduleEntry("n", "t", schedule=schedule(10, nowfun=clock), last_run_at=clock.now)
    clock.forward(seconds=10)
    assert entry.is_due() == (True, 10)
    after = entry.next()
    assert (after.total_run_count, after.last_run_at) == (1, clock.now)
    other = ScheduleEntry("n", "t", schedule=schedule(20), args=(1,))
    assert entry != other
    entry.update(other)
    assert entry == other and entry.args == (1,)
    assert repr(other) == "<ScheduleEntry: n t(1) <freq: 20.00 seconds>>"
    assert sorted([entry, other]) is not None and issubclass(PersistentScheduler, Scheduler)


def test_a_service_stops_when_it_is_told_to(transport, clock):
    service = Service(FakeApp(transport, clock, EVERY_TEN))
    thread = threading.Thread(target=service.start)
    thread.start()
    service.stop(wait=True)
    thread.join(10)
    assert not thread.is_alive()
