"""What an outcome brings with it, as it goes on the wire."""

from __future__ import annotations

from ignitetasks import frames
from ignitetasks.message import PROMISED, Group, Template, make_spawn


def test_a_spawn_has_only_the_parts_that_are_wanted():
    assert make_spawn() is None
    assert make_spawn(grow=[("j", 2)]) == {"grow": [("j", 2)]}


def test_a_spawn_packs_as_a_submit_does():
    template = Template("t", "q", join_id="j", join_size=PROMISED)
    group = Group(template, [("a", b"m", None)])
    spawn = make_spawn([group], [("e", 4, b"m", "ValueError", template)])
    plain = frames.unpack(frames.pack(spawn))
    fields = ["t", "q", 0, 0, 0, 0, 3, 0, 0, 86_400_000, None, None, None, None, "j", -1]
    assert plain == {
        "submit": [[fields, [["a", b"m", None]]]],
        "end": [["e", 4, b"m", "ValueError", fields]],
    }
