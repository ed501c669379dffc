"""The application of the integration tests, as a user would write one; imported by the tests and by their workers."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from support.executions import ExecutionLog
from support.polling import until

from ignitetasks import IgniteTasks, Ignore, Reject, SoftTimeLimitExceeded, current_request
from ignitetasks.worker import state

app = IgniteTasks("suite")
_LOG = "SUITE_LOG"


def log() -> ExecutionLog:
    """The file the tasks of this run count their executions in."""
    return ExecutionLog(os.environ[_LOG])


class ShopError(Exception):
    """An exception with arguments and attributes of its own."""

    def __init__(self, order: int, reason: str) -> None:
        super().__init__(order, reason)
        self.order = order
        self.reason = reason


class OddConstructor(Exception):
    """Its constructor does not fit its own ``args``."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")
        self.total = first + second


class NoText(Exception):
    """Neither ``str`` nor ``repr`` of it work."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class NoPickle(Exception):
    """Cannot be pickled."""

    def __reduce__(self) -> str:
        raise TypeError("no pickle")


class Odd:
    """A value no encoding knows."""


# -- plain work ---------------------------------------------------------------------------------------------------


@app.task
def add(x: int, y: int) -> int:
    return x + y


@app.task
def echo(value: object = None) -> object:
    return value


@app.task
def mark(label: str, value: object = None) -> object:
    log().add(label)
    return value


@app.task
def mark_slowly(label: str, seconds: float) -> None:
    log().add(label)
    time.sleep(seconds)


@app.task(name="shop.renamed")
def renamed(*, price: float, currency: str = "EUR") -> str:
    return f"{price:.2f} {currency}"


@app.task
def size(value: bytes) -> int:
    return len(value)


@app.task
def blob(length: int, seed: int = 0) -> bytes:
    return pattern(length, seed)


def pattern(length: int, seed: int = 0) -> bytes:
    """Bytes that differ everywhere, so that a swapped or missing chunk shows."""
    block = bytes((index * 31 + seed) % 251 for index in range(251 * 17))
    return (block * (length // len(block) + 1))[:length]


@app.task(bind=True)
def request_facts(self) -> dict[str, object]:
    request = self.request
    return {
        "id": request.id,
        "task": request.task,
        "queue": request.queue,
        "priority": request.priority,
        "headers": request.headers,
        "eta": request.eta,
        "expires": request.expires,
        "retries": request.retries,
        "deliveries": request.deliveries,
        "timelimit": list(request.timelimit or ()),
        "root_id": request.root_id,
        "parent_id": request.parent_id,
        "hostname": request.hostname,
        "called_directly": request.called_directly,
        "pid": os.getpid(),
    }


@app.task(bind=True)
def seen_by_worker(self) -> list[object]:
    """What the worker says it has in hand, asked by a child of its own."""
    (mine,) = [one for one in state.active_requests if one.id == self.request.id]
    return [mine.name, mine.worker_pid == os.getpid(), state.total_count.get("suite_tasks.echo", 0)]


@app.task
def when_run() -> float:
    return datetime.now(timezone.utc).timestamp()


@app.task(bind=True)
def send_others(self, numbers: list[int]) -> list[str]:
    assert current_request().id == self.request.id
    return [request_facts.delay().id, *(add.delay(one, one).id for one in numbers)]


@app.task(ignore_result=True)
def silent(label: str) -> str:
    log().add(label)
    return "nobody sees this"


@app.task
def gate(label: str, opened: str) -> str:
    """Says that it runs, and runs until a file is there."""
    log().add(label, "start")
    until(Path(opened).exists, f"{opened} to appear", step=0.01)
    log().add(label, "end")
    return label


@app.task(track_started=True)
def tracked_gate(label: str, opened: str) -> str:
    return gate(label, opened)


@app.task
async def coroutine(x: int) -> int:
    return x + 1


# -- failing ------------------------------------------------------------------------------------------------------


@app.task
def fail(kind: str) -> None:
    if kind == "shop":
        raise ShopError(7, "sold out")
    if kind == "odd":
        raise OddConstructor(1, 2)
    if kind == "no-text":
        raise NoText
    if kind == "no-pickle":
        raise NoPickle("cannot travel")
    if kind == "unserialisable":
        raise ValueError(Odd())
    if kind == "local":

        class Local(Exception):
            pass

        raise Local("made in a function")
    if kind == "unimportable":
        namespace: dict[str, object] = {"__name__": "module_of_nobody"}
        exec("class Secret(Exception): pass", namespace)
        raise namespace["Secret"]("only there")
    if kind == "chained":
        try:
            int("x")
        except ValueError as error:
            raise LookupError("no such number") from error
    raise KeyError(kind)


@app.task
def fork_and_go_on() -> str:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return "the task" if pid else "the copy"


@app.task
def raise_base(kind: str) -> None:
    log().add(f"base-{kind}")
    if kind == "exit":
        sys.exit(3)
    if kind == "interrupt":
        raise KeyboardInterrupt
    if kind == "generator-exit":
        raise GeneratorExit

    class Bare(BaseException):
        pass

    raise Bare("not an Exception")


@app.task(max_deliveries=2)
def die(label: str, how: str) -> None:
    log().add(label)
    if how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)
    os._exit(7)


@app.task
def return_odd(label: str) -> object:
    log().add(label)
    return {"rows": [1, Odd()]}


@app.task
def chatty(lines: int) -> int:
    for index in range(lines):
        print(f"line {index} of a task that says too much")
    return lines


# -- retries ------------------------------------------------------------------------------------------------------


@app.task(bind=True, max_retries=3, default_retry_delay=0.01)
def flaky(self, label: str, failures: int) -> int:
    log().add(label, self.request.retries)
    if self.request.retries < failures:
        raise self.retry(exc=ShopError(self.request.retries, "not yet"))
    return self.request.retries


@app.task(bind=True, max_retries=1, default_retry_delay=0.01)
def gives_up(self, label: str) -> None:
    log().add(label)
    raise self.retry()


@app.task(bind=True)
def retries_wrongly(self, label: str) -> None:
    log().add(label)
    raise self.retry(queue="not a queue", countdown=0)


@app.task(bind=True)
def waits_long(self, label: str) -> None:
    log().add(label)
    raise self.retry(exc=ShopError(1, "tomorrow"), countdown=86_400)


@app.task(bind=True, max_retries=5)
def grows(self, label: str, number: int, step: int = 1) -> int:
    log().add(label, number)
    if number < 3:
        raise self.retry(args=(label, number + step), kwargs={"step": step}, countdown=0)
    return number


@app.task(bind=True)
def regrows(self, label: str, value: bytes) -> int:
    if self.request.retries == 0:
        raise self.retry(args=(label, value + value), countdown=0)
    return len(value)


@app.task(bind=True)
def moves(self, queue: str) -> str:
    if self.request.queue != queue:
        raise self.retry(queue=queue, countdown=0)
    return self.request.queue


@app.task(
    bind=True,
    autoretry_for=(ConnectionError,),
    dont_autoretry_for=(ConnectionAbortedError,),
    retry_backoff=0.01,
    retry_backoff_max=0.02,
    max_retries=3,
)
def auto(self, label: str, kind: str = "reset", failures: int = 2) -> int:
    log().add(label, self.request.retries)
    if self.request.retries < failures:
        raise {"reset": ConnectionResetError, "abort": ConnectionAbortedError, "value": ValueError}[kind]("again")
    return self.request.retries


@app.task(bind=True)
def rejects(self, label: str, requeue: bool) -> str:
    log().add(label)
    if not requeue:
        raise Reject("not for me", requeue=False)
    if log().count(label) < 2:
        raise Reject("somebody else", requeue=True)
    return "taken the second time"


@app.task
def ignores(label: str) -> None:
    log().add(label)
    raise Ignore


# -- limits and ends ----------------------------------------------------------------------------------------------


@app.task(soft_time_limit=0.2)
def softly(label: str) -> str:
    try:
        time.sleep(60)
    except SoftTimeLimitExceeded:
        log().add(label)
        return "cleaned up"
    return "was never interrupted"


@app.task
def sleeps(label: str, seconds: float) -> str:
    log().add(label)
    time.sleep(seconds)
    return label


@app.task(acks_late=False)
def early(label: str) -> None:
    log().add(label)
    os._exit(9)


@app.task
def pid() -> int:
    return os.getpid()


@app.task
def grow(megabytes: int) -> int:
    data = bytearray(megabytes << 20)
    data[::4096] = b"x" * len(data[::4096])
    return os.getpid()


@app.task(bind=True, max_deliveries=3)
def dies_once(self, label: str) -> int:
    log().add(label)
    if self.request.deliveries == 0:
        os._exit(5)
    return self.request.deliveries


# -- keys ---------------------------------------------------------------------------------------------------------


@app.task(idempotency_key=lambda order, amount=1: f"order-{order}")
def charge(order: int, amount: int = 1) -> int:
    log().add("charge", order)
    return amount
