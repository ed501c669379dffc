"""What ``self.request`` says of a run, in `apply`, with ``task_always_eager`` and in a worker."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta, timezone

import pytest
from support.canvas_tasks import memory_app

from ignitetasks.exceptions import AlwaysEagerIgnored
from ignitetasks.message import decode_call_options

LIMIT = 20
WAYS = ("apply", "always_eager", "worker")
EAGER = WAYS[:2]


class Ways:
    """Makes a call in one of the ways, and returns the requests that were seen, the first run first."""

    def __init__(self, t):
        self.app = t.app
        self.seen = []

        def note(request):
            kept = ("chain", "children", "time_limit", "soft_time_limit", "correlation_id", "taskset")
            self.seen.append({**vars(request), **{name: getattr(request, name) for name in kept}})

        def show(task, *args, **kwargs):
            note(task.request)
            return len(args)

        def again(task, *args, **kwargs):
            note(task.request)
            if task.request.retries == 0:
                raise task.retry(args=kwargs.get("args"), countdown=0)

        def fails(task, *args):
            note(task.request)
            raise KeyError(args)

        def replaced(task, *args):
            note(task.request)
            return task.replace(self.show.s(9))

        named = {one.__name__: self.app.task(bind=True, name=f"ways.{one.__name__}")(one)
                 for one in (show, again, fails, replaced)}  # fmt: skip
        self.show, self.again, self.fails, self.replaced = named.values()

    def __call__(self, way, task, args=(), kwargs=None, runs=1, **options):
        self.seen.clear()
        if way == "apply":
            task.apply(args, kwargs, **options)
        elif way == "always_eager":
            self.app.conf.task_always_eager = True
            try:
                task.apply_async(args, kwargs, **options)
            finally:
                self.app.conf.task_always_eager = False
        else:
            with self.app.local_worker(concurrency=1, pool="threads"):
                sent = task.apply_async(args, kwargs, **options)
                sent.get(timeout=LIMIT, propagate=False)
                for link in sent.children:
                    link.get(timeout=LIMIT)
                if runs > len(self.seen):
                    self.show.delay().get(timeout=LIMIT)  # what is behind it in the queue has run
                    self.seen.pop()
        assert len(self.seen) == runs
        return self.seen


@pytest.fixture(scope="module")
def ways():
    with memory_app() as t:
        yield Ways(t)


@pytest.mark.parametrize("way", WAYS)
def test_who_it_is(ways, way):
    (seen,) = ways(way, ways.show, task_id="an-id")
    assert (seen["id"], seen["root_id"], seen["correlation_id"], seen["parent_id"]) == ("an-id", "an-id", "an-id", None)
    assert (seen["task"], seen["owner"], seen["lang"], seen["utc"]) == ("ways.show", ways.show, "py", True)
    assert (seen["is_eager"], seen["called_directly"]) == (way != "worker", False)
    assert (seen["group"], seen["taskset"], seen["group_index"], seen["chord"], seen["chain"]) == (None,) * 5
    assert (seen["retries"], seen["replaced_task_nesting"], seen["children"]) == (0, 0, [])
    assert seen["hostname"]


@pytest.mark.parametrize("way", EAGER)
@pytest.mark.parametrize("args", [(1, 2), [1, 2], ()])
def test_arguments_are_there_as_given(ways, way, args):
    (seen,) = ways(way, ways.show, args, {"k": 3})
    assert (seen["args"], seen["kwargs"]) == (args, {"k": 3})


@pytest.mark.parametrize("args", [(1, 2), [1, 2], ()])
def test_arguments_are_a_list_in_a_worker(ways, args):
    (seen,) = ways("worker", ways.show, args, {"k": 3})
    assert (seen["args"], seen["kwargs"]) == (list(args), {"k": 3})


def test_arguments_of_a_function_that_is_called(ways):
    ways.seen.clear()
    assert ways.show(1, 2, k=3) == 2
    (seen,) = ways.seen
    assert (seen["args"], seen["kwargs"], seen["called_directly"], seen["id"]) == ((1, 2), {"k": 3}, True, None)


@pytest.mark.parametrize("way", WAYS)
def test_where_it_came_from(ways, way):
    (seen,) = ways(way, ways.show, priority=5, headers={"tenant": "a"})
    info = seen["delivery_info"]
    assert (info["routing_key"], info["priority"], info["redelivered"]) == ("celery", 5, False)
    assert (info.get("is_eager", False), seen["headers"]) == (way != "worker", {"tenant": "a"})


@pytest.mark.parametrize(
    "call", [{}, {"priority": 1}, {"headers": {"a": 1}}, {"shadow": "s"}, {"task_id": "with-origin"}]
)
def test_who_has_sent_it(ways, call):
    (seen,) = ways("worker", ways.show, **call)
    assert seen["origin"] == f"gen{os.getpid()}@{socket.gethostname()}"
    (eager,) = ways("apply", ways.show, **call)
    assert eager["origin"] is None


def test_a_forked_child_sends_under_its_own_name(ways):
    ways("worker", ways.show)  # its plan is kept
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        plan = ways.app.plan(ways.show.name, ways.show.options, {})
        told = decode_call_options(plan.template.options)[1]["origin"]
        os.write(writes, f"{told} {ways.show._plan}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reads, 1000).decode() == f"gen{child}@{socket.gethostname()} None"


@pytest.mark.parametrize("way", WAYS)
def test_what_the_call_says_of_answers(ways, way):
    (seen,) = ways(way, ways.show, reply_to="me", correlation_id="together", origin="gen1@else")
    assert (seen["reply_to"], seen["origin"]) == ("me", "gen1@else")
    if way == "worker":
        properties = seen["properties"]
        assert (properties["reply_to"], properties["correlation_id"]) == ("me", "together")
        assert seen["correlation_id"] == "together"


@pytest.mark.parametrize("way", EAGER)
def test_the_exchange_is_what_the_caller_said(ways, way):
    (seen,) = ways(way, ways.show, exchange="e", routing_key="r")
    assert seen["delivery_info"] == {
        "is_eager": True, "exchange": "e", "routing_key": "r", "priority": 0, "redelivered": False,
    }  # fmt: skip


@pytest.mark.parametrize("way", EAGER)
def test_the_log_of_an_eager_run(ways, way):
    (seen,) = ways(way, ways.show)
    assert (seen["loglevel"], seen["logfile"]) == (0, None)


@pytest.mark.parametrize("way", WAYS)
def test_limits_name_and_result(ways, way):
    (seen,) = ways(way, ways.show, time_limit=30, soft_time_limit=20, shadow="shady", ignore_result=True)
    assert (seen["timelimit"], seen["time_limit"], seen["soft_time_limit"]) == ([30, 20], 30, 20)
    assert (seen["shadow"], seen["ignore_result"]) == ("shady", True)


def test_times_are_iso_text_in_a_worker(ways):
    eta = datetime.now(timezone.utc) + timedelta(milliseconds=50)
    (seen,) = ways("worker", ways.show, eta=eta, expires=60)
    assert abs(datetime.fromisoformat(seen["eta"]) - eta) < timedelta(milliseconds=2)
    assert datetime.fromisoformat(seen["expires"]) > eta
    (seen,) = ways("worker", ways.show)
    assert (seen["eta"], seen["expires"]) == (None, None)


@pytest.mark.parametrize("way", WAYS)
def test_what_follows_knows_its_parent(ways, way):
    first, second = ways(way, ways.show, (1,), runs=2, task_id=f"before-{way}", link=ways.show.s(2))
    assert [one["task"] for one in first["callbacks"]] == ["ways.show"]
    assert (second["parent_id"], second["root_id"]) == (f"before-{way}", f"before-{way}")
    assert list(second["args"]) == [1, 2]


@pytest.mark.parametrize("way", WAYS)
def test_an_errback_knows_its_parent(ways, way):
    first, second = ways(way, ways.fails, (1,), runs=2, task_id=f"failed-{way}", link_error=ways.show.s(2))
    assert [one["task"] for one in first["errbacks"]] == ["ways.show"]
    assert (second["parent_id"], second["root_id"]) == (f"failed-{way}", f"failed-{way}")
    assert list(second["args"]) == [f"failed-{way}", 2]


@pytest.mark.parametrize("way", WAYS)
def test_a_repeat_is_the_same_task(ways, way):
    first, second = ways(way, ways.again, (1,), {"args": (5,)}, runs=2)
    assert (first["id"], first["retries"], second["retries"]) == (second["id"], 0, 1)
    assert (list(first["args"]), list(second["args"])) == ([1], [5])


@pytest.mark.parametrize("way", WAYS)
def test_what_takes_its_place_has_its_id(ways, way):
    first, second = ways(way, ways.replaced, runs=2)
    assert (second["id"], second["task"], second["replaced_task_nesting"]) == (first["id"], "ways.show", 1)


@pytest.mark.parametrize("links", ["link", "link_error"])
def test_a_task_whose_code_is_not_here_is_sent_with_its_links(ways, links):
    ways.app.conf.task_always_eager = True
    try:
        with pytest.warns(AlwaysEagerIgnored, match="the code of the task is not here"):
            sent = ways.app.send_task("of.others", (1,), **{links: ways.show.s(2)})
        assert sent.state == "PENDING" and sent.name == "of.others"
    finally:
        ways.app.conf.task_always_eager = False
        sent.forget()
