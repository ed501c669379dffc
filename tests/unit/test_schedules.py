"""Schedules: what each form means, which tick comes next, and what a change of the clock does to it."""

from __future__ import annotations

import itertools
import pickle
import random
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ignitetasks import IgniteTasks, _state, cron, periodic, schedules, sun
from ignitetasks.errors import ConfigurationError, ParseException, ScheduleError
from ignitetasks.schedules import BaseSchedule, crontab, crontab_parser, maybe_schedule, schedule, solar

UTC = timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")


def app(now=datetime(2024, 5, 10, 12, 0, tzinfo=UTC), zone=UTC, deadline=None):
    return SimpleNamespace(timezone=zone, now=lambda: now, conf=SimpleNamespace(beat_cron_starting_deadline=deadline))


def ticks(one, start, count):
    found = []
    for _ in range(count):
        start = one.next_after(start)
        found.append(start)
    return found


# -- fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parser", "spec", "values"),
    [
        (crontab_parser(60), "*/15", {0, 15, 30, 45}),
        (crontab_parser(24), "*/4", {0, 4, 8, 12, 16, 20}),
        (crontab_parser(7), "*", set(range(7))),
        (crontab_parser(31, 1), "*/3", {1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31}),
        (crontab_parser(12, 1), "*/2", {1, 3, 5, 7, 9, 11}),
        (crontab_parser(12, 1), "2-12/2", {2, 4, 6, 8, 10, 12}),
        (crontab_parser(60), "1,13,30-45,50-59/2", {1, 13, *range(30, 46), 50, 52, 54, 56, 58}),
        (crontab_parser(24), "22-2", {22, 23, 0, 1, 2}),
        (crontab_parser(24), "20-4/2", {20, 22, 0, 2, 4}),
        (crontab_parser(7), "mon-fri", {1, 2, 3, 4, 5}),
        (crontab_parser(7), "Friday-Monday", {5, 6, 0, 1}),
        (crontab_parser(12, 1), "jan,JUL-september", {1, 7, 8, 9}),
        (crontab_parser(60), " 5, 10 ", {5, 10}),
    ],
)
def test_parser_expands(parser, spec, values):
    assert parser.parse(spec) == values


@pytest.mark.parametrize("spec", ["", "1,,2", "*/", "1-5/", "-20", "*/-2", "5/10"])
def test_parser_refuses_what_has_no_meaning(spec):
    with pytest.raises(ParseException):
        crontab_parser(60).parse(spec)


@pytest.mark.parametrize("spec", ["60", "0-60", "x", "*/0", "*/x", "1 2", "1-2-3"])
def test_parser_refuses_wrong_values(spec):
    with pytest.raises(ValueError, match=r"\w"):
        crontab_parser(60).parse(spec)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"minute": 60}, "minute"),
        ({"minute": "mon"}, "minute"),
        ({"hour": "1-24"}, "hour"),
        ({"hour": [1, 24]}, "hour"),
        ({"day_of_week": 7}, "day_of_week"),
        ({"day_of_week": "jan"}, "day_of_week"),
        ({"day_of_month": 0}, "day_of_month"),
        ({"day_of_month": []}, "day_of_month"),
        ({"month_of_year": "sun"}, "month_of_year"),
        ({"month_of_year": "*/"}, "month_of_year"),
        ({"minute": 1.5}, "minute"),
        ({"minute": True}, "minute"),
        ({"hour": ["1"]}, "hour"),
        ({"hour": {"a": 1}}, "hour"),
        ({"day_of_month": 31, "month_of_year": "2,4"}, "day_of_month"),
    ],
)
def test_a_wrong_field_is_named(fields, name):
    with pytest.raises(ScheduleError, match=name):
        crontab(**fields)


@pytest.mark.parametrize("spec", [object(), 1.5, {"a": 1}, ["1"]])
def test_a_wrong_type_is_a_type_error_too(spec):
    with pytest.raises(TypeError, match="minute"):
        crontab(minute=spec)


def test_iterables_of_all_kinds():
    one = crontab(minute=iter([30, 0]), hour=range(9, 17), day_of_week=(1, 2), day_of_month={1}, month_of_year=None)
    assert one.minute == {0, 30}
    assert one.hour == set(range(9, 17))
    assert one.day_of_week == {1, 2}
    assert one.month_of_year == set(range(1, 13))
    assert pickle.loads(pickle.dumps(one)) == one


def test_text_of_a_crontab_and_its_five_fields():
    one = crontab.from_string("0 4 1-7 */3 mon")
    assert repr(one) == "<crontab: 0 4 1-7 */3 mon (m/h/dM/MY/d)>"
    assert one == crontab(minute=0, hour=4, day_of_month="1-7", month_of_year="*/3", day_of_week="mon")
    assert one != crontab(minute=1, hour=4, day_of_month="1-7", month_of_year="*/3", day_of_week="mon")
    with pytest.raises(ScheduleError, match="five fields"):
        crontab.from_string("0 4 * *")


# -- which tick is next -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "start", "following"),
    [
        (crontab(), (2024, 5, 10, 14, 30), (2024, 5, 10, 14, 31)),
        (crontab(minute="*/15"), (2024, 5, 10, 14, 45), (2024, 5, 10, 15, 0)),
        (crontab(minute=30, hour=7), (2024, 5, 10, 7, 30), (2024, 5, 11, 7, 30)),
        (crontab(minute=0, hour=0, day_of_month=29, month_of_year=2), (2024, 3, 1, 0, 0), (2028, 2, 29, 0, 0)),
        (crontab(0, 0, day_of_month=29, month_of_year=2), (2096, 3, 1, 0, 0), (2104, 2, 29, 0, 0)),
        (crontab(0, 0, "mon", 29, 2), (2024, 3, 1, 0, 0), (2044, 2, 29, 0, 0)),
        (crontab(0, 0, "fri", 13), (2024, 1, 1, 0, 0), (2024, 9, 13, 0, 0)),
        (crontab(59, 23, day_of_month=31), (2024, 4, 1, 0, 0), (2024, 5, 31, 23, 59)),
        (crontab(0, 12, 0), (2024, 5, 10, 12, 0), (2024, 5, 12, 12, 0)),
    ],
)
def test_next_tick(one, start, following):
    assert one.next_after(datetime(*start, tzinfo=UTC)) == datetime(*following, tzinfo=UTC)


_FIELDS = st.fixed_dictionaries(
    {
        "minute": st.sets(st.integers(0, 59), min_size=1, max_size=3),
        "hour": st.one_of(st.just("*"), st.sets(st.integers(0, 23), min_size=1, max_size=3)),
        "day_of_week": st.one_of(st.just("*"), st.sets(st.integers(0, 6), min_size=3)),
        "day_of_month": st.one_of(st.just("*"), st.sets(st.integers(1, 28), min_size=5)),
        "month_of_year": st.one_of(st.just("*"), st.sets(st.integers(1, 12), min_size=6)),
    }
)
_MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
_ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana"])


@settings(deadline=None)
@given(_FIELDS, _MOMENTS, _ZONES)
def test_ticks_grow_match_their_fields_and_none_is_left_out(fields, start, zone):
    one = crontab(**fields, tz=zone)
    tick = one.next_after(start)
    assert tick > start
    wall = tick.replace(tzinfo=None)
    exists = tick.astimezone(UTC).astimezone(one.tz).replace(tzinfo=None) == wall
    assert exists
    # Every minute between the two is no tick, but for what a change of the clock does (tested by name below).
    moment = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for _ in range(300):
        local = moment.astimezone(one.tz)
        fits = (
            local.minute in one.minute
            and local.hour in one.hour
            and local.isoweekday() % 7 in one.day_of_week
            and local.day in one.day_of_month
            and local.month in one.month_of_year
        )
        if moment >= tick:
            break
        assert not fits or local.fold == 1
        moment += timedelta(minutes=1)


@settings(deadline=None)
@given(_FIELDS, _MOMENTS, st.integers(1, 5_000_000))
def test_latest_missed_tick_is_the_one_a_walk_finds(fields, last, minutes):
    one = crontab(**fields)
    now = last + timedelta(minutes=minutes)
    found = cron.latest(one.next_after, last, now)
    if found is None:
        assert one.next_after(last) > now
    else:
        assert last < found <= now < one.next_after(found)


# -- time zones -------------------------------------------------------------------------------------------------------


def test_a_tick_in_the_gap_comes_once_at_its_end():
    daily = crontab(30, 2, tz="Europe/Berlin")
    found = ticks(daily, datetime(2024, 3, 30, 12, 0, tzinfo=UTC), 2)
    assert [one.isoformat() for one in found] == ["2024-03-31T03:00:00+02:00", "2024-04-01T02:30:00+02:00"]


def test_many_ticks_in_the_gap_are_one_and_no_double_of_the_tick_after_it():
    often = crontab("*/15", tz="Europe/Berlin")
    found = ticks(often, datetime(2024, 3, 31, 0, 30, tzinfo=UTC), 3)
    assert [one.strftime("%H:%M %z") for one in found] == ["01:45 +0100", "03:00 +0200", "03:15 +0200"]


def test_a_daily_tick_in_the_fold_comes_once():
    daily = crontab(30, 2, tz="Europe/Berlin")
    found = ticks(daily, datetime(2024, 10, 26, 12, 0, tzinfo=UTC), 2)
    assert [one.isoformat() for one in found] == ["2024-10-27T02:30:00+02:00", "2024-10-28T02:30:00+01:00"]


def test_a_tick_of_every_hour_goes_on_through_the_fold():
    often = crontab("*/30", tz="Europe/Berlin")
    found = ticks(often, datetime(2024, 10, 26, 23, 30, tzinfo=UTC), 5)
    assert [one.strftime("%H:%M %z") for one in found] == [
        "02:00 +0200",
        "02:30 +0200",
        "02:00 +0100",
        "02:30 +0100",
        "03:00 +0100",
    ]
    assert all(b.astimezone(UTC) - a.astimezone(UTC) == timedelta(minutes=30) for a, b in itertools.pairwise(found))


def test_a_day_that_a_zone_left_out():
    daily = crontab(0, 12, tz="Pacific/Apia")
    found = ticks(daily, datetime(2011, 12, 29, 0, 0, tzinfo=UTC), 3)
    assert [one.strftime("%d %H:%M") for one in found] == ["29 12:00", "31 00:00", "31 12:00"]


def test_gap_at_midnight():
    daily = crontab(0, 0, tz="America/Havana")
    found = ticks(daily, datetime(2024, 3, 9, 12, 0, tzinfo=UTC), 1)
    assert found[0].isoformat() == "2024-03-10T01:00:00-04:00"


def test_zone_of_the_app_counts_unless_the_schedule_has_its_own():
    noon = crontab(0, 12, app=app(zone=BERLIN))
    assert noon.next_after(datetime(2024, 5, 10, tzinfo=UTC)).astimezone(UTC).hour == 10
    own = crontab(0, 12, app=app(zone=BERLIN), tz="UTC")
    assert own.next_after(datetime(2024, 5, 10, tzinfo=UTC)).astimezone(UTC).hour == 12
    with pytest.raises(ScheduleError, match="Europe/Nowhere"):
        crontab(tz="Europe/Nowhere")


# -- is it due --------------------------------------------------------------------------------------------------------


def test_interval_is_due_after_its_time_and_not_before():
    one = schedule(10, app=app(datetime(2024, 1, 1, 0, 0, 10, tzinfo=UTC)))
    assert one.is_due(datetime(2024, 1, 1, 0, 0, 0)) == (True, 10)
    due, left = one.is_due(datetime(2024, 1, 1, 0, 0, 4, tzinfo=UTC))
    assert (due, left) == (False, 4)


def test_crontab_is_due_at_its_minute():
    one = crontab(30, 7, nowfun=lambda: datetime(2024, 5, 10, 7, 30))
    assert one.is_due(datetime(2024, 5, 9, 7, 30)) == (True, 86400)
    assert one.is_due(datetime(2024, 5, 10, 7, 30)) == (False, 86400)
    assert one.remaining_estimate(datetime(2024, 5, 8, 7, 30)) == timedelta(days=-1)


def test_remaining_delta_adds_up_on_the_wall():
    one = crontab(30, 2, nowfun=lambda: datetime(2024, 3, 30, 12, 0))
    last, delta, now = one.remaining_delta(datetime(2024, 3, 29, 12, 0), tz=BERLIN)
    assert (last + delta).strftime("%m-%d %H:%M") == "03-30 02:30"
    assert now == datetime(2024, 3, 30, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("limit", "due"), [(None, True), (60, False), (3600, True)])
def test_a_tick_overdue_for_too_long_is_passed_over(limit, due):
    one = crontab(0, 7, app=app(datetime(2024, 5, 10, 7, 30, tzinfo=UTC), deadline=limit))
    assert one.is_due(datetime(2024, 5, 9, 7, 0, tzinfo=UTC)) == (due, 23.5 * 3600)


@pytest.mark.parametrize(
    ("every", "last", "following"),
    [
        (timedelta(days=1), "2024-03-30T13:45:10+01:00", "2024-03-31T00:00:00+01:00"),
        (timedelta(days=1), "2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00"),
        (timedelta(hours=1), "2024-05-10T13:45:10+02:00", "2024-05-10T14:00:00+02:00"),
        (timedelta(minutes=5), "2024-05-10T13:45:10+02:00", "2024-05-10T13:50:00+02:00"),
        (timedelta(seconds=30), "2024-05-10T13:45:10+02:00", "2024-05-10T13:45:40+02:00"),
    ],
)
def test_relative_intervals_round_to_their_unit(every, last, following):
    one = schedule(every, relative=True, app=app(zone=BERLIN))
    assert one.next_after(datetime.fromisoformat(last)).isoformat() == following


def test_what_can_be_a_schedule():
    assert maybe_schedule(30) == schedule(timedelta(seconds=30)) == timedelta(seconds=30)
    assert maybe_schedule(timedelta(hours=1)).human_seconds == "1.00 hour"
    assert maybe_schedule(None) is None
    one = crontab(hour=4)
    where = app(zone=BERLIN)
    assert maybe_schedule(one, app=where) is one and one.tz is BERLIN
    assert repr(schedule(10)) == "<freq: 10.00 seconds>"
    for wrong in ("daily", True, object()):
        with pytest.raises(ScheduleError, match="a schedule is"):
            maybe_schedule(wrong)
    with pytest.raises(ScheduleError, match="run_every"):
        schedule(-1)


def test_a_schedule_of_ones_own_needs_only_to_say_when_it_is_due():
    class EverySecond(schedules.BaseSchedule):
        def remaining_estimate(self, last_run_at):
            return timedelta(seconds=1)

    one = EverySecond(app=app())
    assert one.is_due(datetime(2024, 1, 1)) == (False, 1)
    assert one.next_after(datetime(2024, 1, 1)) == app().now() + timedelta(seconds=1)


# -- the sun ----------------------------------------------------------------------------------------------------------


def test_sun_rises_and_sets_in_berlin():
    start = datetime(2024, 6, 21, tzinfo=UTC)
    rise = solar("sunrise", 52.52, 13.40).next_after(start)
    fall = solar("sunset", 52.52, 13.40).next_after(start)
    assert abs(rise - datetime(2024, 6, 21, 2, 43, tzinfo=UTC)) < timedelta(minutes=3)
    assert abs(fall - datetime(2024, 6, 21, 19, 33, tzinfo=UTC)) < timedelta(minutes=3)
    names = ("dawn_astronomical", "dawn_nautical", "dawn_civil", "sunrise", "solar_noon")
    order = [solar(name, 40.7, -74.0).next_after(start) for name in names]
    assert order == sorted(order)


@pytest.mark.parametrize("event", sun.EVENTS)
def test_what_the_sun_does_comes_once_a_day_whatever_the_search_rounds(event):
    chance = random.Random(event)
    for _ in range(20):
        place = chance.uniform(-45, 45), chance.uniform(-180, 180)
        tick = sun.following(event, *place, datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=chance.uniform(0, 8760)))
        assert tick.microsecond == 0
        for late in (timedelta(), timedelta(milliseconds=1), timedelta(milliseconds=-1), timedelta(seconds=1)):
            assert timedelta(hours=22) < sun.following(event, *place, tick + late) - tick < timedelta(hours=26)
        assert abs(sun.following(event, *place, tick - timedelta(seconds=3)) - tick) <= timedelta(seconds=1)


def test_where_the_sun_does_not_set_the_next_time_it_does_counts():
    tick = solar("sunset", 69.65, 18.96).next_after(datetime(2024, 6, 1, tzinfo=UTC))  # Tromso
    assert tick.month == 7


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("noon", 0, 0), "event"), (("sunset", 91, 0), "lat"), (("sunset", 0, 181), "lon"), (("sunset", "x", 0), "lat")],
)
def test_wrong_solar_arguments_are_named(arguments, word):
    with pytest.raises(ScheduleError, match=word):
        solar(*arguments)


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    def missing(part):
        raise ImportError(part)

    monkeypatch.setattr(schedules.deferred, "load", missing)
    with pytest.raises(ConfigurationError, match=r"ignitetasks\[solar\]"):
        solar("sunset", 0, 0)


def test_a_schedule_may_be_given_its_zone_later():
    class Local(crontab):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.tz = "Europe/Berlin"

    one = Local(minute=0, hour=12)
    assert one.next_after(datetime(2026, 7, 1, tzinfo=UTC)).astimezone(UTC).hour == 10
    one.tz = None
    assert one.tz is UTC and one.next_after(datetime(2026, 7, 1, tzinfo=UTC)).hour == 12


def test_a_crontab_tells_what_its_fields_were_given_as():
    given = crontab(minute="*/5", hour=3, day_of_week="mon-fri")
    assert (given._orig_minute, given._orig_hour, given._orig_day_of_week) == ("*/5", 3, "mon-fri")
    assert (given._orig_day_of_month, given._orig_month_of_year) == ("*", "*")


def test_a_zone_that_a_class_of_ones_own_sets_first_stays():
    class Zoned(crontab):
        def __init__(self, tz, **fields):
            self.tz = tz
            super().__init__(nowfun=lambda: datetime.now(self.tz), **fields)

    assert Zoned(BERLIN, hour=4).tz == BERLIN


def test_a_moment_that_has_a_zone_keeps_it():
    when = datetime(2024, 5, 1, 12, tzinfo=BERLIN)
    one = schedule(10)
    assert one.maybe_make_aware(when).tzinfo is BERLIN and one.to_local(when) == when
    assert one.maybe_make_aware(datetime(2024, 5, 1)).tzinfo is not None and one.utc_enabled


def test_a_schedule_without_an_app_has_the_zone_of_the_current_one():
    with _state.kept():
        current = IgniteTasks("zoned", timezone="Europe/Berlin")
        assert crontab(hour=4).tz == current.timezone and schedule(5).app is current
        current.close()


def test_a_schedule_that_never_ticks_again_says_none():
    class Over(BaseSchedule):
        def is_due(self, last_run_at):
            return False, None

    entry = periodic.ScheduleEntry("e", "t", schedule=Over())
    assert periodic.due(entry, datetime.now(timezone.utc)).next is None


def test_a_place_may_be_given_as_a_database_has_it():
    one = solar("sunrise", Decimal("48.2"), Decimal("16.4"))
    assert (one.lat, one.lon) == (48.2, 16.4)
