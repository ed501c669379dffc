"""Stand-ins: they behave like what they stand for."""

from __future__ import annotations

import pickle

import pytest

from ignitetasks.local import PromiseProxy, Proxy, maybe_evaluate, try_import


class Box:
    def __init__(self, value=0):
        self.value = value

    def __call__(self, more):
        return self.value + more


def test_a_proxy_asks_each_time():
    boxes = [Box(1), Box(2)]
    proxy = Proxy(boxes.pop)
    assert proxy.value == 2
    assert proxy.value == 1


def test_a_proxy_behaves_like_its_object():
    things = {"a": 1}
    proxy = Proxy(lambda: things)
    proxy["b"] = 2
    del proxy["a"]
    assert proxy == {"b": 2} and len(proxy) == 1 and "b" in proxy and list(proxy) == ["b"]
    assert isinstance(proxy, dict) and bool(proxy) and proxy.get("b") == 2
    box = Box()
    other = Proxy(lambda: box)
    other.value = 5
    assert box.value == 5 and other(2) == 7 and vars(other) == {"value": 5}
    del other.value
    assert not hasattr(box, "value")
    assert Proxy(lambda: 3) + 4 == 7 and Proxy(lambda: 3) < 4 and hash(Proxy(lambda: 3)) == hash(3)
    assert pickle.loads(pickle.dumps(Proxy(lambda: Box(9)))).value == 9


def test_a_promise_is_kept_once():
    made = []
    promise = PromiseProxy(lambda: made.append(1) or Box(len(made)))
    assert not promise.__evaluated__()
    assert promise.value == 1 and promise.value == 1
    assert promise.__evaluated__() and made == [1]
    assert type(maybe_evaluate(promise)) is Box
    assert maybe_evaluate(5) == 5


def test_a_proxy_without_object_says_so():
    def nothing():
        raise RuntimeError("no app here")

    proxy = Proxy(nothing, name="current_app")
    assert "current_app" in repr(proxy) and not proxy
    with pytest.raises(RuntimeError, match="no app here"):
        _ = proxy.name


def test_try_import():
    assert try_import("json").dumps([]) == "[]"
    assert try_import("no_such_module", default=1) == 1
