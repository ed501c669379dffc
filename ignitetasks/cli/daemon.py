"""Processes as services: what the command line and the settings say of them, and names with ``%h`` in them.

Must not know what runs in such a process.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TextIO

from ignitetasks.errors import ConfigurationError
from ignitetasks.platforms import Pidfile, detach, maybe_drop_privileges


def expand(text: str, name: str = "") -> str:
    """Fills in a name or path.

    Args:
        text: With ``%h`` (host with domain), ``%n`` (host without, or the part of a name before ``@``), ``%d``
            (domain), ``%p`` (the worker's whole name), ``%i`` and ``%I`` (number of a child: 0 and nothing, since a
            worker has one log), ``%%``.
        name: The worker's name, where it is known already.
    """
    host = name.partition("@")[2] or socket.gethostname()
    short, _, domain = host.partition(".")
    node = name.partition("@")[0] if "@" in name else short
    values = {"h": host, "n": node, "d": domain, "p": name or host, "i": "0", "I": "", "%": "%"}
    out, rest = [], text
    while "%" in rest:
        before, _, rest = rest.partition("%")
        letter, rest = rest[:1], rest[1:]
        if letter not in values:
            raise ConfigurationError(f"%{letter} in {text!r} is unknown; there are %h, %n, %d, %p, %i, %I and %%")
        out += [before, values[letter]]
    return "".join([*out, rest])


@dataclass(frozen=True)
class Service:
    """How a program runs as a service.

    Attributes:
        background: It goes into the background.
        logfile: Where it logs; None for standard error.
        pidfile: File that says which process it is.
        uid: User to go on as.
        gid: Group to go on as.
        umask: Mask of new files of one in the background, in octal.
    """

    background: bool = False
    logfile: str | None = None
    pidfile: str | None = None
    uid: str | None = None
    gid: str | None = None
    umask: str | None = None


def of_settings(service: Service, conf: Any, program: str) -> Service:
    """Returns a service with what only the settings say of it.

    Args:
        service: What the command line says.
        conf: The application's settings.
        program: What their names begin with, e.g. ``worker`` for ``worker_pidfile``.
    """
    found: dict[str, Any] = {}
    for name in ("logfile", "pidfile", "uid", "gid", "umask"):
        value = conf[f"{program}_{name}"]
        if value is not None and getattr(service, name) is None:
            found[name] = f"{value:o}" if name == "umask" and isinstance(value, int) else str(value)
    return replace(service, **found)


@contextlib.contextmanager
def running(service: Service, name: str = "") -> Iterator[TextIO | None]:
    """Makes this process what a service is to be, for the length of a block.

    Args:
        service: What was asked for.
        name: The program's name, for its files.

    Yields:
        Where to log; None for standard error, which is the log file of what runs in the background.

    Raises:
        ConfigurationError: Another process runs under the pid file, or this one may not become that user.
    """
    logfile = service.logfile and expand(service.logfile, name)
    pidfile = Pidfile(expand(service.pidfile, name)) if service.pidfile else None
    if pidfile is not None:
        pidfile.check()
    if service.uid or service.gid:
        maybe_drop_privileges(service.uid, service.gid)
    if service.background:
        detach(logfile and os.path.abspath(logfile), service.umask)
    stream = open(logfile, "a", encoding="utf-8") if logfile and not service.background else None  # noqa: SIM115
    try:
        if pidfile is not None:
            pidfile.acquire()
        yield stream
    finally:
        if pidfile is not None:
            pidfile.release()
        if stream is not None:
            stream.close()
