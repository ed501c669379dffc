"""Names and numbers of task states; the Python mirror of ``TaskState.java``.

This file must stay a leaf: constants and set membership, nothing else.
"""

from __future__ import annotations

PENDING = "PENDING"
STARTED = "STARTED"
RETRY = "RETRY"
SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
REVOKED = "REVOKED"
DEAD = "DEAD"
REJECTED = "REJECTED"
IGNORED = "IGNORED"
RECEIVED = "RECEIVED"

NAMES: tuple[str, ...] = (PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, DEAD, REJECTED, IGNORED)
CODES: dict[str, int] = {name: code for code, name in enumerate(NAMES)}

RETRY_CODE = 2
SUCCESS_CODE = 3
FAILURE_CODE = 4
REVOKED_CODE = 5
DEAD_CODE = 6
REJECTED_CODE = 7
IGNORED_CODE = 8
FIRST_TERMINAL_CODE = SUCCESS_CODE

READY_STATES = frozenset({SUCCESS, FAILURE, REVOKED, DEAD, REJECTED, IGNORED})
UNREADY_STATES = frozenset({PENDING, RECEIVED, STARTED, RETRY})
EXCEPTION_STATES = frozenset({RETRY, FAILURE, REVOKED, DEAD, REJECTED})
PROPAGATE_STATES = frozenset({FAILURE, REVOKED, DEAD, REJECTED})
ALL_STATES = READY_STATES | UNREADY_STATES


def name_of(code: int) -> str:
    """Returns the name of a wire state; an unknown number reads ``STATE_<n>``."""
    return NAMES[code] if 0 <= code < len(NAMES) else f"STATE_{code}"
