"""Remote control of a worker, under the names users write custom commands with.

The registry and its decorators live in panel.py, the built-in commands in commands.py. This file must not contain
behaviour.
"""

from __future__ import annotations

from ignitetasks.worker.commands import make_panel, revoke
from ignitetasks.worker.consumer import Consumer
from ignitetasks.worker.panel import CommandInfo, ControlState, Later, Panel, control_command, inspect_command

__all__ = [
    "CommandInfo",
    "Consumer",
    "ControlState",
    "Later",
    "Panel",
    "control_command",
    "inspect_command",
    "make_panel",
    "revoke",
]
