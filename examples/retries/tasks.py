"""Tasks that fail in different ways, and what they say about it.

Must not start anything when it is imported.
"""

import os

from ignitetasks import IgniteTasks, Task

app = IgniteTasks("weather")


class ServiceDown(Exception):
    """A service that does not answer now and may answer later."""


@app.task(bind=True, autoretry_for=(ServiceDown,), max_retries=5, retry_backoff=0.05, retry_jitter=False)
def forecast(self: Task, city: str, failures: int) -> str:
    """Fails so many times, then answers; the decorator does the repeating."""
    if self.request.retries < failures:
        raise ServiceDown(f"no answer for {city} (try {self.request.retries + 1})")
    return f"{city}: sunny, at try {self.request.retries + 1}"


@app.task(bind=True, max_retries=3)
def measure(self: Task, station: str, wait_seconds: float) -> dict[str, object]:
    """Decides by itself when to be run again."""
    if self.request.retries < 2:
        raise self.retry(countdown=wait_seconds)
    return {"station": station, "tries": self.request.retries + 1}


@app.task(max_deliveries=2)
def crash(code: int) -> None:
    """Takes its whole process with it."""
    os._exit(code)
