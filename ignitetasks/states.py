"""Names and numbers of task states; the Python mirror of ``TaskState.java``.

This file must stay a leaf: constants, set membership and order, nothing else.
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

#: States by how much they say, the most first; None stands for all that are not named.
PRECEDENCE: list[str | None] = [
    SUCCESS, FAILURE, DEAD, None, REVOKED, IGNORED, STARTED, RECEIVED, REJECTED, RETRY, PENDING,
]  # fmt: skip
_RANKS: dict[str | None, int] = {name: rank for rank, name in enumerate(PRECEDENCE)}


def precedence(state: str) -> int:
    """Returns the place of a state in `PRECEDENCE`; a small number says more."""
    return _RANKS.get(state, _RANKS[None])


class state(str):  # Celery's name
    """A state that can be compared: the greater one says more."""

    __slots__ = ()

    def __gt__(self, other: str) -> bool:
        return precedence(self) < precedence(other)

    def __ge__(self, other: str) -> bool:
        return precedence(self) <= precedence(other)

    def __lt__(self, other: str) -> bool:
        return precedence(self) > precedence(other)

    def __le__(self, other: str) -> bool:
        return precedence(self) >= precedence(other)


def name_of(code: int) -> str:
    """Returns the name of a wire state; an unknown number reads ``STATE_<n>``."""
    return NAMES[code] if 0 <= code < len(NAMES) else f"STATE_{code}"
