"""Tasks that tell how far they are, run by a worker of their own."""

from __future__ import annotations

import time
from pathlib import Path

from ignitetasks import IgniteTasks, Ignore

app = IgniteTasks("progress")


@app.task(bind=True)
def gated(self, door):
    """Tells two things and waits for a file to appear."""
    self.update_state(state="LOADING", meta={"done": 1})
    self.update_state(state="SAVING", meta={"done": 2})
    while not Path(door).exists():
        time.sleep(0.01)
    return "over"


@app.task(bind=True)
def chatty(self, words):
    """Tells very much."""
    for number in range(words):
        self.update_state(meta=number)
    return words


@app.task(bind=True, max_retries=1)
def twice(self):
    """Fails once after a word, and says nothing the second time."""
    if not self.request.retries:
        self.update_state(meta="first try")
        raise self.retry(countdown=0)
    return self.request.retries


@app.task(bind=True)
def wrong(self):
    """Wants what cannot be."""
    self.update_state(state="REVOKED")


@app.task(bind=True)
def tells_its_end(self, state, meta):
    """Says how it has ended, and leaves it at that."""
    self.update_state(state=state, meta=meta)
    raise Ignore
