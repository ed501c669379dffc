"""Names of workers, ``name@host``: made, taken apart, put into file names. Must not ask a cluster who is there."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from ignitetasks.utils.text import simple_format

__all__ = ["anon_nodename", "default_nodename", "gethostname", "host_format", "node_format", "nodename", "nodesplit"]

NODENAME_DEFAULT = "celery"
NODENAME_SEP = "@"


def gethostname() -> str:
    """Returns the name of this machine."""
    return socket.gethostname()


def nodename(name: str, hostname: str) -> str:
    """Returns a worker's name made of its two parts."""
    return f"{name}{NODENAME_SEP}{hostname}"


def nodesplit(name: str) -> tuple[str | None, str]:
    """Returns the two parts of a worker's name; the first is None where there is only a host."""
    first, at, host = name.partition(NODENAME_SEP)
    return (first, host) if at else (None, first)


def default_nodename(hostname: str | None) -> str:
    """Returns a worker's name with what is missing filled in."""
    name, host = nodesplit(hostname or "")
    return nodename(name or NODENAME_DEFAULT, host or gethostname())


def anon_nodename(hostname: str | None = None, prefix: str = "gen") -> str:
    """Returns a name made of this process and machine."""
    return nodename(f"{prefix}{os.getpid()}", hostname or gethostname())


def node_format(s: str, name: str, **extra: Any) -> str:
    """Returns a text with ``%n``, ``%h`` and ``%d`` replaced by the parts of a worker's name."""
    first, host = nodesplit(name)
    return host_format(s, host, first or NODENAME_DEFAULT, p=name, **extra)


def host_format(s: str, host: str | None = None, name: str | None = None, **extra: Any) -> str:
    """Returns a text with ``%n`` (name), ``%h`` (host) and ``%d`` (domain) replaced."""
    host = host or gethostname()
    short, _, domain = host.partition(".")
    keys: Mapping[str, Any] = {"h": host, "n": name or short, "d": domain, "i": "", "I": "", **extra}
    return simple_format(s, keys)
