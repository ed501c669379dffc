"""Sends and receives values of many megabytes and compares every byte.

Must not need any setting for that: values over 64 KiB take another way by themselves.
"""

import argparse
import hashlib
import os
import sys
import time

from tasks import app, digest, echo, expected, render


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=20, help="size of each value (default: %(default)s)")
    size = parser.parse_args().megabytes * 1_000_000
    with app.local_worker(concurrency=2):
        return _show(size)


def _show(size: int) -> int:
    megabytes = size / 1e6
    data = os.urandom(size)

    start = time.perf_counter()
    rendered = render.delay(7, size).get(timeout=120)
    print(f"a result of {megabytes:.0f} MB: {time.perf_counter() - start:.2f} s")

    start = time.perf_counter()
    remote = digest.delay(data).get(timeout=120)
    print(f"an argument of {megabytes:.0f} MB: {time.perf_counter() - start:.2f} s")

    start = time.perf_counter()
    handle = echo.delay(data)
    back = handle.get(timeout=120)
    seconds = time.perf_counter() - start
    print(f"both ways: {seconds:.2f} s, {megabytes / seconds:.0f} MB/s (the payload counted once)")

    # The record and the values beside it go at once; without this they go when result_expires is over.
    handle.forget()
    right = (
        rendered == expected(7, size)
        and remote == hashlib.sha256(data).hexdigest()
        and back == data
        and not handle.exists()
    )
    print("verified: every byte is the same" if right else "WRONG: bytes differ")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
