"""Random workflows against a plain Python evaluation of the same expression, on a home in memory."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.canvas_tasks import memory_app
from support.expressions import canvas_of, expressions, value_of

LIMIT = 20


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks, tasks.app.local_worker(concurrency=2, pool="threads"):
        yield tasks


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expression=expressions(), start=st.integers(-5, 5))
def test_a_workflow_gives_what_plain_python_gives(t, expression, start):
    sent = canvas_of(t, expression).apply_async((start,))
    assert sent.get(timeout=LIMIT) == value_of(expression, start)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expression=expressions(), start=st.integers(-5, 5))
def test_so_does_an_eager_run(t, expression, start):
    assert canvas_of(t, expression).apply((start,)).get() == value_of(expression, start)
