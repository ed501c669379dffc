"""What programs ask of the operating system: pid files, signals, another user, the background.

Must not know what runs in a process.
"""

from __future__ import annotations

import atexit
import grp
import os
import platform
import pwd
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignitetasks.errors import ConfigurationError

__all__ = [
    "EX_CANTCREAT",
    "EX_FAILURE",
    "EX_OK",
    "EX_UNAVAILABLE",
    "EX_USAGE",
    "IS_WINDOWS",
    "SIGMAP",
    "SYSTEM",
    "IS_macOS",
    "LockFailed",
    "Pidfile",
    "create_pidlock",
    "isatty",
    "maybe_drop_privileges",
    "pyimplementation",
    "signal_name",
    "signals",
]  # fmt: skip

EX_OK, EX_FAILURE = os.EX_OK, 1
EX_USAGE, EX_UNAVAILABLE, EX_CANTCREAT = os.EX_USAGE, os.EX_UNAVAILABLE, os.EX_CANTCREAT

SYSTEM = platform.system()
IS_macOS = SYSTEM == "Darwin"
IS_WINDOWS = SYSTEM == "Windows"

#: Names of signals by number.
SIGMAP: Mapping[int, str] = {int(one): one.name for one in signal.Signals}


class LockFailed(ConfigurationError):
    """A pid file cannot be written, or belongs to another process."""


class Pidfile:
    """A file that says which process runs, removed at its end.

    Args:
        path: Where.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._owner = 0

    def check(self) -> None:
        """Raises LockFailed when another process is running under this file."""
        other = read_pid(self._path)
        if other and other != os.getpid() and is_running(other):
            raise LockFailed(f"{self._path} belongs to process {other}, which runs; stop it or name another file")

    def acquire(self) -> Pidfile:
        """Writes this process's number.

        Raises:
            LockFailed: The file cannot be written, or belongs to a process that runs.
        """
        self.check()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            fresh.write_text(f"{os.getpid()}\n", "ascii")
            fresh.replace(self._path)
        except OSError as error:
            raise LockFailed(f"the pid file {self._path} cannot be written: {error.strerror}") from error
        self._owner = os.getpid()
        return self

    __enter__ = acquire

    def release(self, *_: Any) -> None:
        """Removes the file, if this process has written it."""
        if self._owner == os.getpid() and read_pid(self._path) == self._owner:
            self._path.unlink(missing_ok=True)

    __exit__ = release

    def is_locked(self) -> bool:
        """Tells whether there is such a file."""
        return self._path.exists()

    def read_pid(self) -> int | None:
        """Returns the process number in the file; None when there is none."""
        return read_pid(self._path) or None

    def remove_if_stale(self) -> bool:
        """Removes the file of a process that does not run; tells whether there is none now."""
        other = read_pid(self._path)
        if other and is_running(other):
            return False
        self._path.unlink(missing_ok=True)
        return True


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


def create_pidlock(pidfile: str) -> Pidfile:
    """Writes this process's number to a file that is removed at its end.

    Raises:
        LockFailed: The file cannot be written, or belongs to a process that runs.
    """
    lock = Pidfile(pidfile).acquire()
    atexit.register(lock.release)
    return lock


def maybe_drop_privileges(uid: int | str | None = None, gid: int | str | None = None) -> None:
    """Goes on as another user; stays the same where nothing is given.

    Args:
        uid: Name or number; None stays.
        gid: Group's name or number; None means the user's own.

    Raises:
        ConfigurationError: There is no such user or group, or this process may not become it.
    """
    try:
        user = None if uid is None else pwd.getpwuid(int(uid)) if str(uid).isdigit() else pwd.getpwnam(str(uid))
        group = None
        if gid is not None:
            group = int(gid) if str(gid).isdigit() else grp.getgrnam(str(gid)).gr_gid
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


def isatty(fh: Any) -> bool | None:
    """Tells whether a file is a terminal; None where it cannot say."""
    return fh.isatty() if hasattr(fh, "isatty") else None


def pyimplementation() -> str:
    """Returns the name of this Python."""
    return platform.python_implementation()


def signal_name(signum: int) -> str:
    """Returns the name of a signal without ``SIG``."""
    return SIGMAP[signum].removeprefix("SIG")


class Signals:
    """The handlers of this process: ``signals["TERM"] = handler``; names with or without ``SIG``."""

    ignored = signal.SIG_IGN
    default = signal.SIG_DFL

    def signum(self, name: int | str) -> int:
        """Returns the number of a signal.

        Raises:
            AttributeError: There is no such signal.
        """
        if isinstance(name, int):
            return name
        return int(getattr(signal, name if name.startswith("SIG") else f"SIG{name}"))

    def supported(self, name: str) -> bool:
        """Tells whether there is such a signal."""
        return hasattr(signal, name if name.startswith("SIG") else f"SIG{name}")

    def reset(self, *signal_names: str) -> None:
        """Gives signals their default handler."""
        self.update(dict.fromkeys(signal_names, self.default))

    def ignore(self, *names: str) -> None:
        """Makes this process ignore signals."""
        self.update(dict.fromkeys(names, self.ignored))

    def arm_alarm(self, seconds: float) -> None:
        """Sends this process SIGALRM at its time."""
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def reset_alarm(self) -> None:
        """Takes the last `arm_alarm` back."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def __getitem__(self, name: int | str) -> Any:
        return signal.getsignal(self.signum(name))

    def __setitem__(self, name: int | str, handler: Any) -> None:
        """Sets a handler; does nothing outside of the main thread, or for a signal that is not there."""
        if isinstance(name, int) or self.supported(name):
            try:
                signal.signal(self.signum(name), handler)
            except (ValueError, OSError):  # not in this thread; a signal that cannot be caught
                return

    def update(self, _d_: Mapping[str, Any] | None = None, **sigmap: Any) -> None:
        """Sets many handlers."""
        for name, handler in {**(_d_ or {}), **sigmap}.items():
            self[name] = handler


signals = Signals()
