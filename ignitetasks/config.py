"""All settings of an app, a worker or a node as one frozen value, from code or from ``IGNITETASKS_*`` variables.

This file must not open files or start anything, apart from reading the instance's own signing key on request.
Names are lower case; every wrong value is refused here, with the setting's name and what is allowed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ignitetasks.compression import COMPRESSIONS
from ignitetasks.encodings import OWN, is_known
from ignitetasks.errors import ConfigurationError

ENV_PREFIX = "IGNITETASKS_"
DURABILITIES = ("power", "process")
QUEUE_NAME = re.compile(r"[A-Za-z0-9_.:@-]{1,128}")
_ADDRESS = re.compile(r"[^\s:,/]+(:\d{1,5}(\.\.\d{1,5})?)?|\[[0-9a-fA-F:]+\](:\d{1,5})?")
_MIN_SIGNING_KEY_BYTES = 16
# Signs pickles where everything stays in this process and its children.
_PROCESS_KEY = os.urandom(32)
_MEMORY = re.compile(r"memory(://[A-Za-z0-9_.:@/-]*)?")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def state_home() -> Path:
    """Returns the directory below which everything lives by default.

    ``$XDG_STATE_HOME/ignitetasks``, or ``~/.local/state/ignitetasks``.
    """
    base = os.environ.get("XDG_STATE_HOME")
    root = Path(base) if base and os.path.isabs(base) else Path.home() / ".local" / "state"
    return root / "ignitetasks"


def _default_data_dir() -> Path:
    return state_home() / "default"


def place_of(url: Any) -> dict[str, str]:
    """Returns the setting that a broker's URL stands for: ``memory://`` or ``ignite://host,host``; else none."""
    scheme, found, rest = str(url or "").partition("://")
    if scheme == "memory":
        return {"transport": f"memory{found}{rest}"}
    return {"cluster": rest.rstrip("/")} if scheme == "ignite" else {}


@dataclass(frozen=True)
class Settings:
    """Everything that can be set; immutable, hashable, and valid once it exists.

    Attributes:
        namespace: Keeps the idempotency keys of different applications apart.
        data_dir: Where the embedded node keeps everything.
        cluster: Addresses ``host:port`` of data nodes; empty means embedded.
        durability: ``power`` (each commit reaches the disk), ``process`` (survives the death of processes), or
            None: ``power`` on one node.
        heap_mb: Largest Java heap in MiB.
        region_max_mb: Largest Ignite data region in MiB.
        idle_exit_seconds: The embedded node ends after so long without connections; 0 means never.
        start_timeout_seconds: Longest wait for a node to start.
        call_timeout_seconds: Deadline of one client call, repeats included.
        result_expires_seconds: How long a finished task and its result are kept.
        max_deliveries: Starts that may be lost with their process before a task is DEAD.
        inline_limit: Values above so many bytes travel beside the gateway.
        max_payload_bytes: Largest encoded arguments or result.
        accept_content: Encodings this process decodes.
        result_accept_content: Encodings of results that it decodes; None means those of `accept_content`.
        task_serializer: Encoding of arguments.
        result_serializer: Encoding of results.
        result_compression: How large results are compressed (``gzip``, ``bzip2``, ``lzma``); None for not at all.
        signing_key: Key of signed pickles; None means the instance's own.
        default_queue: Queue of tasks that name none.
        java: Java command; None means search.
        jar: Path of the node's jar; None means the one in the package.
        log_json: True for JSON log lines, False for text, None decides by the terminal.
        log_level: Lowest level that is logged; None means info, and warning for what is told of each task.
        log_values: Whether log lines show what tasks returned and raised; None shows it on a terminal only.
        instance: Instance directory to use instead of the usual one (a worker's own JVM).
        node_name: Name of the node; None means made from host and role.
        backups: Copies of each record besides the first; None means 0 embedded, 1 on a cluster.
        local_host: Address a node binds to.
        discovery_port: First discovery port of a data node; 0 means the role's usual one.
        communication_port: First communication port; 0 means the role's usual one.
        thin_port: Port for Ignite's own clients on the loopback interface, without a password; 0 keeps it closed.
        gateway_port: Port of the gateway; 0 means any free one.
        transport: ``memory`` or ``memory://name`` keeps everything in this process; None means Apache Ignite.
    """

    namespace: str = "default"
    data_dir: Path = None  # type: ignore[assignment]  # filled in __post_init__: the default depends on the environment
    cluster: tuple[str, ...] = ()
    durability: str | None = None
    heap_mb: int = 512
    region_max_mb: int = 1024
    idle_exit_seconds: int = 900
    start_timeout_seconds: float = 30.0
    call_timeout_seconds: float = 30.0
    result_expires_seconds: float = 86400.0
    max_deliveries: int = 3
    inline_limit: int = 65536
    max_payload_bytes: int = 1 << 30
    accept_content: tuple[str, ...] = ("msgpack", "json")
    result_accept_content: tuple[str, ...] | None = None
    task_serializer: str = "msgpack"
    result_serializer: str = "msgpack"
    result_compression: str | None = None
    signing_key: bytes | None = field(default=None, repr=False)
    default_queue: str = "celery"
    java: str | None = None
    jar: str | None = None
    log_json: bool | None = None
    log_level: str | None = None
    log_values: bool | None = None
    instance: Path | None = None
    node_name: str | None = None
    backups: int | None = None
    local_host: str = "127.0.0.1"
    discovery_port: int = 0
    communication_port: int = 0
    thin_port: int = 0
    gateway_port: int = 0
    transport: str | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = _coerce(one.name, getattr(self, one.name))
            object.__setattr__(self, one.name, value)
            _check(one.name, value)
        of_results = "accept_content" if self.result_accept_content is None else "result_accept_content"
        for name, setting in ((self.task_serializer, "accept_content"), (self.result_serializer, of_results)):
            allowed = list(getattr(self, setting))
            if name not in allowed:
                raise ConfigurationError(
                    f"serializer {name!r} is not in {setting} {allowed}; add it there on both sides or choose another"
                )

    @classmethod
    def from_env(cls, **overrides: Any) -> Settings:
        """Reads the ``IGNITETASKS_*`` environment variables.

        Args:
            **overrides: Settings that win over the environment; None means not given.

        Raises:
            ConfigurationError: A variable or an override is unknown or has a value that is not allowed.
        """
        known = {one.name for one in fields(cls)}
        given = {name: value for name, value in overrides.items() if value is not None}
        unknown = sorted(set(given) - known)
        if unknown:
            raise ConfigurationError(f"unknown setting {unknown[0]!r}; the settings are: {', '.join(sorted(known))}")
        values: dict[str, Any] = {}
        for name in known:
            text = os.environ.get(ENV_PREFIX + name.upper())
            if text is not None and text != "" and name not in given:
                values[name] = _parse(name, text)
        return cls(**{**values, **given})

    @property
    def memory(self) -> str | None:
        """Name of the home in memory, "" for the one without a name; None where Apache Ignite is used."""
        return None if self.transport is None else self.transport.partition("://")[2]

    @property
    def embedded(self) -> bool:
        """True when no cluster is named: the node of this machine is started on demand."""
        return not self.cluster

    @property
    def instance_dir(self) -> Path:
        """The directory that holds ``run/`` of the JVM this process talks to."""
        if self.instance is not None:
            return self.instance
        if self.embedded:
            return self.data_dir
        text = "\0".join((*sorted(self.cluster), self.namespace))
        return state_home() / "clients" / hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def effective_durability(self) -> str:
        """The durability a node of these settings gets: ``power`` unless a cluster keeps backups."""
        return self.durability or ("power" if self.embedded else "process")


def load_signing_key(settings: Settings) -> bytes | None:
    """Returns the key of signed pickles: the setting, else the instance's own, else None.

    Args:
        settings: Whose instance directory is asked (``secret.json``, readable by its owner only).
    """
    if settings.signing_key is not None:
        return settings.signing_key
    if settings.memory is not None:
        return _PROCESS_KEY
    try:
        text = (settings.instance_dir / "secret.json").read_text("utf-8")
        return bytes.fromhex(json.loads(text)["signing_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check_queue(name: object, setting: str = "queue") -> str:
    """Returns a queue name that is allowed.

    Raises:
        ConfigurationError: It is not; the message says which characters are.
    """
    if not isinstance(name, str) or not QUEUE_NAME.fullmatch(name):
        raise ConfigurationError(f"{setting} must be 1 to 128 letters, digits or _ . : @ - characters, not {name!r}")
    return name


def queue_name(value: Any) -> Any:
    """Returns the name of a queue that may be given as an object, e.g. one of kombu's; anything else as it is."""
    if isinstance(value, str):
        return value
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else value


def _parse(name: str, text: str) -> Any:
    """Turns the text of an environment variable into a value of the setting's type."""
    text = text.strip()
    kind = _KINDS.get(name)
    try:
        if kind is int:
            return int(text)
        if kind is float:
            return float(text)
    except ValueError:
        raise ConfigurationError(f"{ENV_PREFIX}{name.upper()} must be a number, not {text!r}") from None
    if kind is bool:
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        raise ConfigurationError(f"{ENV_PREFIX}{name.upper()} must be one of {_TRUE + _FALSE}, not {text!r}")
    return text


def _coerce(name: str, value: Any) -> Any:
    if name == "data_dir" and value is None:
        return _default_data_dir()
    if name in ("data_dir", "instance") and isinstance(value, (str, os.PathLike)):
        if not os.fspath(value):
            raise ConfigurationError(f"{name} must not be empty; leave it out or name a directory")
        return Path(os.path.abspath(os.path.expanduser(value)))
    if name in ("cluster", "accept_content", "result_accept_content"):
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        return tuple(value) if isinstance(value, (list, tuple, set, frozenset)) else value
    if name == "signing_key" and isinstance(value, str):
        return value.encode("utf-8")
    if name in ("java", "jar") and isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def _number(low: float, high: float, whole: bool = False) -> tuple[Callable[[Any], bool], str]:
    kinds = (int,) if whole else (int, float)

    def ok(value: Any) -> bool:
        return (
            isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value) and low <= value <= high
        )

    return ok, f"a{' whole' if whole else ''} number from {low:g} to {high:g}"


def _one_of(*allowed: object) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: any(value is one or value == one for one in allowed)), f"one of {list(allowed)}"


def _maybe(rule: tuple[Callable[[Any], bool], str]) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: value is None or rule[0](value)), f"None or {rule[1]}"


def _matches(pattern: re.Pattern[str], words: str) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None), words


_TEXT = (lambda value: isinstance(value, str) and bool(value)), "a text that is not empty"
_PATH = (lambda value: isinstance(value, Path)), "a path"
_CODEC = is_known, f"one of {list(OWN)}, or what serializers.register has made known"
_CODECS = (
    lambda value: isinstance(value, tuple) and bool(value) and all(map(is_known, value)),
    f"one or more of {list(OWN)}, or of what serializers.register has made known",
)
_PORT = _number(0, 65535, whole=True)
_NAME = _matches(QUEUE_NAME, "1 to 128 letters, digits or _ . : @ - characters")
_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "namespace": _NAME,
    "data_dir": _PATH,
    "cluster": (
        lambda value: (
            isinstance(value, tuple) and all(isinstance(one, str) and _ADDRESS.fullmatch(one) for one in value)
        ),
        "addresses such as 'host1:47500,host2:47500'",
    ),
    "durability": _one_of(*DURABILITIES, None),
    "heap_mb": _number(64, 1 << 20, whole=True),
    "region_max_mb": _number(32, 1 << 24, whole=True),
    "idle_exit_seconds": _number(0, 1 << 31, whole=True),
    "start_timeout_seconds": _number(0.1, 3600),
    "call_timeout_seconds": _number(0.01, 86400),
    "result_expires_seconds": _number(1, 10 * 366 * 86400),
    "max_deliveries": _number(1, 1000, whole=True),
    "inline_limit": _number(0, 65536, whole=True),
    "max_payload_bytes": _number(1024, 1 << 30, whole=True),
    "accept_content": _CODECS,
    "result_accept_content": _maybe(_CODECS),
    "task_serializer": _CODEC,
    "result_serializer": _CODEC,
    "result_compression": _one_of(None, *sorted(COMPRESSIONS)),
    "signing_key": (
        lambda value: value is None or (isinstance(value, bytes) and len(value) >= _MIN_SIGNING_KEY_BYTES),
        f"None or at least {_MIN_SIGNING_KEY_BYTES} secret bytes",
    ),
    "default_queue": _NAME,
    "java": _maybe(_TEXT),
    "jar": _maybe(_TEXT),
    "log_json": _one_of(True, False, None),
    "log_level": _one_of("debug", "info", "warning", "error", "critical", None),
    "log_values": _one_of(True, False, None),
    "instance": _maybe(_PATH),
    "node_name": _maybe(_NAME),
    "backups": _maybe(_number(0, 7, whole=True)),
    "local_host": _TEXT,
    "discovery_port": _PORT,
    "communication_port": _PORT,
    "thin_port": _PORT,
    "gateway_port": _PORT,
    "transport": _maybe(_matches(_MEMORY, "'memory' or 'memory://' with a name")),
}
_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("start_timeout_seconds", "call_timeout_seconds", "result_expires_seconds"), float),
    **dict.fromkeys(
        (
            "heap_mb", "region_max_mb", "idle_exit_seconds", "max_deliveries", "inline_limit", "max_payload_bytes",
            "backups", "discovery_port", "communication_port", "thin_port", "gateway_port",
        ),
        int,
    ),
    "log_json": bool,
    "log_values": bool,
}  # fmt: skip


def _check(name: str, value: Any) -> None:
    ok, words = _RULES[name]
    if not ok(value):
        shown = "<hidden>" if name == "signing_key" else repr(value)
        raise ConfigurationError(f"{name} must be {words}, not {shown}")
