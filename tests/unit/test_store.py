"""The settings store against a node in memory: versions, races, pages, lost answers."""

from __future__ import annotations

import pytest
from fake_shared import SharedNode
from fakes import FakeTransport

from ignitetasks.errors import ConnectionCut, PayloadTooLarge
from ignitetasks.store import MAX_VALUE_BYTES, Store
from ignitetasks.transport.retrying import RetryingTransport


@pytest.fixture
def node():
    return SharedNode()


@pytest.fixture
def store(node):
    return Store(FakeTransport(node), "schedule")


def test_a_put_needs_the_version_that_is_there(store):
    assert store.get("a") is None
    first = store.put("a", b"1", expected=0)
    assert store.get("a") == (first, b"1")
    assert store.put("a", b"2", expected=0) is None
    second = store.put("a", b"2", expected=first)
    assert second > first
    assert store.put("a", b"3") > second


def test_a_deletion_of_what_is_gone_has_done_what_was_asked(store):
    version = store.put("a", b"1")
    assert not store.delete("a", expected=version + 1)
    assert store.delete("a", expected=version)
    assert store.delete("a", expected=version)
    assert store.get("a") is None


def test_a_list_goes_on_page_by_page(store, node):
    for number in range(1200):
        store.put(f"k{number:04}", b"x")
    store.put("other", b"x")
    assert [key for key, _ in store.list("k")] == [f"k{number:04}" for number in range(1200)]
    assert node.count("kv_list") == 4


def test_an_update_starts_again_where_somebody_was_faster(store, node):
    store.put("n", b"1")

    def rival():
        node.rival = None
        store.put("n", b"10")

    node.rival = rival
    assert store.update("n", lambda old: b"%d" % (int(old) + 1)) == b"11"
    assert store.get("n").value == b"11"


def test_an_update_makes_and_deletes(store):
    assert store.update("n", lambda old: b"first" if old is None else None) == b"first"
    assert store.update("n", lambda old: b"first" if old is None else None) is None
    assert store.get("n") is None


def test_a_put_whose_answer_is_lost_counts_once(node):
    class Cut(FakeTransport):
        cuts = 1

        def call(self, op, *args, timeout=None):
            answer = super().call(op, *args, timeout=timeout)
            if op == "kv_put" and self.cuts:
                self.cuts -= 1
                raise ConnectionCut("cut")
            return answer

    store = Store(RetryingTransport(Cut(node), sleep=lambda _seconds: None), "schedule")
    version = store.put("a", b"1", expected=0)
    assert store.get("a") == (version, b"1")
    assert node.count("kv_put") == 2


def test_a_value_that_is_too_large_is_not_sent(store, node):
    with pytest.raises(PayloadTooLarge, match="schedule/a"):
        store.put("a", bytes(MAX_VALUE_BYTES + 1))
    assert not node.calls
