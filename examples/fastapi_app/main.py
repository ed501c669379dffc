"""Runs the service and a worker, sends pictures from many clients at once and checks the answers.

Must not leave processes behind.
"""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from web import service

HERE = Path(__file__).resolve().parent
PICTURES = [(2 * n, 4 * n) for n in range(1, 41)]


def main() -> int:
    command = [sys.executable, "-m", "ignitetasks", "worker", "-A", "tasks", "-P", "asyncio", "-c", "20"]
    worker = subprocess.Popen(command, cwd=HERE)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(service, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/pictures"
        start = time.perf_counter()
        with ThreadPoolExecutor(20) as clients:
            sizes = list(clients.map(lambda size: shrunk(base, *size), PICTURES))
        print(f"{len(sizes)} pictures in {time.perf_counter() - start:.1f} s")
    finally:
        server.should_exit = True
        thread.join(30)
        worker.terminate()
        worker.wait(30)
    right = sizes == [[width // 2, height // 2] for width, height in PICTURES]
    print("verified: every picture was awaited and is right" if right else "WRONG")
    return 0 if right else 1


def shrunk(base: str, width: int, height: int) -> list[int]:
    sent = urllib.request.Request(f"{base}?width={width}&height={height}", method="POST")
    with urllib.request.urlopen(sent, timeout=60) as answer:
        task_id = json.load(answer)["id"]
    with urllib.request.urlopen(f"{base}/{task_id}", timeout=60) as answer:
        size: list[int] = json.load(answer)["size"]
    return size


if __name__ == "__main__":
    sys.exit(main())
