"""Which sockets a process listens on, read from the kernel's tables."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path

_LISTEN = "0A"


def _inodes(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = os.readlink(descriptor)
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def _address(text: str) -> tuple[str, int]:
    host, port = text.split(":")
    raw = b"".join(struct.pack("<I", int(host[at : at + 8], 16)) for at in range(0, len(host), 8))
    name = socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
    return name.removeprefix("::ffff:"), int(port, 16)


def _table(pid: int, name: str, state: str | None) -> set[tuple[str, int]]:
    own = _inodes(pid)
    rows = [line.split() for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]]
    return {_address(row[1]) for row in rows if row[9] in own and state in (None, row[3])}


def listening(pid: int) -> set[tuple[str, int]]:
    """Returns address and port of every TCP socket a process listens on."""
    return _table(pid, "tcp", _LISTEN) | _table(pid, "tcp6", _LISTEN)


def datagrams(pid: int) -> set[tuple[str, int]]:
    """Returns address and port of every UDP socket of a process."""
    return _table(pid, "udp", None) | _table(pid, "udp6", None)
