"""Orders something through the project's own pages, with a worker started by manage.py, and checks what happened.

Must not leave anything behind: database and processes end with it.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django
from django.test import Client
from project import app

HERE = Path(__file__).resolve().parent


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SHOP_DATABASE"] = str(Path(folder) / "shop.sqlite3")
        manage("migrate", "--verbosity", "0")
        worker = subprocess.Popen([sys.executable, "manage.py", "ignitetasks", "worker", "-c", "2"], cwd=HERE)
        try:
            return order_things()
        finally:
            worker.terminate()
            worker.wait(30)


def manage(*words: str) -> None:
    subprocess.run([sys.executable, "manage.py", *words], cwd=HERE, check=True)


def order_things() -> int:
    django.setup()
    shop = Client()
    number = shop.get("/orders/", {"article": "lamp"}).json()["number"]
    print(f"ordered: number {number}")
    refused = shop.get("/orders/", {"article": "sold-out chair"})
    print(f"refused: {refused.json()}")

    deadline = time.monotonic() + 60
    while not (order := shop.get(f"/orders/{number}/").json())["confirmed"] and time.monotonic() < deadline:
        time.sleep(0.1)
    print(f"in the database: {order}")

    sent = app.control.inspect().stats() or {}
    ran = sum(total for worker in sent.values() for total in worker["total"].values())
    print(f"tasks that ran: {ran}")
    right = order["confirmed"] and refused.status_code == 409 and ran == 1
    print("verified: the task ran after the commit, and not for the order that was rolled back" if right else "WRONG")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
