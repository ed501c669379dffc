"""Charging orders: a task that must not happen twice, however often it is sent.

Writes one line per execution into a file, so that `main.py` can count. Must not start anything when imported.
"""

import os

from ignitetasks import IgniteTasks

app = IgniteTasks("billing")
LEDGER_VARIABLE = "BILLING_LEDGER"


def _note(text: str) -> None:
    # O_APPEND: lines of several processes never mix, and none is lost when a process is killed after it.
    descriptor = os.open(os.environ[LEDGER_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{text}\n".encode())
    finally:
        os.close(descriptor)


@app.task
def charge(order: str, cents: int) -> str:
    """Charges an order; the caller gives the idempotency key."""
    _note(f"charge {order} {cents}")
    return f"{order}: {cents / 100:.2f} charged"


@app.task(idempotency_key=lambda order: ("receipt", order))
def send_receipt(order: str) -> str:
    """Sends a receipt; the key is made of the arguments, so callers need not think of it."""
    _note(f"receipt {order}")
    return f"receipt for {order} sent"
