"""Calls that are right, with the types they have. Read by type checkers, never run."""

from __future__ import annotations

from typing import Any, assert_type

from ignitetasks import IgniteTasks, Task, chain, chord, group, shared_task
from ignitetasks.canvas import Signature
from ignitetasks.result import AsyncResult, GroupResult

app = IgniteTasks("typed")


@app.task
def add(x: int, y: int = 0) -> int:
    return x + y


@app.task(bind=True, max_retries=3)
def label(self: Task[..., Any], number: int, *, prefix: str = "no.") -> str:
    assert_type(self.request.retries, int)
    return f"{prefix} {number}"


@shared_task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@shared_task(bind=True, name="shout")
def shout(self: Task[..., Any], text: str) -> bytes:
    return text.upper().encode()


class Scale(Task[[float, float], float]):
    def run(self, value: float, factor: float) -> float:
        return value * factor


scale = app.register_task(Scale())


# A task is still its function.
assert_type(add(1, 2), int)
assert_type(label(1, prefix="x"), str)

# Calls carry the function's types, also where the task is bound.
assert_type(add.delay(1), AsyncResult[int])
assert_type(add.delay(1, y=2).get(timeout=3), int)
assert_type(label.delay(1, prefix="x"), AsyncResult[str])
assert_type(total.delay([1, 2]).get(), int)
assert_type(shout.delay("x").get(), bytes)
assert_type(scale.delay(1.0, 2.0).get(), float)
assert_type(add.apply_async((1, 2), countdown=3), AsyncResult[int])
assert_type(label.apply_async((1,), {"prefix": "x"}, queue="mail"), AsyncResult[str])

# Signatures: whole, without the argument that a chain puts in front, and empty.
assert_type(add.s(1, 2), Signature[int])
assert_type(add.s(y=2), Signature[int])
assert_type(label.s(prefix="x"), Signature[str])
assert_type(total.s(), Signature[int])
assert_type(add.si(1, 2), Signature[int])
assert_type(shout.si("x"), Signature[bytes])
assert_type(add.signature((1, 2), countdown=3), Signature[int])
assert_type(add.s(1, 2).set(queue="mail"), Signature[int])
assert_type(add.s(1, 2).delay(), AsyncResult[int])
assert_type(add.s(1, 2).apply_async().get(), int)


# Compositions.
sent: GroupResult[Any] = group(add.s(n, n) for n in range(3)).apply_async()
listed: list[Any] = sent.get(timeout=3)
last: AsyncResult[Any] = chain(add.s(1, 2), label.s()).apply_async()
body: AsyncResult[Any] = chord([add.s(1, 2), add.s(3, 4)], total.s()).apply_async()


async def awaited() -> None:
    assert_type(await add.delay(1), int)
    assert_type(await add.adelay(1, y=2), AsyncResult[int])
    assert_type(await (await label.adelay(1)), str)
