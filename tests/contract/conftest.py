"""Both homes behind one fixture: in memory, and a real embedded node of Apache Ignite."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest
from puppet import Puppet
from support import EmbeddedNode

from ignitetasks import ids, jvm
from ignitetasks.client import Client
from ignitetasks.config import Settings
from ignitetasks.hub import Waiter
from ignitetasks.message import Completion, Group, Template
from ignitetasks.result import open_completion
from ignitetasks.transport.memory import home_of

_numbers = itertools.count(1)


@pytest.fixture(scope="session", params=["memory", "ignite"])
def client(request: Any, tmp_path_factory: Any) -> Iterator[Client]:
    """A client of one kind of home."""
    if request.param == "memory":
        name = f"contract-{os.getpid()}"
        client = Client(Settings(transport=f"memory://{name}"))
        yield client
        client.close()
        home_of(name).close()
        return
    with EmbeddedNode(tmp_path_factory.mktemp("contract") / "data") as node:
        client = Client(node.settings)
        yield client
        client.close()


class Bench:
    """What a test works with: a queue of its own, ids of one home, and workers it plays itself."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.transport = client.transport
        self.queue = f"contract{next(_numbers)}"
        self._puppets: list[Puppet] = []

    def new_id(self) -> str:
        return ids.new_id(self.queue)

    def template(self, task: str = "work", **fields: Any) -> Template:
        return Template(task, self.queue, **fields)

    def submit(self, *task_ids: str, body: bytes = b"body", **fields: Any) -> list[str]:
        """Submits one task for each id, or one with an id of its own."""
        chosen = list(task_ids) or [self.new_id()]
        self.transport.submit([Group(self.template(**fields), [(one, body, None) for one in chosen])])
        return chosen

    def puppet(
        self, tasks: tuple[str, ...] = ("work",), slots: int = 1, limits: dict[str, str] | None = None
    ) -> Puppet:
        address = self.transport.address() or jvm.find(self.client.settings)
        puppet = Puppet(address, self.queue, tasks, slots, limits)
        self._puppets.append(puppet)
        return puppet

    def wait(self, *task_ids: str, timeout: float = 20.0) -> list[Completion]:
        """Waits for ends, as a client does that asks for them."""
        found: dict[str, Completion] = {}
        waiter = Waiter(len(task_ids), lambda one: found.__setitem__(one.id, one))
        self.client.hub.register(waiter, task_ids, None)
        assert self.client.hub.wait(waiter, timeout), f"{waiter.left} of {len(task_ids)} are missing"
        return [found[one] for one in task_ids]

    def value(self, task_id: str) -> Any:
        """Returns the value or the exception a task has ended with."""
        return open_completion(self.client, self.wait(task_id)[0], ())[1]

    def info(self, task_id: str) -> Any:
        return self.transport.call("info", [task_id])[0]

    def close(self) -> None:
        for puppet in self._puppets:
            puppet.close()
        self.transport.call("purge", self.queue)


@pytest.fixture
def bench(client: Client) -> Iterator[Bench]:
    bench = Bench(client)
    yield bench
    bench.close()
