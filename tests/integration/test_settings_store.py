"""Settings of a real node: compare-and-set between processes' clients, large values, lists, death of the node."""

from __future__ import annotations

import threading

import pytest
from support import EmbeddedNode

from ignitetasks.client import Client
from ignitetasks.errors import GatewayError
from ignitetasks.store import MAX_VALUE_BYTES


@pytest.fixture
def client(node):
    made = Client(node.settings)
    yield made
    made.close()


def test_values_are_kept_by_version(client, label):
    store = client.store("test")
    first = store.put(label, b"one", expected=0)
    assert store.get(label) == (first, b"one")
    assert store.put(label, b"two", expected=first + 1) is None
    assert store.put(label, b"two", expected=first) > first
    assert store.delete(label)
    assert store.get(label) is None
    assert store.put(label, b"three", expected=0) > first


def test_large_values_and_long_lists_come_in_pages(client, label):
    store = client.store(label)
    for number in range(12):
        store.put(f"k{number:02}", bytes([number]) * MAX_VALUE_BYTES)
    found = list(store.list())
    assert [key for key, _ in found] == [f"k{number:02}" for number in range(12)]
    assert all(set(entry.value) == {number} for number, (_, entry) in enumerate(found))
    assert [key for key, _ in store.list("k1")] == ["k10", "k11"]


def test_what_has_a_time_goes_with_it(client, label):
    store = client.store(label)
    store.put("brief", b"x", ttl_seconds=0.001)
    store.put("long", b"x", ttl_seconds=600)
    assert [key for key, _ in store.list()] in (["long"], ["brief", "long"])
    while store.get("brief") is not None:
        pass
    assert [key for key, _ in store.list()] == ["long"]


def test_changes_of_many_at_once_all_count(client, label):
    store = client.store("test")

    def add():
        for _ in range(25):
            store.update(label, lambda old: b"%d" % (int(old or 0) + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(label).value == b"100"


def test_a_bucket_with_a_slash_is_refused(client):
    with pytest.raises(GatewayError, match="bucket"):
        client.store("a/b").get("k")


def test_settings_outlive_the_node(tmp_path):
    with EmbeddedNode(tmp_path / "data", durability="power") as node:
        client = Client(node.settings)
        version = client.store("schedule").put("nightly", b"0 3 * * *")
        node.kill()
        assert client.store("schedule").get("nightly") == (version, b"0 3 * * *")
        assert client.store("schedule").put("nightly", b"0 4 * * *", expected=version) > version
        client.close()
