"""Tasks with arguments and results of many megabytes.

Must not start anything when it is imported.
"""

import hashlib

from ignitetasks import IgniteTasks

app = IgniteTasks("video")


@app.task
def render(seed: int, size_bytes: int) -> bytes:
    """Returns so many bytes that only look random."""
    return expected(seed, size_bytes)


@app.task
def digest(data: bytes) -> str:
    """Returns the SHA-256 of what it was sent."""
    return hashlib.sha256(data).hexdigest()


@app.task(result_expires=60)
def echo(data: bytes) -> bytes:
    """Returns what it was sent; kept for a minute only."""
    return data


def expected(seed: int, size_bytes: int) -> bytes:
    """Makes the bytes of `render`, on either side."""
    return hashlib.shake_128(str(seed).encode()).digest(size_bytes)
