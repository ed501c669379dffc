"""Sends a few calls of `add` and reads their results; a worker runs for the length of the block.

Must not need anything but Python and Java: no broker, no configuration.
"""

import time

from tasks import add, app

from ignitetasks import ArgumentError


def main() -> None:
    with app.local_worker(concurrency=2):
        handle = add.delay(2, 3)
        print(f"add.delay(2, 3).get() = {handle.get(timeout=30)}   (task {handle.id}, state {handle.state})")

        start = time.perf_counter()
        results = add.bulk((number, number) for number in range(1_000))
        values = results.get(timeout=60)
        seconds = time.perf_counter() - start
        if values != [2 * number for number in range(1_000)]:
            raise SystemExit("the results of the bulk call are wrong")
        print(f"1,000 calls sent with add.bulk(...), all results back and right: {seconds:.2f} s")

        try:
            add.delay(2)  # type: ignore[call-arg]
        except ArgumentError as error:
            print(f"a wrong call is refused before it is sent: {error}")


if __name__ == "__main__":
    main()
