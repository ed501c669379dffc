"""Schedulers of one's own: entries in memory, the words of Celery's base class, and how one is named."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone
from importlib.metadata import EntryPoint
from unittest.mock import Mock

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.beat import PersistentScheduler, ScheduleEntry, Scheduler, SchedulingError, Service, scheduler_class
from ignitetasks.errors import ConfigurationError
from ignitetasks.schedules import schedule
from ignitetasks.transport.memory import forget_home

UTC = timezone.utc


class Clock:
    now = datetime(2024, 5, 10, 12, 0, tzinfo=UTC)

    def __call__(self):
        return self.now


class Listed(Scheduler):
    """Reads its entries from a list of its own, as one over a database does."""

    rows = (("clean", 10), ("mail", 30))

    def __init__(self, *args, **kwargs):
        self.synced = 0
        self.sent = []
        super().__init__(*args, **kwargs)

    def setup_schedule(self):
        self.install_default_entries(self.schedule)
        self.update_from_dict(
            {
                name: {"task": f"shop.{name}", "schedule": schedule(every, nowfun=self.app.clock)}
                for name, every in self.rows
            }
        )

    def send_task(self, name, args=None, kwargs=None, **options):
        self.sent.append((name, args, kwargs))

    def sync(self):
        self.synced += 1


@pytest.fixture
def app():
    made = IgniteTasks("own", transport="memory://own-schedulers", set_as_current=False)
    made.clock = Clock()
    yield made
    made.close()
    forget_home("memory://own-schedulers")


def test_a_scheduler_of_ones_own_sends_what_is_due_in_order(app):
    one = Listed(app)
    assert one.tick() == pytest.approx(9.99)
    app.clock.now += timedelta(seconds=30)
    assert [one.tick(), one.tick()] == [0, 0]
    assert sorted(one.sent) == [("shop.clean", [], {}), ("shop.mail", [], {})]
    assert one.tick() == pytest.approx(9.99)
    assert one.schedule["clean"].total_run_count == 1
    assert one.schedule["clean"].last_run_at == app.clock.now


def test_an_entry_that_is_added_later_is_seen(app):
    one = Listed(app)
    one.tick()
    added = one.add(name="soon", task="shop.soon", schedule=schedule(5, nowfun=app.clock))
    assert one.tick() == pytest.approx(4.99) and one.schedule["soon"] is added


def test_nothing_to_do_waits_for_the_longest_pause(app):
    assert Scheduler(app, max_interval=7).tick() == 7
    assert Scheduler(app).max_interval == 300


def test_a_registered_task_is_sent_by_itself_with_what_the_entry_says(app):
    @app.task(name="shop.add")
    def add(x, y):
        return x + y

    add.apply_async = Mock()
    one = Scheduler(app, lazy=True)
    one.apply_async(
        ScheduleEntry(name="e", task="shop.add", schedule=10, args=(1, 2), options={"queue": "q"}), advance=False
    )
    (args, kwargs), options = add.apply_async.call_args
    assert (args, kwargs, options["queue"]) == ([1, 2], {}, "q")
    assert options["headers"]["periodic_task_name"] == "e"


def test_an_entry_that_cannot_be_sent_stops_no_other(app):
    class Broken(Listed):
        def send_task(self, name, *args, **options):
            if name == "shop.clean":
                raise RuntimeError("no")
            super().send_task(name, *args, **options)

    one = Broken(app)
    app.clock.now += timedelta(seconds=30)
    one.tick(), one.tick()
    assert [name for name, *_ in one.sent] == ["shop.mail"]
    with pytest.raises(SchedulingError, match=r"'clean'.*no"):
        one.apply_async(one.schedule["clean"])


def test_it_is_told_when_to_store_what_it_has(app):
    one = Listed(app, sync_every_tasks=2)
    one._do_sync()
    assert not one.should_sync()
    for _ in range(2):
        one.apply_async(one.schedule["mail"])
    assert one.synced == 2
    one.close()
    assert one.synced == 3


def test_the_setting_says_after_how_many_ticks_it_is_told(app):
    app.conf.beat_sync_every = 3
    assert Listed(app).sync_every_tasks == 3 and Listed(app, sync_every_tasks=1).sync_every_tasks == 1


def test_a_schedule_that_makes_itself_needs_nothing_of_its_base(app):
    class Always(schedule):
        def __init__(self):
            self.run_every = timedelta(seconds=1)

        def is_due(self, last_run_at):
            return True, 20

    one = Listed(app)
    one.merge_inplace({"now": {"task": "shop.now", "schedule": Always()}})
    assert one.tick() == 0 and one.sent == [("shop.now", [], {})]


def test_merging_keeps_what_has_run(app):
    one = Listed(app)
    one.schedule["mail"] = one.schedule["mail"].next()
    one.merge_inplace({"mail": {"task": "shop.post", "schedule": 60}})
    assert set(one.schedule) == {"mail"}
    assert (one.schedule["mail"].task, one.schedule["mail"].total_run_count) == ("shop.post", 1)
    assert not one.schedules_equal(one.schedule, {}) and one.schedules_equal(None, None)


def test_beat_schedule_is_what_the_base_class_has(app):
    app.conf.beat_schedule = {"ten": {"task": "shop.clean", "schedule": 10.0}}
    one = Scheduler(app)
    assert one.schedule["ten"].task == "shop.clean" and one.schedule is one.data
    one.schedule = {}
    assert one.data == {}


def test_an_entry_is_a_map_of_what_it_is_made_of(app):
    entry = ScheduleEntry(name="e", task="t", schedule=10, args=(1,))
    assert ScheduleEntry(**{**dict(entry), "task": "other"}).task == "other"


def test_the_setting_names_the_class(app):
    app.conf.beat_scheduler = f"{__name__}:Listed"
    assert type(Service(app).scheduler) is Listed
    assert type(Service(app, scheduler_cls=Scheduler).scheduler) is Scheduler
    app.conf.beat_scheduler = None
    assert type(Service(app).get_scheduler(lazy=True)) is PersistentScheduler


def test_a_service_ends_by_closing_its_scheduler(app):
    service = Service(app, scheduler_cls=Listed)
    service.scheduler.tick = lambda: service.stop() or 0
    service.start()
    assert service.scheduler.synced >= 2
    again = pickle.loads(pickle.dumps(Service(app, max_interval=3, scheduler_cls=Listed)))
    assert (again.max_interval, again.scheduler_cls) == (3, Listed)


def test_schedulers_of_celerys_packages_are_not_used_and_that_is_said(caplog):
    for name in ("django_celery_beat.schedulers:DatabaseScheduler", "celery.beat.PersistentScheduler"):
        assert scheduler_class(name) is PersistentScheduler
        assert name in caplog.text


@pytest.mark.parametrize("name", ["no_such_module:X", "datetime:datetime", "datetime:MINYEAR", dict])
def test_what_is_no_scheduler_is_refused(name):
    with pytest.raises(ConfigurationError):
        scheduler_class(name)


def test_a_package_that_was_moved_here_is_used(tmp_path, monkeypatch, caplog):
    (tmp_path / "redbeat.py").write_text(
        "from ignitetasks.beat import Scheduler\n\n\nclass Moved(Scheduler):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert scheduler_class("redbeat:Moved").__module__ == "redbeat"
    assert scheduler_class("redbeat:NotThere") is PersistentScheduler
    assert "NotThere" in caplog.text


def test_a_short_name_is_an_entry_point(monkeypatch):
    found = {"celery.beat_schedulers": [EntryPoint("listed", f"{__name__}:Listed", "celery.beat_schedulers")]}
    monkeypatch.setattr("ignitetasks.beat.entry_points", lambda group: found.get(group, []))
    assert scheduler_class("listed") is Listed


def test_an_entry_says_how_it_goes_on_in_the_words_of_a_class_of_ones_own(app):
    class Kept(ScheduleEntry):
        def __init__(self, *args, color="red", **kwargs):
            super().__init__(*args, **kwargs)
            self.color = color

        def _default_now(self):
            return datetime(2030, 1, 1, tzinfo=UTC)

    entry = Kept("e", "t", schedule=10, color="blue", app=app)
    following = entry._next_instance(last_run_at=entry._default_now())
    assert (following.color, following.total_run_count, following.last_run_at.year) == ("blue", 1, 2030)
    assert ScheduleEntry("e", "t", app=app).default_now().tzinfo is not None
    assert entry.args == () and Kept("e", "t", args=None, schedule=10).args is None


def test_the_names_by_which_schedulers_of_others_look_inside(app):
    one = Listed(app)
    one._do_sync()
    assert not one.should_sync()
    one._last_sync -= one.sync_every + 1
    assert one.should_sync()
    one._heap = []
    one.old_schedulers = None
    one.tick()
    assert {event.entry.name for event in one._heap} == {"clean", "mail"} and one._tasks_since_sync == 0


def test_the_removal_of_old_results_can_be_scheduled_by_celerys_name(app):
    assert app.tasks["celery.backend_cleanup"].apply().get() is None
    assert "celery.backend_cleanup" not in app.tasks.regular()
