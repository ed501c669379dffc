"""Exceptions across processes."""

from __future__ import annotations

import json
import sys
import types

import pytest

from ignitetasks import errors
from ignitetasks.failure import Failure, RemoteTraceback, rebuild
from ignitetasks.serializers import Codecs


class Simple(Exception):
    pass


class Coded(Exception):
    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class Holds(Exception):
    def __init__(self, thing):
        super().__init__(thing)
        self.thing = thing


def caught(error):
    try:
        raise error
    except BaseException as one:
        return Failure.capture(one)


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), KeyError("k"), OSError(2, "gone"), Simple("a", 1), UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
     errors.SerializationError("text", "args[0]"), errors.IdempotencyConflict("c", [1, 2]), StopIteration(3)],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_same_class_and_text(error):
    again = rebuild(caught(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert isinstance(again.__cause__, RemoteTraceback)
    assert "in caught" in again.__cause__.text
    assert "in caught" in str(again.__cause__)


def test_constructor_of_its_own():
    again = rebuild(caught(Coded(404, "missing")))
    assert type(again) is Coded
    assert (str(again), again.code, again.reason) == ("404: missing", 404, "missing")


def test_local_class_becomes_remote_error():
    class Local(Exception):
        pass

    again = rebuild(caught(Local("x")))
    assert isinstance(again, errors.RemoteError)
    assert again.module == __name__
    assert "Local" in again.type_name
    assert "x" in str(again)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_would_end_the_client_is_not_rebuilt(error):
    again = rebuild(caught(error))
    assert isinstance(again, errors.RemoteError)
    assert again.type_name == type(error).__name__


def test_text_and_repr_that_fail():
    again = rebuild(caught(NoText()))
    assert isinstance(again, errors.RemoteError)
    assert "NoText" in str(again)
    assert "in caught" in str(again.__cause__)


def test_arguments_that_are_not_plain_data():
    again = rebuild(caught(Holds(object())))
    assert isinstance(again, (Holds, errors.RemoteError))
    assert "object" in str(again)


def test_huge_and_odd_texts_are_cut_and_encodable():
    data = caught(ValueError("x" * 10_000_000))
    assert len(data) < 200_000
    assert "left out" in str(rebuild(data)) or "left out" in Failure.decode(data).message
    assert rebuild(caught(ValueError("\ud800"))) is not None


def test_deep_recursion_is_cut():
    def down():
        down()

    try:
        down()
    except RecursionError as error:
        data = Failure.capture(error)
    assert len(data) < 200_000
    assert isinstance(rebuild(data), RecursionError)


def test_no_module_is_imported_on_the_message_s_say(tmp_path, monkeypatch):
    (tmp_path / "sneaky_mod.py").write_text("class Bad(Exception): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    data = Failure("Bad", "sneaky_mod", "m", ["m"], "tb").encode()
    assert isinstance(rebuild(data), errors.RemoteError)
    assert "sneaky_mod" not in sys.modules
    again = rebuild(data, {"sneaky_mod"})
    assert type(again).__name__ == "Bad"
    del sys.modules["sneaky_mod"]


def test_module_that_cannot_be_imported():
    data = Failure("Bad", "no_such_module_here", "m", None, "").encode()
    assert isinstance(rebuild(data, {"no_such_module_here"}), errors.RemoteError)


@pytest.mark.parametrize("name", ["path", "getcwd", "PathLike", "environ"])
def test_only_exception_classes_are_made(name):
    data = Failure(name, "os", "m", ["x"], "").encode()
    assert isinstance(rebuild(data), errors.RemoteError)


def test_new_that_returns_something_else(monkeypatch):
    module = types.ModuleType("odd_mod")

    class Odd(Exception):
        def __new__(cls, *args):
            return 5

    module.Odd = Odd
    monkeypatch.setitem(sys.modules, "odd_mod", module)
    assert isinstance(rebuild(Failure("Odd", "odd_mod", "m", ["x"], "").encode()), errors.RemoteError)


def test_cause_chain_is_in_the_traceback():
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error
    except ValueError as error:
        text = Failure.from_exception(error).traceback
    assert "inner" in text and "outer" in text and "direct cause" in text


def test_bytes_that_are_no_failure():
    with pytest.raises(errors.SerializationError):
        Failure.decode(b"m\x90")
    with pytest.raises(errors.SerializationError):
        Failure.decode(b"")


def test_foreign_fields_are_ignored():
    data = Codecs().encode({"type": "ValueError", "module": "builtins", "message": "m", "args": 5, "future": 1})
    assert str(rebuild(data)) == "m"


def test_json_error_is_rebuilt_with_its_fields():
    try:
        json.loads("{")
    except ValueError as error:
        again = rebuild(Failure.capture(error))
    assert isinstance(again, json.JSONDecodeError)
    assert again.lineno == 1
