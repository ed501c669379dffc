"""Calls that are wrong: refused before anything is sent, by an error that names what is wrong and what to do."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timezone

import pytest
import suite_tasks as suite
from counting import CountingTransport
from support import until

from ignitetasks import (
    ArgumentError,
    AsyncResult,
    ConfigurationError,
    IdempotencyConflict,
    IgniteTasks,
    InvalidOption,
    NotRegistered,
    PayloadTooLarge,
    ResultExpired,
    ResultTimeout,
    SerializationError,
    jvm,
)
from ignitetasks.errors import AuthenticationError, DuplicateTask, RequestError
from ignitetasks.transport.gateway import GatewayTransport

PATIENCE = 60


@pytest.fixture
def counted(node):
    """An app with two tasks whose gateway calls are counted, and its counter."""
    with IgniteTasks("careful", max_payload_bytes=1 << 20, **node.overrides) as app:
        app.task(suite.add.fn)
        app.task(suite.echo.fn)
        app.task(suite.renamed.fn)
        transport = CountingTransport(app.settings)
        app.use_transport(transport)
        yield app, transport.calls


def send(app, name="add", args=(1, 2), kwargs=None, **options):
    return app.tasks[f"suite_tasks.{name}"].apply_async(args, kwargs, **options)


ODD = suite.Odd()

REFUSED = {
    # unserialisable arguments, named by path
    "unserialisable argument": (
        {"name": "echo", "args": (ODD,)},
        SerializationError,
        r"suite_tasks\.echo: .*args\[0\].*suite_tasks\.Odd|suite_tasks\.echo: args\[0\].*Odd",
    ),
    "unserialisable deep inside": (
        {"name": "echo", "args": ({"rows": [1, {"when": ODD}]},)},
        SerializationError,
        r'args\[0\]\["rows"\]\[1\]\["when"\].*Odd',
    ),
    "unserialisable keyword": (
        {"name": "echo", "args": (), "kwargs": {"value": [ODD]}},
        SerializationError,
        r'kwargs\["value"\]\[0\]',
    ),
    "circular value": (
        {"name": "echo", "args": ("circle",)},
        SerializationError,
        "nested deeper than 512 levels, or inside itself",
    ),
    "unserialisable header": ({"headers": {"h": ODD}}, SerializationError, r'headers.*\["h"\]'),
    "codec that is not accepted": (
        {"serializer": "pickle"},
        ConfigurationError,
        "serializer 'pickle' is not in accept_content",
    ),
    "unknown codec": (
        {"serializer": "xml"},
        InvalidOption,
        r"serializer must be one of \['msgpack', 'json', 'pickle', 'yaml'.*\], not 'xml'",
    ),
    # wrong argument count
    "too few arguments": (
        {"args": (1,)},
        ArgumentError,
        r"suite_tasks\.add\(x.* cannot be called like this: missing .* 'y'",
    ),
    "too many arguments": ({"args": (1, 2, 3)}, ArgumentError, "too many positional arguments"),
    "unknown keyword": ({"kwargs": {"z": 1}}, ArgumentError, "unexpected keyword argument 'z'"),
    "positional for keyword only": ({"name": "renamed", "args": (1,)}, ArgumentError, "cannot be called like this"),
    "text instead of a list": (
        {"name": "echo", "args": "abc"},
        ArgumentError,
        "args must be a list or tuple .* not str",
    ),
    "kwargs that are no map": ({"kwargs": [("x", 1)]}, ArgumentError, "kwargs must be a map with text keys, not list"),
    # times
    "countdown of the far past": (
        {"countdown": -1e10},
        InvalidOption,
        "countdown must be a number of seconds from .* to .*, not -1",
    ),
    "NaN countdown": ({"countdown": math.nan}, InvalidOption, "countdown must be .*, not nan"),
    "infinite countdown": ({"countdown": math.inf}, InvalidOption, "countdown must be .*, not inf"),
    "countdown as text": ({"countdown": "5"}, InvalidOption, "countdown must be .*, not '5'"),
    "countdown beyond year 9999": ({"countdown": 1e12}, InvalidOption, "countdown must be"),
    "countdown and eta": (
        {"countdown": 1, "eta": datetime(2030, 1, 1, tzinfo=timezone.utc)},
        InvalidOption,
        "countdown and eta exclude each other; give one of them",
    ),
    "eta that is no datetime": ({"eta": 1e9}, InvalidOption, "eta must be a datetime"),
    "eta before 1970": ({"eta": datetime(1960, 1, 1)}, InvalidOption, "eta must lie between 1970 and 9999-12-31"),
    "eta at the very end": ({"eta": datetime.max}, InvalidOption, "eta must lie between 1970 and 9999-12-31"),
    "expiry in the far past": ({"expires": -1e10}, InvalidOption, "expires must be a number of seconds"),
    "negative limit": ({"time_limit": -1}, InvalidOption, "time_limit must be a number of seconds"),
    "soft above hard": (
        {"soft_time_limit": 9, "time_limit": 3},
        InvalidOption,
        "soft_time_limit must be less than or equal to time_limit: 9 s is more than 3 s",
    ),
    "result kept for no time": ({"result_expires": 0}, InvalidOption, "result_expires must be"),
    # priority
    "priority too low": ({"priority": -1}, InvalidOption, "priority must be a whole number from 0 to 255, not -1"),
    "priority too high": ({"priority": 256}, InvalidOption, "priority must be .* not 256"),
    "priority of the wrong kind": ({"priority": 1.5}, InvalidOption, r"priority must be .* not 1\.5"),
    # queue names
    "empty queue": ({"queue": ""}, InvalidOption, "queue must be 1 to 128 letters, digits or"),
    "queue with a space": ({"queue": "my queue"}, InvalidOption, "not 'my queue'"),
    "queue with a line end": ({"queue": "q\n"}, InvalidOption, "queue must be"),
    "queue too long": ({"queue": "q" * 129}, InvalidOption, "queue must be"),
    "queue that is no text": ({"queue": 7}, InvalidOption, "not 7"),
    "queue in other letters": ({"queue": "\u00e4"}, InvalidOption, "queue must be"),
    # payload
    "payload over the limit": (
        {"name": "echo", "args": (b"x" * (1 << 20),)},
        PayloadTooLarge,
        r"echo: .* more than max_payload_bytes \(1048576\)",
    ),
    # ids, keys, unknown options
    "empty id": ({"task_id": ""}, InvalidOption, "task_id must be 1 to 255 printable characters"),
    "id with a zero byte": ({"task_id": "a\0b"}, InvalidOption, "task_id must be"),
    "id too long": ({"task_id": "i" * 256}, InvalidOption, "task_id must be"),
    "option with a typing error": (
        {"prioritty": 3},
        InvalidOption,
        "has no option 'prioritty'; did you mean 'priority'",
    ),
    "flag that is no flag": ({"ignore_result": "yes"}, InvalidOption, "ignore_result must be True or False, not 'yes'"),
    "no delivery at all": (
        {"max_deliveries": 0},
        InvalidOption,
        "max_deliveries must be a whole number from 1 to 1000",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_call_is_refused_before_anything_is_sent(counted, case):
    app, calls = counted
    call, cls, words = REFUSED[case]
    if call.get("args") == ("circle",):
        circle: list[object] = []
        circle.append(circle)
        call = {**call, "args": (circle,)}
    with pytest.raises(cls, match=words):
        send(app, **call)
    assert not calls, "something was sent"


@pytest.mark.parametrize("case", ["unserialisable argument", "too few arguments", "priority too high", "empty queue"])
def test_a_wrong_call_of_a_bulk_sends_nothing_of_its_chunk(counted, case):
    app, calls = counted
    call, cls, _ = REFUSED[case]
    call = dict(call)
    task = app.tasks[f"suite_tasks.{call.pop('name', 'add')}"]
    wrong = task.signature(call.pop("args", (1, 2)), call.pop("kwargs", None), **call)
    with pytest.raises(cls, match="call 3 of the bulk") as caught:
        app.bulk([app.tasks["suite_tasks.add"].s(1, 2)] * 3 + [wrong])
    assert not calls
    assert len(caught.value.results) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queue": ""}, "queue must be"),
        ({"priority": 300}, "priority must be a whole number from 0 to 255"),
        ({"max_retries": -1}, "max_retries must be a whole number"),
        ({"retry_backof": True}, "task .* has no option 'retry_backof'; did you mean 'retry_backoff'"),
        ({"autoretry_for": (1,)}, "autoretry_for must be exception classes"),
        ({"idempotency_key": "fixed"}, "idempotency_key must be a function"),
        ({"time_limit": 0}, "time_limit must be"),
        ({"serializer": "xml"}, "serializer must be one of"),
    ],
)
def test_wrong_options_of_a_decorator(options, words):
    app = IgniteTasks("decorated")
    with pytest.raises(InvalidOption, match=words):

        @app.task(**options)
        def task():
            return None

    assert not [name for name in app.tasks if name.endswith(".task")]


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_task_name_that_is_none(counted, name):
    app, calls = counted
    with pytest.raises(RequestError, match="a task name is a text that is not empty"):
        app.send_task(name)
    assert not calls


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"durability": "strong"}, r"durability must be one of \['power', 'process', None\], not 'strong'"),
        ({"heap_mb": 1}, "heap_mb must be a whole number from 64"),
        ({"cluster": "no port:"}, "cluster must be addresses such as"),
        ({"nonsense": 1}, "unknown setting 'nonsense'; the settings are"),
        ({"signing_key": b"short"}, "signing_key must be .*at least 16 secret bytes, not <hidden>"),
        ({"task_serializer": "pickle"}, "serializer 'pickle' is not in accept_content"),
    ],
)
def test_wrong_settings(settings, words):
    with pytest.raises(ConfigurationError, match=words):
        IgniteTasks("wrong", **settings)


def test_a_reused_key_with_other_arguments(app, worker, log, label):
    first = suite.mark.apply_async((label, 1), idempotency_key=label)
    assert first.get(timeout=PATIENCE) == 1
    with pytest.raises(IdempotencyConflict, match=rf"idempotency_key '{label}' of suite_tasks.mark was already used"):
        suite.mark.apply_async((label, 2), idempotency_key=label)
    assert log.count(label) == 1
    assert AsyncResult(first.id, app=app).get(timeout=PATIENCE) == 1


def test_reused_keys_in_a_bulk_name_their_places(app, worker, log, label):
    def key(name, value):
        return name

    suite.mark.bulk([(label, 1)], idempotency_key=key).get(timeout=PATIENCE)
    other = f"{label}.other"
    with pytest.raises(IdempotencyConflict, match="1 of 2 calls were refused, first at index 1") as caught:
        suite.mark.bulk([(other, 1), (label, 2)], idempotency_key=key)
    assert caught.value.conflicts == (1,)
    caught.value.results[0].get(timeout=PATIENCE)
    with pytest.raises(IdempotencyConflict, match="2 of 4 calls were refused") as caught:
        suite.mark.bulk([(f"{label}.new", 1), (f"{label}.new", 2), (label, 1), (label, 3)], idempotency_key=key)
    assert caught.value.conflicts == (1, 3)
    caught.value.results[0].get(timeout=PATIENCE)
    assert [log.count(one) for one in (label, other, f"{label}.new")] == [1, 1, 1]


def test_an_unknown_id(app, node):
    nobody = AsyncResult("an-id-of-nobody", app=app)
    assert not nobody.exists()
    assert nobody.state == "PENDING"
    with pytest.raises(ResultTimeout, match=r"within 0\.05 seconds: the cluster has never heard of this id"):
        nobody.get(timeout=0.05)
    assert node.record("an-id-of-nobody") is None


def test_an_expired_result(app, worker, node):
    sent = suite.add.apply_async((1, 2), result_expires=1)
    sent.get(timeout=PATIENCE)
    until(lambda: node.record(sent.id) == "expired", "the record to expire")
    with pytest.raises(ResultExpired, match="was kept for its time and is gone"):
        AsyncResult(sent.id, app=app).get(timeout=PATIENCE)


def test_a_wrong_token_is_refused_and_nothing_is_done(node, queue):
    right = jvm.find(node.settings)
    wrong = replace(right, token="0" * 64)
    assert right.token not in repr(right)
    app = IgniteTasks("intruder", **node.overrides)
    app.use_transport(GatewayTransport(app.settings, "client", lambda _settings: wrong))
    with pytest.raises(AuthenticationError, match="refused the token; is the connection file that of another node"):
        app.send_task("suite_tasks.add", (1, 2), queue=queue)
    assert node.queue_status(queue)["pending"] == 0


def test_two_apps_with_one_name_and_one_task_name():
    first, second = IgniteTasks("twins"), IgniteTasks("twins")
    first.task(name="twins.work")(suite.add.fn)
    with pytest.raises(
        DuplicateTask, match=r"'twins\.work' is already taken in another app that is also called 'twins'"
    ):
        second.task(name="twins.work")(suite.echo.fn)
    assert "twins.work" not in second.tasks
    with pytest.raises(DuplicateTask, match=r"already taken in this app by suite_tasks\.add; rename suite_tasks\.echo"):
        first.task(name="twins.work")(suite.echo.fn)
    assert first.tasks["twins.work"].fn is suite.add.fn


def test_a_task_of_something_that_is_no_function():
    app = IgniteTasks("strange")
    with pytest.raises(ArgumentError, match="a task is made of a function, not of 5"):
        app.task(5)
    with pytest.raises(ConfigurationError, match="an app's name is a text"):
        IgniteTasks("")


def test_retry_options_are_checked_in_the_task(worker, app, log, label):
    sent = app.send_task("suite_tasks.retries_wrongly", (label,))
    with pytest.raises(InvalidOption, match="queue must be"):
        sent.get(timeout=PATIENCE)
    assert log.count(label) == 1


def test_an_unregistered_name_is_no_task_of_the_app(app):
    assert issubclass(NotRegistered, KeyError)
    with pytest.raises(KeyError):
        app.tasks["nobody.knows"]
