"""Connections and producers from pools, as code written for a message broker takes them, and URLs that say where."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from ignitetasks.app.annotations import MapAnnotation
from ignitetasks.bin.celery import celery
from ignitetasks.contrib.testing.app import TestApp


@pytest.fixture
def app():
    with TestApp() as made:
        yield made


def test_calls_are_sent_by_a_producer_of_the_app_or_one_given(app):
    task = app.task(name="t")(lambda x: x)
    with app.producer_or_acquire() as producer:
        sent = [task.apply_async((n,), producer=producer, connection=producer.connection) for n in range(3)]
        assert len({one.id for one in sent}) == 3
        with app.producer_or_acquire(producer) as same, app.default_producer(producer) as again:
            assert same is again is producer
    with app.producer_pool.acquire(block=True, timeout=1) as producer, pytest.raises(AttributeError, match="publish"):
        producer.publish({})


def test_a_connection_from_the_pool_reaches_the_node(app):
    with app.pool.acquire(block=True) as connection:
        assert connection.ensure_connection().connected
    app.pool.release(connection)
    app.pool.force_close_all()


def test_autodiscovery_asks_the_loader(app):
    app.loader.autodiscover_tasks = Mock(return_value=None)
    app.autodiscover_tasks(lambda: ["a", "b"], related_name="jobs", force=True)
    app.autodiscover_tasks(["c"])
    app.import_tasks()
    assert [call.args for call in app.loader.autodiscover_tasks.call_args_list] == [
        (["a", "b"], "jobs"),
        (["c"], "tasks"),
    ]


def test_annotations_of_nothing():
    assert MapAnnotation().annotate_any() is None


def test_the_command_line_takes_a_broker_url_that_says_where(tmp_path, monkeypatch):
    (tmp_path / "kept_in_memory.py").write_text("from ignitetasks import IgniteTasks\napp = IgniteTasks('kept')\n")
    monkeypatch.syspath_prepend(tmp_path)
    words = ["-A", "kept_in_memory", "--broker", "memory://told", "inspect", "--timeout", "0", "ping"]
    done = CliRunner().invoke(celery, words)
    assert (done.exit_code, done.output.strip()) == (69, "Error: No nodes replied within time constraint")
