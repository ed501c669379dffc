"""`update_state`: what is sent, what is refused, and where there is nobody to tell."""

from __future__ import annotations

import asyncio
import signal
import socket

import pytest

from ignitetasks import AsyncResult, IgniteTasks, InvalidOption, context, frames, wire
from ignitetasks.context import Request
from ignitetasks.message import Completion, encode_result
from ignitetasks.worker.outbox import Outbox

app = IgniteTasks("states", transport="memory")


@app.task(bind=True)
def told(self, state=None, task_id=None):
    """Tells one thing."""
    self.update_state(task_id, state, {"done": 3})
    return "over"


def run(**call):
    said = []
    token = context.enter(
        Request(id="t1", task=told.name, owner=told, called_directly=False, report=lambda *word: said.append(word))
    )
    try:
        told.update_state(meta=1, **call)
    finally:
        context.leave(token)
    return said


def test_a_word_has_a_name_and_a_value():
    assert run() == [("PROGRESS", 1)]
    assert run(state="LOADING", task_id="t1") == [("LOADING", 1)]


@pytest.mark.parametrize("state", ["REVOKED", "", "x" * 256])
def test_no_state_that_ends_a_task(state):
    with pytest.raises(InvalidOption, match="name of your own"):
        run(state=state)


def test_for_another_task_it_is_told_from_outside():
    assert run(task_id="t2", state="LOADING") == []
    other = app.AsyncResult("t2")
    assert (other.state, other.info, other.ready()) == ("LOADING", 1, False)


def test_outside_of_a_worker_nobody_is_told():
    assert told() == "over"
    assert told.apply().get() == "over"


def test_a_word_is_one_frame_that_no_signal_can_cut():
    near, far = socket.socketpair()
    outbox = Outbox(frames.LaneConnection(near))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    outbox.state(7, "LOADING", b"m\x01")
    kind, payload = frames.LaneConnection(far).recv()
    assert (kind, frames.unpack(payload)) == (frames.STATE, [7, "LOADING", b"m\x01"])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    far.close()
    outbox.state(7, "LOADING", b"m\x01")  # the loop meets the closed lane, the task does not
    near.close()


def test_a_listener_hears_the_word_on_record_once(monkeypatch):
    with IgniteTasks("heard", transport="memory://heard-once") as one:
        sent = one.send_task("nobody.has_it")
        hub = one.client.hub
        words = [["PROGRESS", encode_result(one.client.codecs, sent.id, number)] for number in (4, 5)]
        monkeypatch.setattr(AsyncResult, "info_map", lambda _: {"note": words[0][0], "result": words[0][1]})
        listeners = []
        register = hub.register

        def registering(listener, *rest):
            listeners.append(listener)
            register(listener, *rest)

        monkeypatch.setattr(hub, "register", registering)

        async def listen():
            found = []
            async for said in sent.progress():
                found.append(said.info)
                if len(found) == 1:
                    for word in words:
                        listeners[0].told(Completion(sent.id, 0, wire.pack(word)))
                elif said.info == 5:
                    sent.revoke()
            return found

        assert asyncio.run(listen()) == [4, 5]
