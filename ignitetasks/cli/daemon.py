"""Processes as services: pid files, going into the background, another user, names with ``%h`` in them.

Must not know what runs in such a process.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from ignitetasks.errors import ConfigurationError


def expand(text: str, name: str = "") -> str:
    """Fills in a name or path.

    Args:
        text: With ``%h`` (host with domain), ``%n`` (host without, or the part of a name before ``@``), ``%d``
            (domain), ``%p`` (the worker's whole name), ``%i`` and ``%I`` (number of a child: nothing, a worker has one
            log), ``%%``.
        name: The worker's name, where it is known already.
    """
    host = name.partition("@")[2] or socket.gethostname()
    short, _, domain = host.partition(".")
    node = name.partition("@")[0] if "@" in name else short
    values = {"h": host, "n": node, "d": domain, "p": name or host, "i": "", "I": "", "%": "%"}
    out, rest = [], text
    while "%" in rest:
        before, _, rest = rest.partition("%")
        letter, rest = rest[:1], rest[1:]
        if letter not in values:
            raise ConfigurationError(f"%{letter} in {text!r} is unknown; there are %h, %n, %d, %p, %i, %I and %%")
        out += [before, values[letter]]
    return "".join([*out, rest])


class PidFile:
    """A file that says which process runs, removed at its end.

    Args:
        path: Where.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._owner = 0

    def check(self) -> None:
        """Raises ConfigurationError when another process is running under this file."""
        other = read_pid(self._path)
        if other and other != os.getpid() and is_running(other):
            raise ConfigurationError(
                f"{self._path} belongs to process {other}, which runs; stop it or name another file"
            )

    def write(self) -> None:
        """Writes this process's number.

        Raises:
            ConfigurationError: The file cannot be written, or belongs to a process that runs.
        """
        self.check()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            fresh.write_text(f"{os.getpid()}\n", "ascii")
            fresh.replace(self._path)
        except OSError as error:
            raise ConfigurationError(f"the pid file {self._path} cannot be written: {error.strerror}") from error
        self._owner = os.getpid()

    def remove(self) -> None:
        """Removes the file, if this process has written it."""
        if self._owner == os.getpid() and read_pid(self._path) == self._owner:
            self._path.unlink(missing_ok=True)


def read_pid(path: str | os.PathLike[str]) -> int:
    """Returns the process number in a file; 0 when there is none."""
    try:
        return int(Path(path).read_text("ascii").strip())
    except (OSError, ValueError):
        return 0


def is_running(pid: int) -> bool:
    """Tells whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def become(uid: str | None, gid: str | None) -> None:
    """Goes on as another user.

    Args:
        uid: Name or number; None stays.
        gid: Group's name or number; None means the user's own.

    Raises:
        ConfigurationError: There is no such user or group, or this process may not become it.
    """
    try:
        user = None if uid is None else pwd.getpwuid(int(uid)) if uid.isdigit() else pwd.getpwnam(uid)
        group = None
        if gid is not None:
            group = int(gid) if gid.isdigit() else grp.getgrnam(gid).gr_gid
        elif user is not None:
            group = user.pw_gid
    except KeyError as error:
        raise ConfigurationError(f"no such user or group: {error.args[0]}") from error
    try:
        if group is not None:
            if user is not None:
                os.initgroups(user.pw_name, group)
            os.setgid(group)
        if user is not None:
            os.setuid(user.pw_uid)
    except PermissionError as error:
        raise ConfigurationError("only root can run a worker as another user; leave out --uid and --gid") from error


def detach(logfile: str | None, umask: str | None = None) -> None:
    """Goes into the background: this process ends, its grandchild goes on.

    Args:
        logfile: Where its output goes; None drops it.
        umask: In octal; None leaves it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    target = os.open(logfile or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    if umask is not None:
        os.umask(int(umask, 8))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, number in ((null, 0), (target, 1), (target, 2)):
        os.dup2(source, number)
    os.close(null)
    os.close(target)


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
    pidfile = PidFile(expand(service.pidfile, name)) if service.pidfile else None
    if pidfile is not None:
        pidfile.check()
    if service.uid or service.gid:
        become(service.uid, service.gid)
    if service.background:
        detach(logfile and os.path.abspath(logfile), service.umask)
    stream = open(logfile, "a", encoding="utf-8") if logfile and not service.background else None  # noqa: SIM115
    try:
        if pidfile is not None:
            pidfile.write()
        yield stream
    finally:
        if pidfile is not None:
            pidfile.remove()
        if stream is not None:
            stream.close()
