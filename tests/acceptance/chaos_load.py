"""Submits tasks and canvases until it is told to stop, and writes down what each call came to.

``python chaos_load.py HISTORY SEED FIRST_NUMBER PAUSE_MS``: singles, bulks, repeats under the same key (10 %), some
revokes, some reads in between. SIGTERM ends it after the call under way. Settings come from the environment, as for
any program.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

from chaos_app import app, follow, keyed, work
from history import TERMINAL, Journal

from ignitetasks import chain, chord
from ignitetasks.errors import IgniteTasksError, NotConnected, OperationalError

_BULK = 40
_CANVAS = 4
_REPEATS = 0.1
_KNOWN = 500


class Load:
    """One stream of submits.

    Args:
        folder: Where it is written down.
        seed: Of its choices.
        first: Its first number; no other load uses numbers from there on.
    """

    def __init__(self, folder: Path, seed: int, first: int) -> None:
        self._journal = Journal(folder, "load")
        self._random = random.Random(seed)
        self._next = first
        self._used_keys: list[int] = []
        self._made: list[str] = []
        self._stopped = False

    def stop(self, *_: object) -> None:
        """Ends `run` after the call under way."""
        self._stopped = True

    def run(self, pause: float) -> None:
        """Goes on until it is told to stop."""
        # Most tasks come in bulks; more of these would leave the processor little for what is tested.
        steps = ((0.55, self.single), (0.22, self.single_keyed), (0.05, self.bulk), (0.03, self.bulk_keyed),
                 (0.04, self.cancel), (0.06, self.read), (0.03, self.chord), (0.02, self.chain))  # fmt: skip
        while not self._stopped:
            (step,) = self._random.choices([one for _, one in steps], [weight for weight, _ in steps])
            step()
            time.sleep(pause)

    def _new(self) -> int:
        self._next += 1
        return self._next

    def _keyed_number(self) -> int:
        if self._used_keys and self._random.random() < _REPEATS:
            return self._random.choice(self._used_keys[-_KNOWN:])
        n = self._new()
        self._used_keys.append(n)
        return n

    def _submit(self, ns, send) -> list[str]:
        self._journal.write("submit", "invoke", ns=ns)
        try:
            results = list(send())
        except NotConnected as error:
            self._journal.write("submit", "fail", ns=ns, error=repr(error))
        except OperationalError as error:
            self._journal.write("submit", "info", ns=ns, error=repr(error))
        else:
            made = [[n, result.id, result.created] for n, result in zip(ns, results, strict=True)]
            self._journal.write("submit", "ok", made=made)
            return [result.id for result in results]
        return []

    def _ms(self) -> int:
        return 30 if self._random.random() < 0.1 else 0

    def single(self) -> None:
        """One task."""
        n, ms = self._new(), self._ms()
        self._made += self._submit([n], lambda: [work.delay(n, ms)])

    def single_keyed(self) -> None:
        """One task under a key, now and then one that was used before."""
        n = self._keyed_number()
        self._made += self._submit([n], lambda: [keyed.delay(n)])

    def bulk(self) -> None:
        """Many tasks in one call."""
        ns = [self._new() for _ in range(_BULK)]
        self._made += self._submit(ns, lambda: work.bulk([(n,) for n in ns]))

    def bulk_keyed(self) -> None:
        """Many tasks under keys in one call; a key may be there twice."""
        ns = [self._keyed_number() for _ in range(_BULK)]
        self._made += self._submit(ns, lambda: keyed.bulk([(n,) for n in ns]))

    # Members of canvases are not among those that are revoked: what follows them has to be run.
    def chord(self) -> None:
        """Tasks and one that gets all their results."""
        *header, last = ns = [self._new() for _ in range(_CANVAS)]

        def send():
            body = chord([work.s(n, self._ms()) for n in header])(follow.s(last, header))
            return [*body.parent.results, body]

        self._submit(ns, send)

    def chain(self) -> None:
        """Tasks of which each gets the result of the one before."""
        ns = [self._new() for _ in range(_CANVAS)]

        def send():
            following = (follow.s(n, [before]) for before, n in pairwise(ns))
            results = [chain(work.s(ns[0], self._ms()), *following).apply_async()]
            while results[0].parent is not None:
                results.insert(0, results[0].parent)
            return results

        self._submit(ns, send)

    def cancel(self) -> None:
        """Revokes a task sent a moment ago; it may have run."""
        n = self._new()
        self._made += self._submit([n], lambda: [work.apply_async((n,), countdown=0.2)])
        if self._made:
            self._ask("cancel", self._made[-1], lambda result: result.revoke())

    def read(self) -> None:
        """Looks at a task's state; what is final then has to stay so."""
        if self._made:
            self._ask("read", self._random.choice(self._made[-_KNOWN:]), lambda result: result.state)

    def _ask(self, f, task_id, question) -> None:
        try:
            state = question(app.AsyncResult(task_id))
        except IgniteTasksError as error:
            self._journal.write(f, "info", id=task_id, v=type(error).__name__)
            return
        if f == "cancel" or state in TERMINAL:
            self._journal.write(f, "ok", id=task_id, v=state)


def main() -> None:
    """Runs a load; see the module's documentation."""
    folder, seed, first, pause = sys.argv[1:]
    load = Load(Path(folder), int(seed), int(first))
    signal.signal(signal.SIGTERM, load.stop)
    load.run(float(pause) / 1000)


if __name__ == "__main__":
    main()
