"""Options of calls as other systems hand them on, and what a wrong one is told."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from ignitetasks import IgniteTasks, options, planning
from ignitetasks.errors import ConfigurationError, InvalidOption, PayloadTooLarge, RequestError, SerializationError
from ignitetasks.serializers import Codecs

LIMIT = 20
NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def app():
    with IgniteTasks("options", transport="memory", timezone="Asia/Kathmandu") as app:
        app.task(lambda x, y=1: x + y, name="add")
        app.task(lambda self: [self.request.argsrepr, self.request.kwargsrepr], name="shown", bind=True)
        yield app


@pytest.mark.parametrize("text", ["2030-01-01T12:00:00+00:00", "2030-01-01T12:00:00Z", "2030-01-01 17:45:00"])
def test_times_may_be_text(app, text):
    plan = planning.with_moments({"eta": text, "expires": text, "queue": "q"}, app.timezone)
    assert plan == {"eta": NOON, "expires": NOON, "queue": "q"}


def test_a_time_without_a_zone_is_in_the_time_zone_of_the_app(app):
    naive = (datetime.now(ZoneInfo("Asia/Kathmandu")) - timedelta(seconds=1)).replace(tzinfo=None)
    with app.local_worker(concurrency=1, pool="threads"):
        for eta in (naive, naive.isoformat()):
            assert app.tasks["add"].apply_async((1,), eta=eta).get(timeout=LIMIT) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"eta": "tomorrow"}, "eta must be a datetime, or one as ISO 8601 text, not 'tomorrow'"),
        ({"eta": 5}, "eta must be a datetime, or one as ISO 8601 text, not 5"),
        ({"expires": "soon"}, "expires must be a datetime, or one as ISO 8601 text, not 'soon'"),
        ({"expires": True}, "expires must be a number of seconds, a datetime, or one as ISO 8601 text, not True"),
        ({"queue": "x" * 9000}, r"not 'x{99}\.\.\. \(9002 characters\)$"),
        ({"stamped_headers": 5}, "add: stamped_headers must be a list of names of headers, not 5"),
    ],
)
def test_a_wrong_option_is_told(app, given, words):
    with pytest.raises(InvalidOption, match=words):
        app.tasks["add"].apply_async((1,), **given)


def test_what_cannot_be_shown_is_refused_as_well():
    class Odd:
        def __repr__(self) -> str:
            raise ValueError("no")

    with pytest.raises(InvalidOption, match="not an object of type Odd"):
        options.whole("priority", Odd(), 0, 255)


@pytest.mark.parametrize("name", [" ", "two\nlines", "\ud800", "x" * 256, 5])
def test_what_cannot_be_a_name_is_no_task(app, name):
    with pytest.raises(InvalidOption, match="a task name is a text that is not empty, of at most 255 printable"):
        app.task(lambda: None, name=name)
    with pytest.raises(InvalidOption, match="a task name is a text"):
        app.send_task(name)


@pytest.mark.parametrize("option", ["link", "link_error"])
def test_callbacks_in_a_circle_are_refused(app, option):
    first, second = app.tasks["add"].s(1, 1), app.tasks["add"].s(1)
    getattr(first, option)(second)
    getattr(second, option)(first)
    with pytest.raises(RequestError, match=rf"contain themselves, at add\.{option}\.add\.{option}"):
        first.apply_async()


@pytest.mark.parametrize("given", [{"throws": 5}, {"autoretry_for": "ValueError"}])
def test_what_is_no_exception_class_is_told(app, given):
    with pytest.raises(InvalidOption, match="must be exception classes"):
        app.task(lambda: None, name="wrong", **given)


def test_what_is_said_of_a_task_is_a_map(app):
    app.conf.task_annotations = {"later": 5}
    with pytest.raises(ConfigurationError, match="what is said of 'later' must be a map of attributes, not 5"):
        app.task(lambda: None, name="later").delay()


@pytest.mark.parametrize("option", ["link", "link_error"])
def test_what_is_no_callback_is_told_by_the_name_of_its_option(app, option):
    with pytest.raises(RequestError, match=f"{option} is no signature but 5"):
        app.tasks["add"].apply_async((1,), **{option: 5})


def test_a_callback_may_be_a_map_with_a_name_alone(app):
    with app.local_worker(concurrency=1, pool="threads"):
        sent = app.tasks["add"].apply_async((1,), link={"task": "add"})
        assert sent.get(timeout=LIMIT) == 2
        (child,) = sent.children
        assert child.get(timeout=LIMIT) == 3


def test_callbacks_are_children(app):
    add = app.tasks["add"]
    with app.local_worker(concurrency=1, pool="threads"):
        sent = add.apply_async((2, 2), link=[add.s(16), add.s(1) | add.s(5)])
        values = [value for _, value in sent.collect(timeout=LIMIT)]
    assert values[0] == 4 and sorted(values[1:]) == [10, 20]


def test_arguments_are_shown_as_the_caller_says(app):
    with app.local_worker(concurrency=1, pool="threads"):
        sent = app.tasks["shown"].apply_async(argsrepr="(<secret>)", kwargsrepr="{...}")
        assert sent.get(timeout=LIMIT) == ["(<secret>)", "{...}"]


def test_headers_that_cannot_travel_are_named(app):
    with pytest.raises(SerializationError, match=r'^headers\["a"\]: object of type complex .* pass plain data$'):
        app.tasks["add"].apply_async((1,), headers={"a": 1j})
    with pytest.raises(PayloadTooLarge, match=r"the headers of a call take .* as an argument"):
        app.tasks["add"].apply_async((1,), headers={"a": "x" * (1 << 20)})


@pytest.mark.parametrize(
    ("encoding", "root", "end"),
    [
        ("msgpack", "args", r"\(or set serializer='pickle', with 'pickle' in accept_content, on both sides\)$"),
        ("json", "result", r"\(or set result_serializer='pickle', with 'pickle' in accept_content, on both sides\)$"),
        ("pickle", "args", "pass plain data$"),
    ],
)
def test_the_way_out_that_is_named_is_one(encoding, root, end):
    codecs = Codecs(("msgpack", "json", "pickle"), lambda: b"key")
    with pytest.raises(SerializationError, match=end):
        codecs.encode((i for i in range(3)), encoding, root=root)
