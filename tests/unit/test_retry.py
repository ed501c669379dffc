"""Retry rules."""

from __future__ import annotations

import pytest

from ignitetasks.retry import RetryPolicy


def test_plain_delay_until_exhausted():
    policy = RetryPolicy(max_retries=2, delay_seconds=7)
    assert [policy.next_delay(n) for n in range(4)] == [7, 7, None, None]


def test_backoff_doubles_up_to_its_bound():
    policy = RetryPolicy(max_retries=None, backoff_seconds=2, backoff_max_seconds=10, jitter=False)
    assert [policy.next_delay(n) for n in range(5)] == [2, 4, 8, 10, 10]
    assert policy.next_delay(100_000) == 10


def test_jitter_draws_between_zero_and_full():
    policy = RetryPolicy(backoff_seconds=4, jitter=True)
    assert policy.next_delay(1, lambda: 0.5) == 4
    assert policy.next_delay(1, lambda: 0.0) == 0


@pytest.mark.parametrize(
    ("error", "expected"), [(KeyError(), True), (IndexError(), False), (ValueError(), False), (LookupError(), True)]
)
def test_matches(error, expected):
    policy = RetryPolicy(retry_for=(LookupError,), never_for=(IndexError,))
    assert policy.matches(error) is expected


def test_no_retries():
    assert RetryPolicy(max_retries=0).next_delay(0) is None
