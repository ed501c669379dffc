"""Canvases as values: how many members they count, whose objects they hold, ids of other types, kinds of one's own."""

from __future__ import annotations

import copy
import json
import pickle
import uuid

import msgpack
import pytest
from support.canvas_tasks import memory_app

from ignitetasks.canvas import Signature, _chain, chain, chord, group, signature
from ignitetasks.canvas.members import Members
from ignitetasks.errors import InvalidOption, RequestError
from ignitetasks.result import AsyncResult, GroupResult, result_from_tuple
from ignitetasks.serializers import Codecs

LIMIT = 20


@Signature.register_type()
class named_group(group):
    """A group with a name."""

    def __init__(self, *tasks, **options):
        super().__init__(*tasks, **options)
        self.subtask_type = "named_group"


@Signature.register_type()
class named_chord(chord):
    """A chord with a name."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.subtask_type = "named_chord"


@Signature.register_type()
class named_chain(_chain):
    """A chain with a name."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.subtask_type = "named_chain"


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks, tasks.app.local_worker(concurrency=2, pool="threads"):
        yield tasks


@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_a_group_counts_its_members(t, count):
    made = group(t.identity.s(i) for i in range(count))
    assert len(made) == len(made.tasks) == count and bool(made) is (count > 0)
    assert len(dict(made)) == 6


@pytest.mark.parametrize("name", ["msgpack", "json"])
@pytest.mark.parametrize("padding", [0, 1 << 20])
def test_a_group_is_encoded_by_its_keys(t, name, padding):
    codecs, made = Codecs(), group(t.identity.s(i) for i in range(40))
    value = {"pad": ["x" * padding], "in a set": {1, 2}, "canvas": [made, chord(made, t.tsum.s())], "after": 1}
    read = codecs.decode(codecs.encode(value, name))
    assert signature(read["canvas"][0]) == signature(json.loads(json.dumps(made)))
    assert len(signature(read["canvas"][1]).tasks) == 40 and read["after"] == 1
    assert len(made) == 40


ENCODERS = {
    "msgpack": lambda value: msgpack.unpackb(msgpack.packb(value)),
    "json": lambda value: json.loads(json.dumps(value)),
    "json in lines": lambda value: json.loads(json.dumps(value, indent=1)),
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "dict": dict,
}
CANVASES = {
    "call": lambda t: t.add.s(1, 2).set(queue="q", link=[group(t.add.s(i) for i in (1, 2))], link_error=t.note.s()),
    "chain": lambda t: t.add.s(1, 2) | t.add.s(3),
    "group": lambda t: group([t.add.s(i, i) for i in (1, 2, 3)]),
    "generated group": lambda t: group(t.add.s(i, i) for i in (1, 2, 3)),
    "group of one": lambda t: group(t.add.s(1, 2)),
    "empty group": lambda t: group(),
    "chord": lambda t: chord([t.add.s(1, 1), t.add.s(2, 2)], t.tsum.s()),
    "generated chord": lambda t: chord((t.add.s(i, i) for i in (1, 2)), t.tsum.s()),
    "chord of a group": lambda t: chord(group(t.add.s(i, i) for i in (1, 2)), t.tsum.s()),
    "nested": lambda t: group(group(t.add.s(1, 1)), chain(t.add.s(1, 1), group(t.add.s(i) for i in (1, 2, 3)))),
    "map": lambda t: t.tsum.map([(1, 2), (3, 4)]),
    "starmap": lambda t: t.add.starmap([(1, 2), (3, 4)]),
    "chunks": lambda t: t.add.chunks(zip(range(5), range(5), strict=True), 2),
}


def as_plain(value):
    if isinstance(value, dict):
        return {name: as_plain(one) for name, one in value.items()}
    return [as_plain(one) for one in value] if isinstance(value, (list, tuple, Members)) else value


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("canvas", CANVASES)
def test_encoders_of_others_and_copies_give_the_same_canvas(t, canvas, encoder):
    make = CANVASES[canvas]
    made = ENCODERS[encoder](make(t))
    assert as_plain(made) == as_plain(make(t))
    assert type(signature(made)) is type(make(t))
    if encoder in ("pickle", "deepcopy"):
        assert type(made) is type(make(t))


def test_a_group_travels_as_an_argument_and_as_a_callback(t):
    made = group(t.add.s(1), t.add.s(2))
    assert len(signature(t.identity.delay(made).get(timeout=LIMIT))) == 2
    assert t.identity.apply_async((1,), link=made).get(timeout=LIMIT) == 1


def test_a_chord_copies_the_calls_of_a_list_and_shares_those_of_a_group(t):
    calls = [t.add.s(1, 1), t.add.s(2, 2)]
    of_list, of_group = chord(calls, t.tsum.s()), chord(group(calls), t.tsum.s())
    of_list.tasks[0].set(queue="elsewhere")
    assert calls[0].options == {} and of_list.tasks[1] == calls[1]
    of_group.tasks[0].set(priority=5)
    assert calls[0].options == {"priority": 5}
    assert group(group(calls)).tasks[0] is calls[0]


def test_an_id_may_be_a_uuid(t):
    app, one = t.app, uuid.uuid4()
    text = str(one)
    assert AsyncResult(one, app=app).id == GroupResult(one, [], app=app).id == text
    assert t.add.s(1, 2).freeze(one).id == chain(t.add.s(1, 2), t.add.s(1)).freeze(one).id == text
    assert group(t.add.s(1, 2)).set(task_id=one).freeze().id == text


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda t, one: t.add.s(1, 2).set(task_id=one), 3),
        (lambda t, one: group(t.add.s(1, 2).set(task_id=one), t.add.s(1, 3)), [3, 4]),
        (lambda t, one: group(t.add.s(1, 2), t.add.s(1, 3)).set(task_id=one), [3, 4]),
        (lambda t, one: chain(t.add.s(1, 2).set(task_id=one), t.add.s(1)), 4),
        (lambda t, one: chain(t.add.s(1, 2), t.add.s(1)).set(task_id=one), 4),
        (lambda t, one: chord([t.add.s(1, 2)], t.tsum.s()).set(task_id=one), 3),
        (lambda t, one: chain(t.add.s(1, 2), t.add.s(1)).set(root_id=one, parent_id=one), 4),
        (lambda t, one: t.add.s(1, 2).set(group_id=one), 3),
        (lambda t, one: t.add.s(1, 2).set(link=t.note.s().set(task_id=one)), 3),
        (lambda t, one: chain(t.identity.si(one), t.identity.s().set(headers={"one": one})), ...),
    ],
)
def test_so_may_every_id_of_a_canvas(t, make, expected):
    one = uuid.uuid4()
    assert make(t, one).apply_async().get(timeout=LIMIT) == (one if expected is ... else expected)


def test_other_ids_are_refused_where_they_are_given(t):
    for wrong in (True, 1, 1.5, "", b"x"):
        with pytest.raises(RequestError, match="not"):
            AsyncResult(wrong, app=t.app)
        with pytest.raises(InvalidOption, match="task_id"):
            t.add.apply_async((1, 2), task_id=wrong)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda t: named_group(t.add.s(1, 1), t.add.s(2, 2)), [2, 4]),
        (lambda t: named_chord([t.add.s(1, 1), t.add.s(2, 2)], t.tsum.s()), 6),
        (lambda t: named_chain(t.add.s(1, 1), t.add.s(2)), 4),
        (lambda t: chain(t.add.s(1, 1), named_group(t.add.s(1), t.add.s(2)), t.tsum.s()), 7),
        (lambda t: group(named_chain(t.add.s(1, 1), t.add.s(2)), named_group(t.add.s(1, 1))), [4, 2]),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
def test_kinds_of_ones_own_run_as_what_they_are_made_of(t, make, expected, plain):
    canvas = make(t)
    if plain:
        canvas = signature(json.loads(json.dumps(canvas)))
    assert canvas.apply_async().get(timeout=LIMIT) == expected
    assert canvas.apply().get() == expected


def test_one_object_in_many_places_is_many_calls_once_frozen(t):
    one, total = t.add.s(1), t.tsum.s()
    canvas = chain(t.identity.s(1), chord([one, one], group([total] * 3)), group([t.tsum.s()] * 2))
    handle = canvas.freeze()
    assert canvas.apply_async().get(timeout=LIMIT) == [12, 12]
    assert len({member.id for member in handle.results}) == 2
    assert len({member["options"]["task_id"] for member in canvas.tasks[1].body.tasks}) == 3


def test_a_skew_reaches_its_stop(t):
    made = group(t.identity.s(i) for i in range(12)).skew(start=1, stop=10)
    assert [one.options["countdown"] for one in made.tasks] == [*range(1, 11), 10, 10]


def test_a_running_call_as_a_value_keeps_its_stamps(t):
    t.identity.push_request(id="x", stamped_headers=["tenant"], stamps={"tenant": "a", "other": "b"})
    try:
        options = t.identity.signature_from_request().options
    finally:
        t.identity.pop_request()
    assert (options["stamped_headers"], options["tenant"], "other" in options) == (["tenant"], "a", False)


def test_a_handle_of_a_group_takes_its_parent_by_place(t):
    app = t.app
    parent, members = app.AsyncResult("a"), [app.AsyncResult("b"), app.AsyncResult("c")]
    made = app.GroupResult("g", members, parent)
    assert made.parent == parent and result_from_tuple(made.as_tuple(), app).parent == parent
