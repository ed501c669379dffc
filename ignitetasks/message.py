"""What one submitted task consists of: its options, the template and items of a submit, completions, and bodies.

All values are frozen and mirror the positional arrays of the protocol. This file must not send anything, keep
state, or check what a user typed (``options.py`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from ignitetasks import states, wire
from ignitetasks.errors import SerializationError
from ignitetasks.retry import RetryPolicy
from ignitetasks.serializers import PLAIN, Codecs, Data

IGNORE_RESULT = 1
EARLY_ACK = 2
TRACK_STARTED = 4
CHECK_EXISTS = 8
BODY_REF = 16
#: Something follows the task: where no child decides its end, a settle task tells Python.
CONTINUES = 32
#: The arguments are kept for as long as the result (``result_extended``).
KEEP_BODY = 512

#: A join size: the task is known by its id only, until a later submit or spawn brings its call.
PROMISED = -1

#: Task that the node inserts when it has ended a CONTINUES task itself; its one argument is that task's id.
SETTLE_TASK = "ignitetasks.settle"

COMPLETION_REF = 1
#: Stands for a wire state in a `Completion`: the record was there once and is swept.
EXPIRED_STATE = -2
#: State of a completion that is none: the task runs on, and its payload is `Progress` packed.
PROGRESS_STATE = -3
#: Largest progress, in bytes: it is inside the record.
PROGRESS_LIMIT = 64 * 1024

EXISTS = 1
CONFLICT = 2


@dataclass(frozen=True)
class TaskOptions:
    """What the decorator of a task fixes; immutable.

    Attributes:
        bind: True passes the task itself as the function's first argument.
        queue: Queue of its calls; None means the app's default.
        priority: 0 to 255, higher runs first.
        acks_late: True redelivers a task whose process died; False runs it at most once.
        autoretry_for: Exception classes that repeat the task.
        dont_autoretry_for: Exception classes that never do.
        max_retries: Repeats after the first run; None means without end.
        default_retry_delay: Seconds before a repeat without backoff.
        retry_backoff: True or a number of seconds: pause before the first repeat, doubled at each further one.
        retry_backoff_max: Longest backoff pause in seconds.
        retry_jitter: True draws each backoff pause evenly between 0 and its length.
        soft_time_limit: Seconds after which ``SoftTimeLimitExceeded`` is raised inside the task.
        time_limit: Seconds after which its process is killed.
        serializer: Encoding of its arguments; None means the app's.
        result_serializer: Encoding of its results; None means the app's.
        ignore_result: True keeps no result.
        track_started: True makes the state STARTED visible.
        max_deliveries: Starts that may be lost with their process; None means the app's.
        idempotency_key: Function of the task's arguments that gives the key of each call, or None.
        throws: Expected exception classes, logged without traceback.
        result_expires: Seconds its record is kept after the end; None means the app's.
        typing: True checks arguments against the function's signature before sending.
        expires: Seconds (or a time) after which a call must not start any more; None means never.
        compression: How large arguments are compressed; None means not at all.
        rate_limit: How many of its calls may start in a time, in the whole cluster, e.g. ``10/m``.
        reject_on_worker_lost: False ends a task whose process died, like ``max_deliveries=1``.
        store_errors_even_if_ignored: True keeps errors where results are ignored.
        store_eager_result: True keeps the results of eager calls.
        trail: True remembers the tasks it sends as its children.
    """

    bind: bool = False
    queue: str | None = None
    priority: int = 0
    acks_late: bool = True
    autoretry_for: tuple[type[BaseException], ...] = ()
    dont_autoretry_for: tuple[type[BaseException], ...] = ()
    max_retries: int | None = 3
    default_retry_delay: float = 180.0
    retry_backoff: bool | float = False
    retry_backoff_max: float = 600.0
    retry_jitter: bool = True
    soft_time_limit: float | None = None
    time_limit: float | None = None
    serializer: str | None = None
    result_serializer: str | None = None
    ignore_result: bool = False
    track_started: bool = False
    max_deliveries: int | None = None
    idempotency_key: Callable[..., Any] | None = None
    throws: tuple[type[BaseException], ...] = ()
    result_expires: float | None = None
    typing: bool = True
    expires: Any = None
    compression: str | None = None
    rate_limit: float | str | None = None
    reject_on_worker_lost: bool | None = None
    store_errors_even_if_ignored: bool = False
    store_eager_result: bool = False
    trail: bool = True

    @cached_property
    def retry_policy(self) -> RetryPolicy:
        """The retry rules of these options."""
        return RetryPolicy(
            max_retries=self.max_retries,
            delay_seconds=self.default_retry_delay,
            backoff_seconds=float(self.retry_backoff),
            backoff_max_seconds=self.retry_backoff_max,
            jitter=self.retry_jitter,
            retry_for=self.autoretry_for,
            never_for=self.dont_autoretry_for,
        )

    def evolve(self, **changes: Any) -> TaskOptions:
        """Returns a copy with some options changed."""
        return replace(self, **changes)


class Template(NamedTuple):
    """What many calls share; the order of the fields is the order on the wire.

    Attributes:
        join_id: The task that waits for these to end; its last four hex digits must be those of theirs.
        join_size: Above 0: the task is ready when so many tasks with its id as their `join_id` have ended, in whatever
            state. `PROMISED`: the task has no call yet; a later submit or spawn of the same id brings it.
    """

    task: str
    queue: str
    priority: int = 0
    eta_ms: int = 0
    expires_ms: int = 0
    flags: int = 0
    max_deliveries: int = 3
    soft_ms: int = 0
    hard_ms: int = 0
    result_ttl_ms: int = 86_400_000
    options: bytes | None = None
    root_id: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    join_id: str | None = None
    join_size: int = 0


#: id, body, fingerprint (16 bytes, or None where ids need not be looked up)
Item = tuple[str, Data, bytes | None]


class Group(NamedTuple):
    """Calls that share a template, in order."""

    template: Template
    items: Sequence[Item]


#: What an outcome brings with it, as it goes on the wire: ``submit`` (groups), ``end`` and ``grow``.
Spawn = dict[str, list[Any]]


def make_spawn(
    submit: Sequence[Group] = (),
    end: Sequence[tuple[str, int, bytes | None, str | None, Template]] = (),
    grow: Sequence[tuple[str, int]] = (),
) -> Spawn | None:
    """Says what is to be written in one transaction with an outcome.

    Args:
        submit: New tasks. An id that is promised is filled in; one that exists otherwise is left as it is.
        end: Tasks that are born finished, and promised or waiting ones that end now: id, terminal wire state, result or
            failure bytes, name of the error's class, template.
        grow: Additions to the `join_size` of waiting tasks.

    Returns:
        The spawn; None where there is nothing to write.
    """
    parts = {"submit": submit, "end": end, "grow": grow}
    spawn = {name: [tuple(entry) for entry in part] for name, part in parts.items() if part}
    return spawn or None


class Session(NamedTuple):
    """What the gateway said at hello."""

    number: int
    node: str = ""
    cluster_id: str = ""
    version: str = ""
    protocol: int = 1
    role: str = ""
    durability: str = ""
    lane: str = ""
    inline_limit: int = 65536
    max_payload: int = 1 << 30
    data_dir: str = ""
    namespace: str = "default"

    @classmethod
    def from_map(cls, answer: Mapping[str, Any]) -> Session:
        """Reads the answer of ``hello``; keys this version does not know are left out."""
        known = {name: answer[name] for name in cls._fields[1:] if answer.get(name) is not None}
        return cls(number=int(answer["session"]), **known)


class Ahead(NamedTuple):
    """A poll that goes along with a submit, since its result will be waited for at once.

    Attributes:
        session: Number of the session.
        ack: ``seq`` of the last answer that was processed.
    """

    session: int
    ack: int


class SubmitAnswer(NamedTuple):
    """What became of a submit.

    Attributes:
        created: How many records are new.
        exceptions: (index over all items, EXISTS or CONFLICT, state) of those that are not.
        session: The session that will be told about completions.
    """

    created: int
    exceptions: Sequence[tuple[int, int, int]]
    session: Session


class Completion(NamedTuple):
    """A task's end; ``flags`` has COMPLETION_REF when the payload names a blob."""

    id: str
    state: int
    payload: bytes | None
    flags: int = 0


class PollAnswer(NamedTuple):
    """One answer of the long poll."""

    seq: int
    dropped: bool
    completions: Sequence[Completion]


class WatchAnswer(NamedTuple):
    """What is already known of watched ids; the rest comes by poll."""

    completions: Sequence[Completion]
    unknown: Sequence[str]
    expired: Sequence[str]


class BlobRef(NamedTuple):
    """A value that is kept beside its record."""

    id: str
    size: int
    crc32: int

    def pack(self) -> bytes:
        """Returns the bytes that stand where the value would."""
        return wire.pack(list(self))

    @classmethod
    def unpack(cls, data: Data) -> BlobRef:
        """Reads what `pack` made."""
        blob_id, size, checksum = wire.unpack(bytes(data))
        return cls(blob_id, size, checksum)


def body_blob_id(task_id: str, fingerprint: bytes | None = None) -> str:
    """Returns the blob id of a task's arguments.

    Args:
        task_id: The task.
        fingerprint: Given where the id may be taken: other arguments under it must not replace those of the first.
    """
    return f"{task_id}/a" if fingerprint is None else f"{task_id}/a{fingerprint.hex()}"


def result_blob_id(task_id: str, fence: int) -> str:
    """Returns the blob id of the result of one delivery."""
    return f"{task_id}/r{fence}"


def retry_blob_id(task_id: str, attempt: int) -> str:
    """Returns the blob id of the arguments of a retry."""
    return f"{task_id}/b{attempt}"


def encode_body(
    codecs: Codecs, task: str, args: Sequence[Any], kwargs: Mapping[str, Any], serializer: str = "msgpack"
) -> Data:
    """Encodes the arguments of a call.

    Args:
        codecs: The process's encodings.
        task: Task name; a signed pickle is bound to it.
        args: Positional arguments.
        kwargs: Keyword arguments.
        serializer: Encoding to use.

    Raises:
        SerializationError: An argument cannot be encoded; the message names it, e.g. ``args[1]["when"]``.
    """
    try:
        return codecs.encode_data((args, kwargs), serializer, "body:" + task, "call")
    except SerializationError as error:
        raise _name_argument(codecs, task, args, kwargs, serializer, error) from error.__cause__


def _name_argument(
    codecs: Codecs,
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    serializer: str,
    error: SerializationError,
) -> SerializationError:
    """Encodes both halves again, so that the path starts with the caller's own words."""
    for root, part in (("args", args), ("kwargs", kwargs)):
        try:
            codecs.encode(part, serializer, "body:" + task, root)
        except SerializationError as found:
            return SerializationError(f"{task}: {found}", found.path)
    return error


def decode_body(codecs: Codecs, task: str, data: Data) -> tuple[list[Any], dict[str, Any]]:
    """Decodes the arguments of a call.

    Args:
        codecs: The process's encodings.
        task: Task name.
        data: What `encode_body` made.

    Returns:
        Positional and keyword arguments.

    Raises:
        SerializationError: The bytes are no arguments, or their encoding is not accepted here.
    """
    value = codecs.decode(data, "body:" + task, "the arguments")
    if isinstance(value, (list, tuple)) and len(value) == 2:
        args, kwargs = value
        if isinstance(args, (list, tuple)) and isinstance(kwargs, dict):
            return list(args), kwargs
    raise SerializationError("the arguments are not a pair of a list and a map; a newer version may have written them")


def encode_result(codecs: Codecs, task_id: str, value: Any, serializer: str = "msgpack") -> Data:
    """Encodes a task's return value.

    Raises:
        SerializationError: It cannot be encoded; the message names the path, e.g. ``result["rows"][3]``.
    """
    return codecs.results.encode_data(value, serializer, "result:" + task_id, "result")


def decode_result(codecs: Codecs, task_id: str, data: Data | None) -> Any:
    """Decodes a task's return value; None for a task whose result was ignored."""
    return None if data is None else codecs.results.decode(data, "result:" + task_id, "the result")


def encode_call_options(headers: Mapping[str, Any] | None, extra: Mapping[str, Any] | None = None) -> bytes | None:
    """Encodes the options that only Python reads.

    Args:
        headers: The caller's own headers (plain data).
        extra: Overrides of the task's options, as the worker applies them.

    Raises:
        SerializationError: A header is not plain data.
    """
    if not headers and not extra:
        return None
    options: dict[str, Any] = {}
    if headers:
        options["h"] = dict(headers)
    if extra:
        options["x"] = dict(extra)
    try:
        return PLAIN.encode(options, root="options")[1:]
    except SerializationError:
        if headers:
            PLAIN.encode(options["h"], root="headers")  # fails of the same, and names the header
        raise


def with_canvas(options: bytes | None, part: bytes) -> bytes:
    """Returns options bytes that carry a canvas part beside what they had."""
    known = PLAIN.decode(b"m" + options, what="the options") if options else {}
    return PLAIN.encode({**known, "c": part}, root="headers")[1:]


def decode_extra(data: Data) -> bytes | None:
    """Returns the canvas part of the options that only Python reads, or None."""
    part: bytes | None = PLAIN.decode(b"m" + bytes(data), what="the options").get("c")
    return part


def decode_call_options(data: Data | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Decodes what `encode_call_options` made.

    Returns:
        The headers and the overrides; both empty for None.
    """
    if not data:
        return {}, {}
    value = PLAIN.decode(b"m" + bytes(data), what="the options")
    return value.get("h", {}), value.get("x", {})


def is_terminal(state: int) -> bool:
    """Tells whether a wire state is an end."""
    return state >= states.FIRST_TERMINAL_CODE
