"""The checker itself: it accepts a good history and names what is wrong with each broken one."""

from __future__ import annotations

import copy

import pytest
from history import Journal, Reader, answer, check, load, longest_call


def _good():
    """Two tasks; the second ran twice, since its first worker died, and was submitted twice under one key."""

    def read(task_id, n, fence):
        result = [n, answer(n), fence]
        return {"t": 90, "p": 9, "f": "read", "k": "ok", "id": task_id, "v": "SUCCESS", "final": True, "result": result}

    return [
        {"t": 1, "p": 1, "f": "submit", "k": "invoke", "ns": [1]},
        {"t": 2, "p": 1, "f": "submit", "k": "ok", "made": [[1, "a", True]]},
        {"t": 3, "p": 1, "f": "submit", "k": "invoke", "ns": [2]},
        {"t": 4, "p": 1, "f": "submit", "k": "info", "ns": [2]},
        {"t": 5, "p": 1, "f": "submit", "k": "invoke", "ns": [2]},
        {"t": 6, "p": 1, "f": "submit", "k": "ok", "made": [[2, "b", False]]},
        {"t": 10, "p": 2, "f": "start", "k": "ok", "id": "a", "n": 1, "fence": 5},
        {"t": 11, "p": 2, "f": "end", "k": "ok", "id": "a", "n": 1, "fence": 5},
        {"t": 12, "p": 2, "f": "start", "k": "ok", "id": "b", "n": 2, "fence": 6},
        {"t": 20, "p": 3, "f": "start", "k": "ok", "id": "b", "n": 2, "fence": 8},
        {"t": 21, "p": 3, "f": "end", "k": "ok", "id": "b", "n": 2, "fence": 8},
        {"t": 30, "p": 1, "f": "read", "k": "ok", "id": "a", "v": "SUCCESS"},
        read("a", 1, 5),
        read("b", 2, 8),
    ]


def _change(index, **values):
    def mutate(events):
        events[index].update(values)

    return mutate


def _drop(*indexes):
    def mutate(events):
        for index in sorted(indexes, reverse=True):
            del events[index]

    return mutate


def _add(**event):
    def mutate(events):
        events.append({"t": 99, "p": 9, "k": "ok", **event})

    return mutate


_BROKEN = {
    "lost": (_change(12, v="PENDING"), "I1"),
    "never read": (_drop(12), "I1"),
    "run without a call": (_add(f="start", id="c", n=3, fence=9), "I2"),
    "run though refused": (_change(3, k="fail"), None),
    "run though only refused": (lambda events: (_change(3, k="fail")(events), _drop(4, 5)(events)), "I2"),
    "result of an unfinished run": (_drop(10), "I2"),
    "two ids for one key": (_change(5, made=[[2, "c", False]]), "I3"),
    "new twice": (_change(5, made=[[2, "b", True], [2, "b", True]]), "I3"),
    "two ends": (_change(11, v="FAILURE"), "I4"),
    "one fence twice": (_change(9, fence=6), "I5"),
    "result of an old lease": (_change(13, result=[2, answer(2), 6]), "I5"),
    "too many starts": (_add(f="start", id="b", n=2, fence=7), "I6"),
    "crossed results": (_change(13, result=[1, answer(1), 8]), "I9"),
    "broken result": (_change(12, result=[1, 0, 5]), "I9"),
    "revoked and done": (_add(f="cancel", id="a", v="REVOKED"), "I12"),
}


def test_a_good_history_is_accepted():
    verdict = check(_good(), budget=2)
    assert verdict.broken == []
    assert verdict.figures["acked"] == 2
    assert verdict.figures["repeats"] == 1
    assert verdict.figures["overlaps"] == 0


@pytest.mark.parametrize(("mutate", "invariant"), _BROKEN.values(), ids=_BROKEN)
def test_a_broken_history_is_named(mutate, invariant):
    events = copy.deepcopy(_good())
    mutate(events)
    broken = check(events, budget=2).broken
    if invariant is None:
        assert broken == []
    else:
        assert any(line.startswith(invariant) for line in broken), broken


def test_overlaps_are_counted():
    events = _good()
    events.insert(10, {"t": 20.5, "p": 2, "f": "end", "k": "ok", "id": "b", "n": 2, "fence": 6})
    assert check(events, budget=2).figures["overlaps"] == 1


def test_a_line_cut_by_a_kill_is_left_out(tmp_path):
    journal = Journal(tmp_path, "load")
    journal.write("submit", "invoke", ns=[1])
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"t": 1, "p"')
    assert [event["ns"] for event in load(tmp_path)] == [[1]]


def test_a_reader_gets_each_event_once(tmp_path):
    reader = Reader(tmp_path)
    one, other = Journal(tmp_path, "one"), Journal(tmp_path, "other")
    one.write("submit", "invoke", ns=[1])
    assert [event["ns"] for event in reader.more()] == [[1]]
    other.write("submit", "invoke", ns=[2])
    one.write("submit", "invoke", ns=[3])
    assert [event["ns"] for event in reader.more()] == [[2], [3]]
    (path,) = tmp_path.glob("one-*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"t": 1, "ns')
        file.flush()
        assert reader.more() == []
        file.write(b'": [4]}\n')
    assert [event["ns"] for event in reader.more()] == [[4]]
    assert reader.more() == []


def test_the_longest_call():
    assert longest_call(_good()) == pytest.approx(1e-9)
