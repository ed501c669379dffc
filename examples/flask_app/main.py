"""Sends a task through the application's own pages and waits for its result, with a real worker beside it.

Must not leave processes behind.
"""

import subprocess
import sys
import time
from pathlib import Path

from web import flask_app

HERE = Path(__file__).resolve().parent


def main() -> int:
    command = [sys.executable, "-m", "ignitetasks", "worker", "-A", "web:background_app", "-c", "2"]
    worker = subprocess.Popen(command, cwd=HERE)
    try:
        browser = flask_app.test_client()
        task_id = browser.post("/sums", json={"x": 2, "y": 3}).get_json()["id"]
        deadline = time.monotonic() + 60
        while not (answer := browser.get(f"/sums/{task_id}").get_json())["ready"] and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(30)
    print(answer)
    right = answer == {"ready": True, "successful": True, "value": "2 + 3 = 5, says the shop"}
    print("verified: the task ran inside the application context" if right else "WRONG")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
