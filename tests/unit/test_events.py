"""Events: their maps, who sends them, who reads them, and the picture they paint."""

from __future__ import annotations

import os
import pickle
import threading
import time
from typing import Any

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.errors import NotConnected, OutcomeUnknown, RequestError, ResultTimeout
from ignitetasks.events import NOW, OLDEST, Event, EventDispatcher, EventReceiver, group_from, local
from ignitetasks.events.event import pack, text, unpack
from ignitetasks.events.snapshot import Polaroid, camera_class
from ignitetasks.events.state import State, Task, Worker


class Feed:
    """A transport whose node keeps a feed in a list."""

    def __init__(self) -> None:
        self.events: list[tuple[int, bytes]] = []
        self.commands: list[str] = []
        self.broken = False
        self.answers = True

    def add(self, *events: dict[str, Any]) -> None:
        for event in events:
            self.events.append((len(self.events) + 1, pack(event)))

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        if self.broken:
            raise NotConnected("no way")
        if op == "events_append":
            sent, repeated = args
            if not (repeated and sent[0] in [body for _, body in self.events]):
                self.add(*map(unpack, sent))
            if not self.answers:
                raise OutcomeUnknown("no answer")
            return None
        if op == "control":
            self.commands.append(args[0])
            return []
        cursor, limit, _ = args
        last = self.events[-1][0] if self.events else 0
        page = [] if cursor == NOW else [one for one in self.events if one[0] > cursor][:limit]
        return [page[-1][0] if page else max(last, 0), [list(one) for one in page], 0]

    def close(self) -> None:
        return


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def app(feed: Feed) -> IgniteTasks:
    made = IgniteTasks("events-tests")
    made.use_transport(feed)  # type: ignore[arg-type]
    return made


def task_event(type: str, uuid: str = "u1", **fields: Any) -> dict[str, Any]:
    return {"type": type, "uuid": uuid, "hostname": "w1", "timestamp": 100.0, "local_received": 100.1, **fields}


class TestEvent:
    def test_fields(self) -> None:
        event = Event("task-sent", {"from": 1}, uuid="u", __now__=lambda: 5.0)
        assert event == {"type": "task-sent", "from": 1, "uuid": "u", "timestamp": 5.0}
        assert Event("x", timestamp=3)["timestamp"] == 3
        assert (group_from("task-sent"), group_from("alone")) == ("task", "alone")

    def test_bytes(self) -> None:
        assert unpack(pack({"type": "x", "o": object()}))["o"].startswith("<object")
        assert unpack(b"\xc1")["type"] == "unreadable"

    def test_text_is_cut_and_never_fails(self) -> None:
        class Odd:
            def __repr__(self) -> str:
                raise ValueError

        assert text("x" * 9, 5) == "'xxxx..."
        assert "whose repr fails" in text(Odd())


class TestDispatcher:
    def test_it_sends(self, app: IgniteTasks, feed: Feed) -> None:
        with app.events.default_dispatcher(hostname="me") as sender:
            sender.send("task-custom", uuid="u", value=3)
        event = unpack(feed.events[0][1])
        assert (event["type"], event["uuid"], event["value"]) == ("task-custom", "u", 3)
        assert (event["hostname"], event["pid"]) == ("me", os.getpid())
        assert event["timestamp"] == pytest.approx(time.time(), abs=60)

    def test_groups_batches_and_switches(self, app: IgniteTasks, feed: Feed) -> None:
        sender = app.events.Dispatcher(groups=["task"], buffer_group=["task"], buffer_limit=3)
        switched: list[str] = []
        sender.on_disabled.add(lambda: switched.append("off"))
        sender.send("worker-online")
        sender.send("task-a")
        sender.send("task-b")
        assert feed.events == []
        sender.send("task-c")
        assert len(feed.events) == 3
        sender.send("task-d")
        sender.disable()
        sender.send("task-e")
        assert [unpack(data)["type"] for _, data in feed.events] == ["task-a", "task-b", "task-c", "task-d"]
        assert switched == ["off"]

    def test_while_the_cluster_is_away(self, app: IgniteTasks, feed: Feed) -> None:
        feed.broken = True
        patient = app.events.Dispatcher()
        patient.send("task-a")
        with pytest.raises(NotConnected):
            app.events.Dispatcher(buffer_while_offline=False).send("task-b")
        feed.broken = False
        patient.send("task-c")
        assert [unpack(data)["type"] for _, data in feed.events] == ["task-a", "task-c"]

    def test_what_may_be_there_already_is_sent_again_as_such(self, app: IgniteTasks, feed: Feed) -> None:
        feed.answers = False
        patient = app.events.Dispatcher()
        patient.send("task-a")
        patient.send("task-b")
        feed.answers = True
        patient.send("task-c")
        assert [unpack(data)["type"] for _, data in feed.events] == ["task-a", "task-b", "task-c"]

    def test_in_a_worker_it_goes_beside_the_outcomes(
        self, app: IgniteTasks, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[bytes] = []
        monkeypatch.setattr(local, "send", sent.append)
        app.events.Dispatcher().send("task-a")
        assert [unpack(one)["type"] for one in sent] == ["task-a"]
        assert feed.events == []

    def test_it_needs_an_app(self) -> None:
        with pytest.raises(RequestError, match="needs an application"):
            EventDispatcher()
        with pytest.raises(RequestError, match="needs an application"):
            EventReceiver()


class TestReceiver:
    def test_live_only(self, app: IgniteTasks, feed: Feed) -> None:
        feed.add(task_event("task-sent"))
        receiver = app.events.Receiver(None, handlers={"*": lambda _event: feed.add()})
        it = receiver.itercapture(limit=1, timeout=5)
        feed_later = [task_event("task-started")]
        receiver.wakeup_workers = lambda channel=None: feed.add(*feed_later)  # type: ignore[method-assign]
        assert [event["type"] for event in it] == ["task-started"]

    def test_handlers_limit_and_wakeup(self, app: IgniteTasks, feed: Feed) -> None:
        feed.add(task_event("task-sent"), task_event("task-failed"), task_event("task-started"))
        seen: list[tuple[str, str]] = []
        handlers = {
            "task-failed": lambda event: seen.append(("failed", event["type"])),
            "*": lambda event: seen.append(("other", event["type"])),
        }
        receiver = app.events.Receiver(handlers=handlers, since=OLDEST)
        receiver.capture(limit=2, timeout=5)
        assert seen == [("other", "task-sent"), ("failed", "task-failed")]
        assert feed.commands == ["heartbeat"]
        assert receiver.cursor == 2
        again = app.events.Receiver(handlers=handlers, since=receiver.cursor)
        again.capture(limit=1, wakeup=False)
        assert feed.commands == ["heartbeat"] * 2  # that somebody listens
        app.events.Receiver(routing_key="task.#", since=receiver.cursor).capture(limit=1, wakeup=False)
        assert feed.commands == ["heartbeat"] * 2
        assert seen[2:] == [("other", "task-started")]

    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            ("#", ["task-sent", "worker-online", "task-failed"]),
            ("task.#", ["task-sent", "task-failed"]),
            ("worker.online", ["worker-online"]),
        ],
    )
    def test_filter(self, app: IgniteTasks, feed: Feed, key: str, expected: list[str]) -> None:
        feed.add(task_event("task-sent"), {"type": "worker-online", "hostname": "w"}, task_event("task-failed"))
        receiver = app.events.Receiver(routing_key=key, since=OLDEST)
        found: list[str] = []
        receiver.handlers = {"*": lambda event: found.append(event["type"])}
        with pytest.raises(TimeoutError):
            receiver.capture(timeout=0.05)
        assert found == expected
        assert receiver.cursor == 3

    def test_timeout_and_stop(self, app: IgniteTasks, feed: Feed) -> None:
        with pytest.raises(ResultTimeout, match=r"no event came for 0\.05 seconds"):
            app.events.Receiver().capture(timeout=0.05)
        feed.add(task_event("task-sent"), task_event("task-sent"))
        receiver = app.events.Receiver(since=OLDEST)
        receiver.handlers = {"*": lambda _event: setattr(receiver, "should_stop", True)}
        receiver.capture()
        assert receiver.cursor == 1


class TestState:
    def test_a_tasks_life(self) -> None:
        state = State()
        state.event(task_event("task-sent", name="shop.add", hostname="client", args="(1,)"))
        state.event(task_event("task-received", name="shop.add", args="(1, 2)", retries=0))
        state.event(task_event("task-started", timestamp=101.0))
        state.event(task_event("task-succeeded", result="3", runtime=0.5, timestamp=102.0))
        task = state.tasks["u1"]
        assert (task.state, task.name, task.args, task.result) == ("SUCCESS", "shop.add", "(1, 2)", "3")
        assert (task.client, task.worker.hostname, task.ready) == ("client", "w1", True)
        assert (task.sent, task.started, task.succeeded, task.timestamp) == (100.0, 101.0, 102.0, 102.0)
        assert task.info()["runtime"] == 0.5
        assert (state.event_count, state.task_count) == (4, 1)
        assert state.task_types() == ["shop.add"]

    def test_what_is_heard_of_late_does_not_undo(self) -> None:
        state = State()
        state.event(task_event("task-succeeded", result="3"))
        state.event(task_event("task-received", name="shop.add", args="()"))
        state.event(task_event("task-started"))
        task = state.tasks["u1"]
        assert (task.state, task.name, task.args, task.result) == ("SUCCESS", "shop.add", "()", "3")

    def test_a_retry_starts_over(self) -> None:
        state = State()
        for type in ("received", "started", "retried", "received", "started"):
            state.event(task_event(f"task-{type}"))
        assert state.tasks["u1"].state == "STARTED"

    def test_custom_events_are_states(self) -> None:
        state = State()
        state.event(task_event("task-started"))
        state.event(task_event("task-progress", done=4))
        assert (state.tasks["u1"].state, state.tasks["u1"].done) == ("PROGRESS", 4)

    def test_workers(self) -> None:
        joined: list[str] = []
        left: list[str] = []
        state = State(
            on_node_join=lambda worker: joined.append(worker.hostname),
            on_node_leave=lambda worker: left.append(worker.hostname),
        )
        now = time.time()
        beat = {"hostname": "w1", "timestamp": now, "local_received": now, "freq": 2, "active": 3, "pid": 9}
        state.event({"type": "worker-online", **beat})
        state.event({"type": "worker-heartbeat", **beat})
        worker = state.workers["w1"]
        assert (worker.alive, worker.active, worker.id, worker.status_string) == (True, 3, "w1.9", "ONLINE")
        assert list(state.alive_workers()) == [worker]
        state.event({"type": "worker-offline", **beat})
        assert (joined, left, list(state.workers)) == (["w1"], ["w1"], [])
        assert not worker.alive
        old = Worker("w2", heartbeats=[now - 100], freq=2)
        assert not old.alive

    def test_order_limits_and_indexes(self) -> None:
        state = State(max_tasks_in_memory=3)
        for number in range(5):
            state.event(task_event("task-received", f"u{number}", name=f"t{number % 2}"))
        state.event(task_event("task-started", "u2", hostname="w2"))
        assert [uuid for uuid, _ in state.tasks_by_time()] == ["u2", "u4", "u3"]
        assert [uuid for uuid, _ in state.tasks_by_timestamp(1, reverse=False)] == ["u3"]
        assert {task.uuid for task in state.tasks_by_type["t0"]} == {"u2", "u4"}
        assert [uuid for uuid, _ in state.tasks_by_worker("w2")] == ["u2"]
        assert len(list(state.itertasks(2))) == 2

    def test_relatives(self) -> None:
        state = State()
        state.event(task_event("task-received", "child", parent_id="mother", root_id="mother"))
        assert state.tasks["child"].parent is None
        state.event(task_event("task-received", "mother"))
        assert state.tasks["child"].parent is state.tasks["mother"] is state.tasks["child"].root
        assert state.tasks["mother"].children == {state.tasks["child"]}

    def test_own_groups_callback_and_clearing(self) -> None:
        seen: list[Any] = []
        state = State(callback=lambda _state, event: seen.append(event["type"]))
        state.handlers["order"] = lambda subject, event: subject.upper()
        assert state.event({"type": "order-paid"}) == ("PAID", "paid")
        assert state.event({"type": "other-thing"}) is None
        state.event(task_event("task-succeeded", "done"))
        state.event(task_event("task-started", "running"))
        assert seen == ["order-paid", "other-thing", "task-succeeded", "task-started"]
        state.clear_tasks()
        assert list(state.tasks) == ["running"]
        assert state.freeze_while(lambda: len(state.tasks), clear_after=True) == 1
        state.clear(ready=False)
        assert (len(state.tasks), state.event_count) == (0, 0)


class TestSnapshot:
    def test_pictures(self) -> None:
        shots: list[int] = []

        class Camera(Polaroid):
            clear_after = True

            def on_shutter(self, state: State) -> None:
                shots.append(state.event_count)

        state = State()
        state.event(task_event("task-succeeded"))
        with Camera(state, freq=60):
            pass
        assert shots == [1]
        assert len(state.tasks) == 0
        rare = Camera(state, maxrate=0.0001)
        rare.capture()
        rare.capture()
        assert len(shots) == 2

    def test_a_rate_and_signals(self) -> None:
        sent: list[tuple[str, Any]] = []

        def hear(signal: Any, sender: Any, **_: Any) -> None:
            sent.append((signal.name, sender))

        state = State()
        rare = Polaroid(state, maxrate="1/h")
        for signal in (rare.shutter_signal, rare.cleanup_signal):
            signal.connect(hear, sender=state)
        for _ in range(3):
            rare.shutter()
        rare.cleanup()
        assert sent == [("shutter_signal", state), ("cleanup_signal", state)]
        with pytest.raises(ValueError, match="maxrate must be such as"):
            Polaroid(state, maxrate="often")

    def test_camera_by_name(self) -> None:
        assert camera_class("ignitetasks.events.snapshot.Polaroid") is Polaroid
        assert camera_class("ignitetasks.events.snapshot:Polaroid") is Polaroid
        assert camera_class(Polaroid) is Polaroid
        with pytest.raises(ValueError, match="there is no camera"):
            camera_class("no.such")


class Counting(State):
    """A state of somebody's own, with a part that cannot be pickled."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lock = threading.Lock()
        self.cleared = 0

    def _clear_tasks(self, ready: bool = True) -> None:
        super()._clear_tasks(ready)
        self.cleared += 1


class TestStateOfOnesOwn:
    def test_it_is_read_from_a_file_as_it_was_made(self) -> None:
        state = Counting(max_tasks_in_memory=3)
        state.event(task_event("task-received", name="t", root_id="u0", parent_id="u0"))
        again = pickle.loads(pickle.dumps(state))
        assert (again.tasks.limit, again.task_types(), again.cleared) == (3, ["t"], 0)
        assert again.tasks["u1"].cluster_state is again and again.tasks["u1"].worker == again.workers["w1"]
        again.clear()
        assert again.cleared == 1

    def test_the_oldest_go_and_what_is_known_is_told_field_by_field(self) -> None:
        state = State(max_tasks_in_memory=2, max_workers_in_memory=2)
        for number in range(4):
            state.event(task_event("task-received", f"u{number}", hostname=f"w{number}", parent_id="u2"))
        assert list(state.tasks) == ["u2", "u3"] and list(state.workers) == ["w2", "w3"]
        told = state.tasks["u2"].as_dict()
        assert set(told) >= set(Task._fields)
        assert (told["worker"].hostname, told["parent"]) == ("w2", "u2")
        assert set(told["children"]) == {"u2", "u3"}
        assert dict.fromkeys(Worker._fields).keys() <= vars(state.workers["w2"]).keys()
