"""Makes the folders of an instance and refuses, with a clear sentence, those that cannot work.

These checks are for the message: a JVM in the same trouble would end with a stack trace after two seconds.
Must not start anything, and must not change data that is there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path

from ignitetasks.errors import NodeError
from ignitetasks.jvm.spec import STORE_FORMAT, NodeSpec

#: What a node needs beside its log of writes.
SMALLEST_FREE_BYTES = 64 * 1024 * 1024
#: The log of writes, whose six segments are made at the first start (NodeConfigs.java).
_LOG_BYTES = 6 * 32 * 1024 * 1024


def prepare(spec: NodeSpec) -> None:
    """Makes the instance's folders, private to the user, and checks that a node can work in them.

    Args:
        spec: Which instance.

    Raises:
        NodeError: With code DATA_DIR_UNWRITABLE, DATA_DIR_NEWER or DISK_FULL.
    """
    _make_private(spec.instance_dir, spec.instance_dir)
    _make_private(spec.run_dir, spec.instance_dir)
    _check_writable(spec)
    if spec.has_store:
        _check_format(spec)
        _check_free_space(spec)
    if spec.lane_path.parent != spec.run_dir:
        _make_lane_dir(spec.lane_path.parent)


def _make_private(path: Path, instance_dir: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        culprit = next(part for part in (path, *path.parents) if part.exists() and not part.is_dir())
        raise NodeError(
            f"{culprit} is not a directory: name another data directory (data_dir= or IGNITETASKS_DATA_DIR)",
            "DATA_DIR_UNWRITABLE",
        ) from None
    except OSError as error:
        raise _refused(instance_dir, error) from error


def _check_writable(spec: NodeSpec) -> None:
    # Written, not asked for: os.access knows nothing of read-only mounts, quotas and full disks.
    try:
        os.chmod(spec.run_dir, 0o700)
        with tempfile.TemporaryFile(dir=spec.run_dir) as probe:
            probe.write(b"x")
        for folder in (spec.instance_dir, spec.store_dir):
            if folder.exists():
                tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _refused(spec.instance_dir, error) from error


def _refused(instance_dir: Path, error: OSError) -> NodeError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NodeError(
            f"no space is left for the data directory {instance_dir}: free some or name another", "DISK_FULL"
        )
    return NodeError(
        f"the data directory {instance_dir} cannot be written ({error.strerror}): "
        "change its permissions or name another (data_dir= or IGNITETASKS_DATA_DIR)",
        "DATA_DIR_UNWRITABLE",
    )


def _check_format(spec: NodeSpec) -> None:
    version_file = spec.store_dir / "VERSION"
    try:
        text = version_file.read_text().strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(spec.instance_dir, error) from error
    if not text.isdigit():
        raise NodeError(
            f"{version_file} holds {text[:20]!r} instead of a format number: this is no ignitetasks data directory",
            "DATA_DIR_UNWRITABLE",
        )
    if int(text) > STORE_FORMAT:
        raise NodeError(
            f"the data in {spec.instance_dir} has format {text}, this version of ignitetasks knows up to "
            f"{STORE_FORMAT}: upgrade ignitetasks or name another data directory",
            "DATA_DIR_NEWER",
        )


def _check_free_space(spec: NodeSpec) -> None:
    space = os.statvfs(spec.instance_dir)
    free = space.f_bavail * space.f_frsize
    needed = SMALLEST_FREE_BYTES + max(0, _LOG_BYTES - _log_size(spec))
    if free < needed:
        raise NodeError(
            f"the disk of {spec.instance_dir} has {free >> 20} MiB left, a node needs {needed >> 20}: "
            "free some or name another data directory",
            "DISK_FULL",
        )


def _log_size(spec: NodeSpec) -> int:
    size = 0
    for segment in (spec.store_dir / "wal").glob("*/*.wal"):
        with contextlib.suppress(FileNotFoundError):  # a node that is just ending moves them
            size += segment.stat().st_size
    return size


def _make_lane_dir(path: Path) -> None:
    # The folder lies in a place all users can write, under a name they can guess: it must be ours alone.
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise NodeError(
            f"{path} should be a private folder of this user and is not: remove it, or use a shorter data directory",
            "DATA_DIR_UNWRITABLE",
        )
