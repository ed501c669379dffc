"""The supervisor's way to its node: finds or starts the JVM, greets the lane, and does so again after it died.

In embedded mode the JVM is shared and found through its connection file; in a cluster the worker starts its own,
which ends with it. This file must not know children or tasks' ends.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from ignitetasks import jvm, rates
from ignitetasks.canvas.steps import names_run_by
from ignitetasks.config import Settings
from ignitetasks.frames import LaneConnection
from ignitetasks.worker.model import NodeAddress, RunnableTask, WorkerPlan

#: Seconds to wait for the lane's greeting.
_HELLO_SECONDS = 10.0
#: Seconds for an own JVM to stop cleanly.
_STOP_SECONDS = 10.0


class NodeFinder:
    """Finds the shared node of some settings, starting it where needed."""

    def __init__(self, settings: Settings, find: Callable[[Settings], NodeAddress] = jvm.ensure_running) -> None:
        """Find nothing yet.

        Args:
            settings: Whose node it is.
            find: Returns a node that is up.
        """
        self._settings = settings
        self._find = find

    def __call__(self) -> NodeAddress:
        """Return a node that is up.

        Returns:
            How to reach it.

        Raises:
            NodeError: None can be started.
        """
        return self._find(self._settings)

    def stop(self) -> None:
        """Leave the node to the other processes that use it."""

    def forget_in_child(self) -> None:
        """Close, in a forked child, what belongs to the supervisor only."""


class OwnNode(NodeFinder):
    """The JVM of one worker in a cluster: started by it, and ended with it."""

    def __init__(self, settings: Settings) -> None:
        """Start nothing yet.

        Args:
            settings: The worker's settings; their instance directory is the JVM's.
        """
        super().__init__(settings)
        self._process: jvm.NodeProcess | None = None

    def __call__(self) -> NodeAddress:
        """Start the JVM anew.

        Returns:
            How to reach it.

        Raises:
            NodeError: It cannot be started.
        """
        self.stop()
        self._process, connection = jvm.own(self._settings, lifeline=True)
        return connection

    def stop(self) -> None:
        """Stop the JVM, if one was started."""
        if self._process is not None:
            self._process.stop(_STOP_SECONDS)
            self._process = None

    def forget_in_child(self) -> None:
        """Close a forked child's copy of the lifeline, which would keep the JVM up after the worker's death."""
        if self._process is not None:
            self._process.close_lifeline_in_child()


def greet(
    address: NodeAddress, plan: WorkerPlan, tasks: Mapping[str, RunnableTask], version: str, hears: bool = False
) -> tuple[LaneConnection, int]:
    """Open the worker's connection.

    Args:
        address: The node.
        plan: What the worker is.
        tasks: The tasks it can run, by name.
        version: Version of this package.
        hears: It wants to be told of ends that no child decides.

    Returns:
        The connection and the epoch that the node gave this worker.

    Raises:
        LaneClosed: The node is gone.
        LaneRefused: The node does not want this worker.
    """
    info: dict[str, Any] = {
        "name": plan.name,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "queues": list(plan.queues),
        "concurrency": plan.concurrency,
        "pool": plan.pool,
        "tasks": names_run_by(tasks),
        "version": version,
        "hears": hears,
    }
    limits = rates.declared(tasks)
    if limits:
        info["limits"] = limits
    connection = LaneConnection.open(address.lane, address.token, "worker", info, _HELLO_SECONDS)
    return connection, int(connection.welcome["epoch"])
