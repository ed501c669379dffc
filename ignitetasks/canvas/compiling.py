"""Turns the start of a flow into what a submit carries: the first calls, and in their options what follows them.

Used by a client that sends a canvas and by a worker's child that goes on with one. What follows a call is carried in
its options while it is short, and beside the ledger when it is long, so that a chain costs the same for each step.
This file must not send anything but large values, by the function it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ignitetasks import envelope
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.steps import OUTCOME, Call, Fan, Flow, Step, signature_of, unpack_step
from ignitetasks.errors import InvalidOption, PayloadTooLarge
from ignitetasks.ids import fingerprint
from ignitetasks.message import (
    BODY_REF,
    CHECK_EXISTS,
    CONTINUES,
    BlobRef,
    Group,
    Item,
    TaskOptions,
    Template,
    body_blob_id,
)
from ignitetasks.options import Plan
from ignitetasks.publishing import Published, announce, wanted
from ignitetasks.sending import encode
from ignitetasks.serializers import Codecs, Data

#: Stores a large value under a name.
PutBlob = Callable[[str, Data], BlobRef]

#: A longer rest of a flow is stored once and named by its steps.
TAIL_BYTES = 1024

_PLAIN_OPTIONS = TaskOptions()

#: What a worker has to look at before or after a task's run; see ``envelope``.
_LOOKED_AT = frozenset("rtlejS")


class Line:
    """The steps of a flow, each packed and unpacked only when somebody asks for it.

    Args:
        codecs: The process's encodings.
        steps: The steps themselves, or
        packed: their packed form.
        blob: Where the packed steps are stored, if they are.
        serializer: Encoding of the packed form.
    """

    def __init__(
        self,
        codecs: Codecs,
        steps: Flow | None = None,
        packed: list[bytes] | None = None,
        blob: bytes | None = None,
        serializer: str = "msgpack",
    ) -> None:
        self._codecs = codecs
        self._steps: list[Step | None] = list(steps) if steps is not None else [None] * len(packed or ())
        self._packed = packed
        self._serializer = serializer
        self.blob = blob

    def __len__(self) -> int:
        return len(self._steps)

    def step(self, index: int) -> Step:
        """Returns a step."""
        step = self._steps[index]
        if step is None:
            assert self._packed is not None  # noqa: S101  # one of the two forms was given
            step = self._steps[index] = unpack_step(envelope.unpack_step(self._codecs, self._packed[index]))
        return step

    def rest(self, index: int) -> list[dict[str, Any]]:
        """Returns the steps from an index as signatures, the last one first, as Celery's tasks know them."""
        return [signature_of(self.step(place)) for place in range(len(self) - 1, index - 1, -1)]

    def carry(self, index: int, put_blob: PutBlob) -> dict[str, Any]:
        """Returns what a task carries to go on with the steps from an index."""
        if index >= len(self):
            return {}
        if self.blob is None:
            packed = self._packed
            if packed is None:
                packed = self._packed = [
                    envelope.pack_step(self._codecs, step.pack(), self._serializer) if step is not None else b""
                    for step in self._steps
                ]
            if sum(map(len, packed[index:])) <= TAIL_BYTES:
                return {"r": packed[index:]}
            ref = put_blob(f"{self.step(len(self) - 1).id}/c", envelope.pack_tail(packed))
            self.blob = ref.pack()
        return {"t": [self.blob, index]}


def _whole(call: Call, args: Sequence[Any]) -> Sequence[Any]:
    """Returns the arguments of a call, with what comes before it in front."""
    return (*args, *call.args) if args and not call.immutable else call.args


def _is_withheld(flow: Flow) -> bool:
    first = flow[0]
    return isinstance(first, Call) and first.withheld


class Compiler:
    """Collects the groups of one submit.

    Args:
        app: Whose tasks and settings count.
        put_blob: Stores large values.
        root_id: First task of the workflow; None where it starts here.
        parent_id: The task that sends; None outside of one.

    Attributes:
        groups: What to submit, in order.
        published: The calls among them that somebody wants to hear of.
    """

    def __init__(
        self, app: Sender, put_blob: PutBlob, root_id: str | None = None, parent_id: str | None = None
    ) -> None:
        self.app = app
        self._put_blob = put_blob
        self.root_id = root_id
        self.parent_id = parent_id
        self.groups: list[Group] = []
        self._bodies: dict[str, dict[str, Any]] = {}
        self.published: list[Published] = []
        self._plans: dict[str, Plan] = {}
        self._shared: dict[tuple[str, str | None, str | None, str | None, int], tuple[Plan, Template]] = {}
        self._announces = wanted()

    @property
    def codecs(self) -> Codecs:
        """The process's encodings."""
        return self.app.client.codecs

    def plan(self, call: Call) -> tuple[Plan, dict[str, Any]]:
        """Returns how a call is sent, and its stamps."""
        if not call.options and self.app.plain:
            known = self._plans.get(call.task)
            if known is None and not self._is_named(call.task):
                known = self._plans[call.task] = self.app.plan(call.task, self._task_options(call.task), {})
            if known is not None:
                return known, {}
        options = dict(call.options)
        if options.get("idempotency_key") is not None:
            raise InvalidOption(
                f"{call.task}: a call inside a canvas takes no idempotency_key, since its arguments may come later; "
                "give the task itself a key function, or the call a task_id"
            )
        names = options.pop("stamped_headers", None) or ()
        if not isinstance(names, (list, tuple)):
            raise InvalidOption(f"{call.task}: stamped_headers must be a list of names of headers, not {names!r:.100}")
        stamps = {name: options.pop(name) for name in names if name in options}
        task = self.app.tasks.get(call.task)
        if task is not None:
            task.name_call(call.args, call.kwargs, options)
        chosen = self._task_options(call.task)
        return self.app.plan(call.task, chosen, options, call.args, call.kwargs), stamps

    def _is_named(self, name: str) -> bool:
        """Whether each call of a task has a name of its own to be shown under."""
        task = self.app.tasks.get(name)
        return task is not None and bool(task.names_its_calls)

    def _task_options(self, name: str) -> TaskOptions:
        task = self.app.tasks.get(name)
        found: TaskOptions = task.options if task is not None else _PLAIN_OPTIONS
        return found

    def start(
        self,
        line: Line,
        index: int = 0,
        args: Sequence[Any] = (),
        join: str | None = None,
        parent: str | None = None,
    ) -> None:
        """Adds what a flow starts with at one of its steps.

        Args:
            line: The flow.
            index: Which step.
            args: Put in front of the arguments of the calls it starts with.
            join: The task that waits for the flow's end.
            parent: The task before it.
        """
        step = line.step(index)
        if isinstance(step, Call):
            self.call(step, line, index + 1, args, join, parent)
            return
        if index + 1 == len(line):
            self._fan(step, args, None, parent)
            return
        # First what waits, then whom it waits for: a count is never told of before it is known.
        body = self.body(line, index, join, parent)
        self._fan(step, args, body.id, parent)

    def body(self, line: Line, index: int, join: str | None, parent: str | None) -> Call:
        """Adds the call that waits for a group, and returns it.

        Args:
            line: The flow.
            index: Which step the group is.
            join: The task that waits for the flow's end.
            parent: The task before the group.
        """
        fan, body = line.step(index), line.step(index + 1)
        assert isinstance(fan, Fan) and isinstance(body, Call)  # noqa: S101  # what follows a fan is a call
        header = [member[-1].id for member in fan.members if not _is_withheld(member)]
        self.call(body, line, index + 2, (), join, header[-1] if header else parent, header)
        return body

    def members(self, fan: Fan, join: str | None, parent: str | None) -> None:
        """Adds what the members of a group start with.

        Args:
            fan: The group.
            join: The task that waits for them.
            parent: The task before it.
        """
        self._fan(fan, (), join, parent)

    def _fan(self, fan: Fan, args: Sequence[Any], join: str | None, parent: str | None) -> None:
        for member in fan.members:
            call = member[0]
            if _is_withheld(member):
                continue
            if len(member) == 1 and isinstance(call, Call):
                if self._is_plain(call):
                    self._plain_member(call, args, join, parent)
                else:
                    self.call(call, Line(self.codecs, member), 1, args, join, parent)
            else:
                self.start(Line(self.codecs, member, serializer=self._serializer(member)), 0, args, join, parent)

    def _serializer(self, flow: Flow) -> str:
        first = flow[0]
        return self.plan(first)[0].serializer if isinstance(first, Call) else "msgpack"

    def _is_plain(self, call: Call) -> bool:
        """Tells whether a member of a group differs from the others only by its id and its arguments."""
        special = call.options or call.links or call.errbacks or call.chosen or call.nesting
        return self.app.plain and not special and not self._announces

    def _plain_member(self, call: Call, args: Sequence[Any], join: str | None, parent: str | None) -> None:
        # Members that follow one another have ids that do, so that one number says the place of each.
        first = envelope.number_of(call.id) - (call.group_index or 0)
        key = (call.task, join, parent, call.group_id, first)
        known = self._shared.get(key)
        if known is None:
            plan, _ = self.plan(call)
            template = self._template(plan, call, join, parent)
            carried: dict[str, Any] = {} if join is None else {"J": join}
            if call.group_index is not None:
                carried["x"] = [first]
            if carried:
                options = envelope.attach(self.codecs, template.options, carried)
                template = template._replace(options=options, join_id=join)
            known = self._shared[key] = (plan, template)
        plan, template = known
        self._add(template, call, self._body(plan, call.task, _whole(call, args), call.kwargs))

    def call(
        self,
        call: Call,
        line: Line,
        following: int,
        args: Sequence[Any],
        join: str | None,
        parent: str | None,
        waits_for: Sequence[str] | None = None,
    ) -> None:
        """Adds one call.

        Args:
            call: The call.
            line: Its flow.
            following: Index of the step after it.
            args: Put in front of its arguments.
            join: The task that waits for the flow's end.
            parent: The task before it.
            waits_for: The tasks whose results it takes, or None where it waits for none.
        """
        if call.withheld:
            return
        plan, stamps = self.plan(call)
        canvas = line.carry(following, self._put_blob)
        ends = following >= len(line)
        optional: tuple[tuple[str, Any], ...] = (
            ("l", call.links), ("e", call.errbacks), ("J", join), ("n", call.nesting), ("S", stamps),
        )  # fmt: skip
        canvas.update({name: value for name, value in optional if value})
        if call.group_index is not None:
            canvas["x"] = call.group_index
        if call.task == OUTCOME:
            canvas["o"] = call.kwargs["of"]
        if waits_for is not None:
            canvas["j"] = envelope.pack_ids(waits_for)
            canvas["i"] = int(call.immutable)
        template, whole, kwargs = self._template(plan, call, join, parent), _whole(call, args), call.kwargs
        if self._announces:
            if waits_for is not None:
                self._bodies[call.id] = signature_of(call)
            chord = self._bodies.get(join, {"task": None, "options": {"task_id": join}}) if join and ends else None
            ties = {"chain": line.rest(following) or None, "chord": chord}
            template, whole, kwargs = self._announce(call, ties, template, whole, stamps)
        if canvas:
            flags = CONTINUES if not canvas.keys().isdisjoint(_LOOKED_AT) else 0
            template = template._replace(
                options=envelope.attach(self.codecs, template.options, canvas, plan.serializer),
                flags=template.flags | flags,
                join_id=join if ends else None,
                join_size=len(waits_for or ()),
            )
        self._add(template, call, self._body(plan, call.task, whole, kwargs))

    def _announce(
        self, call: Call, ties: dict[str, Any], template: Template, args: Sequence[Any], stamps: dict[str, Any]
    ) -> tuple[Template, Sequence[Any], Mapping[str, Any]]:
        """Tells who wants to hear of it that a call is about to be sent; returns what they have made of it."""
        more = {
            "stamped_headers": list(stamps) or None, "stamps": stamps, "group_index": call.group_index,
            "replaced_task_nesting": call.nesting,
        }  # fmt: skip
        ties = {**ties, "callbacks": call.links or None, "errbacks": call.errbacks or None}
        told = announce(call.task, call.id, template, args, call.kwargs, more, ties)
        self.published.append(told)
        return told.template, told.args, told.kwargs

    def _template(self, plan: Plan, call: Call, join: str | None, parent: str | None) -> Template:
        root = self.root_id if self.root_id != call.id else None
        return plan.template._replace(root_id=root, parent_id=parent, group_id=call.group_id)

    def _body(self, plan: Plan, task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Data:
        return encode(self.codecs, task, plan, args, kwargs)

    def _add(self, template: Template, call: Call, body: Data) -> None:
        settings = self.app.settings
        mark = None
        if call.chosen:
            mark = fingerprint(call.task, body)
            template = template._replace(flags=template.flags | CHECK_EXISTS)
        if len(body) > settings.inline_limit:
            if len(body) > settings.max_payload_bytes:
                raise PayloadTooLarge(
                    f"{call.task}: the arguments take {len(body)} bytes, more than max_payload_bytes "
                    f"({settings.max_payload_bytes}); pass a reference to where the data is instead"
                )
            body = self._put_blob(body_blob_id(call.id, mark), body).pack()
            template = template._replace(flags=template.flags | BODY_REF)
        item: Item = (call.id, body, mark)
        last = self.groups[-1] if self.groups else None
        if last is not None and (last.template is template or last.template == template):
            last.items.append(item)  # type: ignore[attr-defined]
        else:
            self.groups.append(Group(template, [item]))

    def promise(self, call: Call, join: str | None = None) -> None:
        """Adds the promise of a call that comes later, so that it can be waited for and revoked."""
        plan, _ = self.plan(call)
        flags = plan.template.flags | CHECK_EXISTS if call.chosen else plan.template.flags & ~CHECK_EXISTS
        template = self._template(plan, call, join, None)._replace(
            join_id=join, join_size=-1, flags=flags, options=None, eta_ms=0
        )
        self.groups.append(Group(template, [(call.id, b"", None)]))
