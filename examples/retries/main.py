"""Shows automatic retries with backoff, a retry on the task's own wish, giving up, and a task that kills its worker.

Must not hang on a task that never succeeds: every wait has an end.
"""

import sys
import time

from tasks import ServiceDown, app, crash, forecast, measure

from ignitetasks import WorkerLostError


def main() -> int:
    with app.local_worker(concurrency=2):
        return _show()


def _show() -> int:
    start = time.perf_counter()
    answer = forecast.delay("Oslo", 3).get(timeout=30)
    print(f"autoretry_for with backoff: {answer!r} after {time.perf_counter() - start:.2f} s")

    measured = measure.delay("north", 0.1).get(timeout=30)
    print(f"self.retry(countdown=0.1): {measured}")

    hopeless = forecast.delay("Atlantis", 100)
    try:
        hopeless.get(timeout=30)
        gave_up = False
    except ServiceDown as error:
        gave_up = True
        print(f"max_retries reached: state {hopeless.state}, raised here as {type(error).__name__}: {error}")

    lost = crash.delay(7)
    try:
        lost.get(timeout=60)
        dead = False
    except WorkerLostError as error:
        dead = True
        print(f"a task that kills its process: state {lost.state}, {error}")

    # The crashes took two children with them; the worker has replaced both.
    alive = forecast.delay("Lima", 0).get(timeout=30)
    print(f"and the worker goes on: {alive!r}")

    right = (
        answer == "Oslo: sunny, at try 4"
        and measured == {"station": "north", "tries": 3}
        and gave_up
        and dead
        and (hopeless.state, lost.state) == ("FAILURE", "DEAD")
        and alive == "Lima: sunny, at try 1"
    )
    print("verified" if right else "WRONG: see above")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
