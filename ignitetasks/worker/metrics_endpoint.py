"""The port of `--metrics-port`: /metrics, /healthz and /readyz of one worker, served by a small process of its own.

A process, since the supervisor must stay single-threaded and may be busy for seconds while it starts a node. Its
health comes from the shared memory, the node's numbers through the application's transport. This file must not
touch children, and must not define metrics of the library (see metrics.py, nodemetrics.py).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from ignitetasks import exposition, log, metrics
from ignitetasks.errors import ConfigurationError
from ignitetasks.metrics import Family
from ignitetasks.nodemetrics import node_families
from ignitetasks.worker.model import WorkerApp, WorkerPlan
from ignitetasks.worker.pools import fork_child
from ignitetasks.worker.slots import IDLE, Slots

#: Longest wait for the node's answer during a scrape, in seconds.
_FETCH_SECONDS: Final = 2.0
_CLIENT_SECONDS: Final = 10.0
_logger = log.get_logger("worker")


class Endpoint:
    """The endpoint of one worker, as its supervisor handles it."""

    def __init__(self, app: WorkerApp, plan: WorkerPlan, slots: Slots) -> None:
        """Open the port, so that a taken one is an error at the start.

        Args:
            app: The application.
            plan: What the worker is; has a metrics port.
            slots: The worker's shared memory.

        Raises:
            ConfigurationError: The port cannot be had.
        """
        self._app = app
        self._plan = plan
        self._slots = slots
        self._pid = 0
        host, port = plan.metrics_host, plan.metrics_port or 0
        try:
            self._socket = socket.create_server((host, port), family=_family(host, port))
        except OSError as error:
            raise ConfigurationError(
                f"The metrics endpoint cannot listen on {host}:{port} ({error.strerror or error}); "
                "choose another --metrics-port or --metrics-host."
            ) from error
        self.port: int = self._socket.getsockname()[1]

    def keep(self, before: Callable[[], None]) -> None:
        """Start the process, or start it again when it has died.

        Args:
            before: Gives back, in the new process, what belongs to the supervisor only.
        """
        if self._pid and os.waitpid(self._pid, os.WNOHANG) == (0, 0):
            return
        parent = os.getpid()
        self._pid = fork_child(lambda: self._serve(parent), parent, before)

    def stop(self) -> None:
        """End the process and close the port; harmless when repeated."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
        self._socket.close()

    def close_in_child(self) -> None:
        """Close a child's copy of the port."""
        self._socket.close()

    def _serve(self, supervisor: int) -> None:
        def fetch(op: str) -> Any:
            return self._app.transport.call(op, timeout=_FETCH_SECONDS)

        sources = (self._families, lambda: node_families(fetch))
        server = _Server(self._socket.getsockname(), _Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = self._socket
        server.answers = {
            "/metrics": lambda: (200, exposition.render(sources)),
            "/healthz": lambda: self._health(supervisor, ready=False),
            "/readyz": lambda: self._health(supervisor, ready=True),
        }
        server.serve_forever()

    def _health(self, supervisor: int, ready: bool) -> tuple[int, bytes]:
        health, count = self._slots.health(), self._slots.ready()
        problems = []
        if os.getppid() != supervisor:
            problems.append("the supervisor is gone")
        if not health.connected:
            problems.append("no connection to the node")
        if ready and count < health.wanted:
            problems.append(f"{count} of {health.wanted} children are ready")
        if ready and health.draining:
            problems.append("the worker is shutting down")
        return (503, "; ".join(problems).encode()) if problems else (200, b"ok")

    def _families(self) -> Iterator[Family]:
        """Yield this worker's numbers, which live in shared memory, and those of its children's client library."""
        slots = self._slots
        health = slots.health()
        counts = [slots.counts(index) for index in range(slots.count)]
        busy = sum(slots.running(index).seq != IDLE for index in range(slots.count))
        labels = {"worker": self._plan.name}
        gauges = (
            ("connected", "1 while the worker is connected.", health.connected),
            ("children", "Children there should be.", health.wanted),
            ("children_ready", "Children that take tasks.", slots.ready()),
            ("children_busy", "Children inside a task.", busy),
        )
        for name, text, number in gauges:
            yield Family(f"ignitetasks_worker_{name}", "gauge", text, [(labels, float(number))])
        counters = (
            ("executions", "Executions ended.", sum(done for done, _ in counts)),
            ("failures", "Of these, failed.", sum(bad for _, bad in counts)),
        )
        for name, text, number in counters:
            yield Family(f"ignitetasks_worker_{name}", "counter", text, [(labels, float(number))])
        yield from metrics.families([slots.numbers(index) for index in range(slots.count)])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: dict[str, Callable[[], tuple[int, bytes]]]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a client that went away as a fact, instead of a traceback on standard error."""
        error = sys.exc_info()[1]
        tell = _logger.debug if isinstance(error, OSError) else _logger.error
        tell("metrics request failed", error=type(error).__name__, client=str(client_address[0]))


class _Handler(BaseHTTPRequestHandler):
    timeout = _CLIENT_SECONDS
    server: _Server
    # Whoever scans ports need not learn which Python this is.
    server_version, sys_version = "ignitetasks", ""

    def do_GET(self) -> None:
        """Answer one of the known paths."""
        path = self.path.partition("?")[0]
        answer = self.server.answers.get(path)
        status, body = answer() if answer else (404, b"try /metrics, /healthz or /readyz")
        self.send_response(status)
        kind = exposition.CONTENT_TYPE if path == "/metrics" else "text/plain; charset=utf-8"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log requests as debug facts instead of lines on standard error."""
        # Without what follows a question mark: it is not ours, and may be somebody's password.
        _logger.debug("metrics request answered", path=getattr(self, "path", "").partition("?")[0])


def _family(host: str, port: int) -> socket.AddressFamily:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
