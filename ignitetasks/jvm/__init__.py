"""Finds, starts and stops the JVM behind ignitetasks.

This file is the whole of what other modules use of this package; the rest may change. Importing it starts nothing.
Must not import the client library: it is started by it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from ignitetasks.config import Settings
from ignitetasks.errors import NodeError
from ignitetasks.jvm.command import java_command, write_arguments_file, write_config
from ignitetasks.jvm.connection import Connection, find_instance
from ignitetasks.jvm.java import Java, find_java
from ignitetasks.jvm.launch import NodeProcess
from ignitetasks.jvm.lifecycle import ensure_instance, own_instance, stop_instance
from ignitetasks.jvm.secret import ensure_secret
from ignitetasks.jvm.spec import CLIENT, DATA, EMBEDDED, NodeSpec, default_cache_dir, spec_of

#: Written into the JVM's configuration and back into the connection file.
VERSION = "0.1.0"

__all__ = [
    "CLIENT",
    "DATA",
    "EMBEDDED",
    "Connection",
    "Java",
    "NodeProcess",
    "NodeSpec",
    "ensure_running",
    "find",
    "java_executable",
    "own",
    "spec_of",
    "stop",
    "write_start_files",
]


def find(settings: Settings) -> Connection | None:
    """Finds the JVM of these settings' instance directory.

    Args:
        settings: The process's settings.

    Returns:
        How to reach it, or None when none is ready; a file left behind by a dead JVM counts as none.

    Raises:
        NodeError: It runs, but speaks another protocol version.
    """
    return find_instance(spec_of(settings))


def ensure_running(settings: Settings) -> Connection:
    """Returns the JVM of these settings' instance directory, which is started when none runs.

    Args:
        settings: The process's settings.

    Returns:
        How to reach it.

    Raises:
        NodeError: It cannot be started, or it runs and promises less than these settings ask for; one sentence says
            why, ``code`` names the reason.
    """
    # A client that finds no data node says so when the time of its caller is over; a lone node's start has its own.
    patience = math.inf if settings.embedded else settings.call_timeout_seconds
    connection = ensure_instance(spec_of(settings), VERSION, patience)
    if settings.embedded and settings.durability == "power" and connection.durability == "process":
        raise NodeError(
            f"the node of {connection.data_dir} runs with durability='process', which does not survive the loss of "
            "power: stop it with `ignitetasks node stop` and start again, or ask for durability='process' too",
            "WEAKER_DURABILITY",
        )
    return connection


def own(settings: Settings, *, foreground: bool = False, **changes: Any) -> tuple[NodeProcess, Connection]:
    """Starts a JVM that ends with this process: a worker's own, or a data node in the foreground.

    Args:
        settings: The process's settings.
        foreground: True gives the JVM this process's standard output and error instead of the log file.
        **changes: Fields of :class:`NodeSpec` that differ from the settings, e.g. ``role="data"``.

    Returns:
        The process, to be stopped by the caller, and how to reach it.

    Raises:
        NodeError: It cannot be started, or the instance directory is in use.
    """
    return own_instance(replace(spec_of(settings), **changes), VERSION, foreground)


def stop(settings: Settings, timeout_seconds: float = 30.0) -> bool:
    """Stops the JVM of these settings' instance directory.

    Args:
        settings: The process's settings.
        timeout_seconds: How long a clean stop may take before the JVM is killed.

    Returns:
        True when one ran.
    """
    return stop_instance(spec_of(settings), timeout_seconds)


def java_executable(settings: Settings) -> Java:
    """Finds the Java runtime these settings lead to.

    Args:
        settings: The process's settings.

    Raises:
        NodeError: None is there, or it is too old.
    """
    return find_java(settings.java, default_cache_dir())


def write_start_files(spec: NodeSpec, java: Java, class_path: str | None = None) -> Path:
    """Writes what somebody else needs to start this JVM, e.g. in a container: its configuration and ``java.args``.

    Clients of the same machine find it like any other, as long as they see its folder and its process.

    Args:
        spec: What is to be started; the JVM must see its folder under the same path.
        java: Path and version of the runtime that will run it.
        class_path: Class path as the JVM will see it; None means the jar.

    Returns:
        The file to start ``java @file`` with.
    """
    spec.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    ensure_secret(spec)
    write_config(spec, VERSION)
    write_arguments_file(java_command(spec, java, class_path=class_path), spec.arguments_file)
    return spec.arguments_file
