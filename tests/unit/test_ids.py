"""Task ids."""

from __future__ import annotations

import os
import threading
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignitetasks import ids
from ignitetasks.errors import InvalidOption


def test_shape_and_locator():
    one = ids.new_id("default")
    assert str(uuid.UUID(one)) == one
    assert one[14] == "4" and one[19] == "8"
    assert ids.locator(one) == ids.queue_locator("default")
    assert ids.partition(one) == ids.queue_locator("default") % 64


def test_many_are_in_counting_order_and_unique():
    block = ids.new_ids(5000, "q")
    counts = [int(one[24:32], 16) for one in block]
    assert counts == list(range(counts[0], counts[0] + 5000))
    assert {one[32:] for one in block} == {f"{ids.queue_locator('q'):04x}"}
    assert not set(block) & set(ids.new_ids(5000, "q"))


def test_threads_never_share_an_id():
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(ids.new_ids(2000, "a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 16000


def test_counter_end_renews_the_random_part():
    generator = ids.IdGenerator()
    generator._count = (1 << 32) - 2
    first = generator.one("q")
    block = generator.many(3, "q")
    assert first[:24] != block[0][:24]
    assert block[0][24:32] == "00000000"


def test_fork_gets_random_bits_of_its_own():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, ids.new_id("q").encode())
        os._exit(0)
    os.waitpid(pid, 0)
    child = os.read(reader, 100).decode()
    os.close(reader)
    os.close(writer)
    assert child[:24] != ids.new_id("q")[:24]


@given(st.text(min_size=1).filter(lambda text: not text.isspace()))
def test_locator_of_any_text(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert 0 <= ids.locator(text) <= 0xFFFF


def test_locator_only_trusts_lower_case_uuid_shape():
    one = "00000000-0000-4000-8000-00000000abcd"
    assert ids.locator(one) == 0xABCD
    assert ids.locator(one.upper()) != 0xABCD
    assert ids.locator(one.replace("-", "_")) != 0xABCD


def test_key_id_is_stable_and_told_apart():
    one = ids.id_from_key("default", "shop.pay", "order-1")
    assert one == ids.id_from_key("default", "shop.pay", "order-1")
    assert str(uuid.UUID(one)) == one
    others = {
        ids.id_from_key("other", "shop.pay", "order-1"),
        ids.id_from_key("default", "shop.pay2", "order-1"),
        ids.id_from_key("default", "shop.pay", b"order-1"),
        ids.id_from_key("default", "shop.pay", ("order-1",)),
        ids.id_from_key("default", "shop.pay", 1),
        ids.id_from_key("default", "shop.pay", "1"),
    }
    assert one not in others and len(others) == 6


def test_tuple_keys_cannot_be_confused():
    assert ids.key_text(("a", "bc")) != ids.key_text(("ab", "c"))
    assert ids.key_text((("a",), "b")) != ids.key_text(("a", ("b",)))
    assert ids.key_text(uuid.UUID(int=5)) != ids.key_text(5)


@pytest.mark.parametrize("key", [True, 1.5, None, [], {}, "", b"", (), ("a", None)])
def test_bad_keys(key):
    with pytest.raises(InvalidOption, match="idempotency_key"):
        ids.key_text(key)


def test_fingerprint():
    assert ids.fingerprint("t", b"x") == ids.fingerprint("t", memoryview(b"x"))
    assert len({ids.fingerprint("t", b"x"), ids.fingerprint("t", b"y"), ids.fingerprint("u", b"x")}) == 3


def test_many_is_fast():
    best = min(_timed() for _ in range(5))
    assert best / 10_000 < 2e-6  # 0.3 us of processor time here


def _timed() -> float:
    start = time.thread_time()
    ids.new_ids(10_000, "default")
    return time.thread_time() - start
