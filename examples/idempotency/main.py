"""Sends the same calls again and again and counts how often they ran.

Must not trust the handles alone: the tasks count their own executions in a file.
"""

import os
import sys
import tempfile
import uuid
from pathlib import Path

from tasks import LEDGER_VARIABLE, app, charge, send_receipt

from ignitetasks import IdempotencyConflict

ORDERS = 50


def main() -> int:
    # Keys are remembered until their records expire, so each run of this example uses orders of its own.
    run = uuid.uuid4().hex[:8]
    orders = [f"order-{run}-{number}" for number in range(ORDERS)]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder, "ledger")
        os.environ[LEDGER_VARIABLE] = str(ledger)
        with app.local_worker(concurrency=2):
            return _show(orders, ledger)


def _show(orders: list[str], ledger: Path) -> int:
    first = [charge.apply_async((order, 1999), idempotency_key=("charge", order)) for order in orders]
    again = [charge.apply_async((order, 1999), idempotency_key=("charge", order)) for order in orders]
    print(f"sent {len(first)} charges: {sum(one.created for one in first)} were created")
    print(f"sent them again: {sum(one.created for one in again)} were created, same handles: {first == again}")
    print(f"result: {again[0].get(timeout=30)!r}")
    same = [one.get(timeout=30) for one in first] == [one.get(timeout=30) for one in again]

    try:
        charge.apply_async((orders[0], 5), idempotency_key=("charge", orders[0]))
        conflict = False
    except IdempotencyConflict as error:
        conflict = True
        print(f"the key with other arguments: {error}")

    receipts = send_receipt.bulk([(order,) for order in orders])
    repeated = send_receipt.bulk([(order,) for order in orders])
    receipts.get(timeout=60)
    print(f"receipts in bulk: {len(receipts) - len(receipts.existing)} created, then {len(repeated.existing)} existed")

    lines = ledger.read_text().splitlines()
    print(f"executions counted by the tasks themselves: {len(lines)} (expected {2 * len(orders)})")
    right = (
        first == again
        and same
        and conflict
        and not any(one.created for one in again)
        and len(repeated.existing) == len(orders)
        and len(lines) == len(set(lines)) == 2 * len(orders)
    )
    print("verified: nothing ran twice" if right else "WRONG: see the numbers above")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
