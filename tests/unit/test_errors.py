"""The error tree."""

from __future__ import annotations

import inspect
import pickle
from datetime import datetime

import pytest

from ignitetasks import errors

CLASSES = [
    value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.IgniteTasksError)
]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_can_be_made_shown_and_pickled(cls):
    error = cls("what is wrong")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == str(error)
    assert "what is wrong" in str(error)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_is_in_the_drawing(cls):
    assert cls.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("code", "cls", "retryable"),
    [
        ("BAD_REQUEST", errors.BadRequest, False),
        ("BUSY", errors.Busy, True),
        ("NOT_HOME", errors.NotHome, True),
        ("UNAVAILABLE", errors.Unavailable, True),
        ("UNKNOWN_SESSION", errors.UnknownSession, True),
        ("STORAGE_FULL", errors.StorageFull, False),
        ("UNSUPPORTED_VERSION", errors.UnsupportedVersion, False),
        ("TOO_LARGE", errors.PayloadTooLarge, False),
        ("INTERNAL", errors.GatewayError, False),
    ],
)
def test_wire_codes(code, cls, retryable):
    error = errors.from_wire(code, "text", retryable)
    assert type(error) is cls
    assert error.retryable is retryable
    if isinstance(error, errors.GatewayError):
        assert error.code == code


def test_unknown_code_keeps_code_and_retryable():
    error = errors.from_wire("NEW_CODE", "text", True)
    assert isinstance(error, errors.GatewayError)
    assert (error.code, error.retryable) == ("NEW_CODE", True)


def test_builtin_bases():
    assert issubclass(errors.ArgumentError, TypeError)
    assert issubclass(errors.ResultTimeout, TimeoutError)
    assert issubclass(errors.NotConnected, ConnectionError)
    assert str(errors.NotRegistered("no task")) == "no task"
    assert str(errors.RemoteError("boom", "Odd", "lib")) == "lib.Odd: boom"
    assert "requeue=True" in str(errors.Reject("why", requeue=True))


def test_retry_says_when_and_why():
    assert str(errors.Retry(when=5)) == "Retry in 5s"
    assert str(errors.Retry("because", ValueError("x"))) == "because"
    assert "ValueError" in str(errors.Retry(exc=ValueError("x"), when=datetime(2030, 1, 1)))
    assert errors.Retry(when=5).due_ms(1000) == 6000
    assert errors.Retry().due_ms(1000) == 1000
    assert errors.Retry(when=datetime(1970, 1, 1, 0, 0, 9)).due_ms(1000) == 9000
    assert errors.Retry(when=5, eta_ms=77).due_ms(1000) == 77
