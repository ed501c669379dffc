"""What tests of schedules need: a store in memory, an app that keeps what it is told to send, a clock that obeys."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

from ignitetasks.errors import IdempotencyConflict, NotConnected

UTC = timezone.utc


class StoreTransport:
    """The settings store's operations on a dict."""

    def __init__(self):
        self.rows = {}
        self.versions = 0
        self.calls = []
        self.before_put = None

    def call(self, op, *args, timeout=None):
        self.calls.append(op)
        return getattr(self, op)(*args)

    def kv_get(self, bucket, key):
        found = self.rows.get((bucket, key))
        return None if found is None else list(found)

    def kv_put(self, bucket, key, value, expected, ttl_ms, token):
        if self.before_put is not None:
            hook, self.before_put = self.before_put, None
            hook()
        there = self.rows.get((bucket, key), (0, b""))[0]
        if expected not in (-1, there):
            return [False, there]
        if value is None:
            self.rows.pop((bucket, key), None)
            return [True, 0]
        self.versions += 1
        self.rows[bucket, key] = (self.versions, value)
        return [True, self.versions]

    def kv_list(self, bucket, prefix, after, limit):
        keys = sorted(key for there, key in self.rows if there == bucket and key.startswith(prefix))
        keys = [key for key in keys if after is None or key > after][:limit]
        return [[key, *self.rows[bucket, key]] for key in keys]


class Clock:
    """A clock on the wall and one that only runs."""

    def __init__(self, now=datetime(2024, 5, 10, 12, 0, tzinfo=UTC)):
        self.now = now
        self.running = 1000.0

    def __call__(self):
        return self.now

    def monotonic(self):
        return self.running

    def forward(self, **length):
        self.now += timedelta(**length)
        self.running += timedelta(**length).total_seconds()

    def set(self, **length):
        self.now += timedelta(**length)


class Sent(list):
    """Tasks by id, as a cluster has them: the same id again is the same task."""

    def ticks(self):
        return [one["options"]["headers"]["scheduled_at"][11:19] for one in self]


class FakeApp:
    """An application on a store, which may be shared with others."""

    def __init__(self, transport, clock, schedule=None, sent=None, name="shop", **conf):
        self.name = name
        self.transport = transport
        self.clock = clock
        self.timezone = UTC
        self.tasks = {}
        self.settings = SimpleNamespace(namespace="default", default_queue="celery")
        values = {"beat_schedule": schedule or {}, "beat_max_loop_interval": 0, "beat_cron_starting_deadline": None}
        values |= {"beat_scheduler": None, "beat_sync_every": 0}
        self.conf = SimpleNamespace(**{**values, **conf})
        self.sent = Sent() if sent is None else sent
        self.offline = False
        self.killed_after_send = False

    def now(self):
        return self.clock.now

    def finalize(self):
        pass

    def send_task(self, name, args=None, kwargs=None, *, task_id, **options):
        if self.offline:
            raise NotConnected("the node is away")
        there = [one for one in self.sent if one["id"] == task_id]
        if there and there[0]["args"] != args:
            raise IdempotencyConflict("other arguments")
        if not there:
            self.sent.append({"id": task_id, "task": name, "args": args, "kwargs": kwargs, "options": options})
        if self.killed_after_send:
            raise KeyboardInterrupt
        return SimpleNamespace(id=task_id, created=not there)
