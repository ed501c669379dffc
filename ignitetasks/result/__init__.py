"""Handles of tasks: of one, of several, of a group, and of one that has run already.

This file must only name them.
"""

from ignitetasks import states
from ignitetasks.errors import ResultTimeout as TimeoutError
from ignitetasks.result.eager import EagerResult
from ignitetasks.result.facts import ResultBase
from ignitetasks.result.guard import (
    allow_join_result,
    assert_will_not_block,
    denied_join_result,
    task_join_will_block,
)
from ignitetasks.result.handle import AsyncResult, handle_class
from ignitetasks.result.opening import default_source, open_completion, set_default_source
from ignitetasks.result.sets import GroupResult, ResultSet, group_class, result_from_tuple

__all__ = [
    "AsyncResult",
    "EagerResult",
    "GroupResult",
    "ResultBase",
    "ResultSet",
    "TimeoutError",
    "allow_join_result",
    "assert_will_not_block",
    "default_source",
    "denied_join_result",
    "group_class",
    "handle_class",
    "open_completion",
    "result_from_tuple",
    "set_default_source",
    "states",
    "task_join_will_block",
]
