"""Calls that are wrong. Each marked line must be refused, and no other. Read by type checkers, never run."""

from __future__ import annotations

from typing import Any

from ignitetasks import IgniteTasks, Task, shared_task

app = IgniteTasks("typed")


@app.task
def add(x: int, y: int = 0) -> int:
    return x + y


@app.task(bind=True)
def label(self: Task[..., Any], number: int, *, prefix: str = "no.") -> str:
    return f"{prefix} {number}"


@shared_task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@shared_task(bind=True)
def shout(self: Task[..., Any], text: str) -> bytes:
    return text.upper().encode()


class Scale(Task[[float, float], float]):
    def run(self, value: float, factor: float) -> float:
        return value * factor


scale = app.register_task(Scale())

add.delay()  # bad
add.delay("1")  # bad
add.delay(1, z=2)  # bad
add.delay(1, 2, 3)  # bad
label.delay("1")  # bad
label.delay(1, "x")  # bad
label.delay(1, prefix=2)  # bad
total.delay(1)  # bad
shout.delay(b"x")  # bad
shout.delay()  # bad
scale.delay("1", 2.0)  # bad
scale.delay(1.0)  # bad

add.s("1", 2)  # bad
add.s(1, 2, 3)  # bad
add.s(z=2)  # bad
label.s(1, 2)  # bad
total.s(1)  # bad
add.si()  # bad
add.si("1")  # bad
shout.si(1)  # bad
scale.s(1.0, 2.0, 3.0)  # bad

add.apply_async((1, 2), countdown="soon")  # bad
add.apply_async({"x": 1})  # bad
text: str = add.delay(1).get()  # bad
number: int = shout.delay("x").get()  # bad
other: int = add.s(1, 2).delay().get() + label.delay(1).get()  # bad


async def awaited() -> None:
    wrong: str = await add.delay(1)  # bad
    print(wrong)
    await add.adelay("1")  # bad
