"""Small modules that programs import by Celery's names: what is in them does what its name says."""

from __future__ import annotations

import importlib
import io
import logging
import os
import signal
import sys
import threading
import time
import types
from datetime import date, timedelta

import click
import pytest

from ignitetasks import (
    IgniteTasks,
    Task,
    beat,
    exceptions,
    loaders,
    platforms,
    result,
    schedules,
    shared_task,
    states,
    worker,
)
from ignitetasks.app import base, task, trace
from ignitetasks.app import log as app_log
from ignitetasks.app.autoretry import add_autoretry_behaviour
from ignitetasks.app.utils import Settings
from ignitetasks.apps import worker as apps_worker
from ignitetasks.bin.base import COMMA_SEPARATED_LIST, LOG_LEVEL, CLIContext
from ignitetasks.loaders.app import AppLoader
from ignitetasks.utils import collections, debug, functional, graph, saferepr, serialization, threads
from ignitetasks.worker import control
from ignitetasks.worker.worker import WorkController

PATIENCE = 20


@pytest.fixture
def app():
    made = IgniteTasks("modules", transport="memory")
    yield made
    made.close()


class TestGraph:
    def test_is_a_map_that_can_be_read_and_drawn(self):
        found = graph.DependencyGraph([("a", ["b", "c"]), ("b", ["c"])])
        found.connect(graph.DependencyGraph([("d", [])]))
        assert found == {"a": ["b", "c"], "b": ["c"], "d": []}
        assert str(found).splitlines()[:4] == ["a(3)", "    b(1)", "        c(0)", "    c(0)"]
        assert found.edges() == ["a", "b"] and found.valency_of("c") == 0
        order = found.topsort()
        assert order.index("c") < order.index("b") < order.index("a")
        out = io.StringIO()
        graph.DependencyGraph([('say "x"', ["y"])]).to_dot(out)
        assert '"say \\"x\\"" -> "y";' in out.getvalue()

    def test_results_make_one(self, app):
        @app.task
        def add(x, y):
            return x + y

        with app.local_worker(1, pool="solo"):
            end = (add.s(1, 2) | add.s(3)).apply_async()
            assert end.get(timeout=PATIENCE) == 6
            assert end.parent.build_graph() == end.parent.graph == {end.parent: [end], end: []}


def test_repeats_are_given_to_a_task_that_exists(app):
    runs = []

    @app.task
    def flaky():
        runs.append(1)
        if len(runs) < 2:
            raise OSError
        return len(runs)

    add_autoretry_behaviour(flaky, autoretry_for=(OSError,), retry_kwargs={"countdown": 0}, bind=True)
    with app.local_worker(1, pool="solo"):
        assert flaky.delay().get(timeout=PATIENCE) == 2


def test_names_for_annotations(app):
    assert isinstance(app.conf, Settings)
    assert worker.WorkController is WorkController is app.WorkController.__mro__[1]
    with pytest.raises(AttributeError):
        worker.nothing  # noqa: B018
    assert loaders.get_loader_cls("app") is AppLoader
    assert isinstance(app.loader, loaders.get_loader_cls("ignitetasks.loaders.base:BaseLoader"))
    assert importlib.import_module("ignitetasks.bin.worker").worker.name == "worker"
    assert importlib.import_module("ignitetasks.bin.beat").beat.name == "beat"
    assert COMMA_SEPARATED_LIST.convert("a,b", None, None) == ["a", "b"] and LOG_LEVEL.name


def test_commands_of_packages_show_what_went_well():
    assert CLIContext(plain=True).OK == "OK" and CLIContext(plain=True).ERROR == "ERROR"
    assert click.style("OK", fg="green", bold=True) == CLIContext().OK
    assert CLIContext().style("x", bold=True) == click.style("x", bold=True)


def test_names_that_programs_import_from_where_celery_imports_them(app):
    assert beat.crontab is schedules.crontab and result.states is states
    assert result.TimeoutError is exceptions.TimeoutError and task.BaseTask is Task
    for module in (beat, base, trace, apps_worker):
        assert module.logger.name == module.__name__ and isinstance(module.logger, logging.Logger)
    assert app_log.get_logger("a.b").name == "a.b" and app_log.mlevel("INFO") == logging.INFO


def test_a_revoke_by_the_function_of_a_workers_command(app, monkeypatch):
    @app.task
    def later():
        return None

    sent = [later.apply_async(countdown=3600) for _ in range(2)]
    monkeypatch.setattr("ignitetasks.worker.commands.get_current_app", lambda: app)
    assert "flagged" in control.revoke(None, sent[0].id)["ok"]
    control.revoke(types.SimpleNamespace(app=app), [sent[1].id], terminate=True)
    assert [one.state for one in sent] == ["REVOKED", "REVOKED"]


class TestDebug:
    def test_memory(self):
        assert debug.humanbytes(1536) == "1.5KB" and debug.humanbytes(0) == "0b"
        first = debug.sample_mem()
        assert first == debug.mem_rss() or first.endswith("MB")
        out = io.StringIO()
        debug.memdump(file=out)
        assert first in out.getvalue() and "- rss (end)" in out.getvalue()
        assert list(debug.sample(range(100), 10)) == list(range(0, 100, 10))

    def test_ps_where_there_is_no_psutil(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "psutil", None)
        assert debug.ps() is None
        made = types.SimpleNamespace(Process=lambda pid: ("process", pid))
        monkeypatch.setitem(sys.modules, "psutil", made)
        assert debug.ps() == ("process", os.getpid())

    def test_a_block_that_takes_too_long(self):
        before = signal.getsignal(signal.SIGALRM)
        with pytest.raises(RuntimeError, match="blocked for"), debug.blockdetection(0.01):
            time.sleep(PATIENCE)
        with debug.blockdetection(PATIENCE), debug.blockdetection(None):
            pass
        assert signal.getsignal(signal.SIGALRM) is before
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)

    def test_what_threads_do(self):
        assert "test_what_threads_do" in debug.cry()
        out = io.StringIO()
        debug.cry(out, sepchr="-", seplen=3)
        assert "MainThread\n---\n" in out.getvalue()


class TestPlatforms:
    def test_facts(self):
        assert platforms.EX_OK == 0 and platforms.SYSTEM == "Linux" and not platforms.IS_WINDOWS
        assert platforms.pyimplementation() == "CPython"
        assert platforms.signal_name(signal.SIGTERM) == "TERM"
        assert platforms.isatty(io.StringIO()) is False and platforms.isatty(None) is None

    def test_handlers(self):
        signals = platforms.signals
        before = signals["USR1"]
        try:
            signals["USR1"] = heard = [].append
            assert signals["SIGUSR1"] == heard == signals[signal.SIGUSR1]
            signals.ignore("USR1")
            assert signals["USR1"] == signals.ignored
            signals.reset("USR1")
            assert signals["USR1"] == signals.default
            signals.update(USR1=heard)
            thread = threading.Thread(target=signals.reset, args=("USR1",))
            thread.start()
            thread.join()
            assert signals["USR1"] == heard  # only the main thread sets any
        finally:
            signals["USR1"] = before
        signals["NOTHING"] = heard
        assert not signals.supported("NOTHING") and signals.supported("TERM")

    def test_a_lock_that_ends_with_the_process(self, tmp_path):
        lock = platforms.create_pidlock(str(tmp_path / "x.pid"))
        assert lock.read_pid() == os.getpid()
        lock.release()
        assert lock.read_pid() is None and not lock.is_locked()


class TestUtils:
    def test_maps_with_attributes(self):
        one = collections.AttributeDict(a=1)
        one.b = 2
        assert one == {"a": 1, "b": 2} and one.a == 1
        with pytest.raises(AttributeError, match="'c'"):
            one.c  # noqa: B018
        held = types.SimpleNamespace(a=1)
        two = collections.DictAttribute(held)
        two["b"] = two.a + 1
        assert held.b == two["b"] == two.b == 2 and two.get("c") is None and "a" in two and two.obj is held
        del two["b"]
        assert "b" not in list(two) and len(two) == len(dir(held))

    def test_a_stack_for_each_thread(self):
        stack = threads.LocalStack()
        assert stack.top is None and stack.pop() is None
        assert stack.push(1) == 1 and stack.push(2) == 2
        seen = []
        thread = threading.Thread(target=lambda: seen.append(stack.top))
        thread.start()
        thread.join()
        assert seen == [None] and stack.stack == [1, 2] and len(stack) == 2
        assert (stack.pop(), stack.top) == (2, 1)

    def test_texts_of_a_bounded_size(self):
        class Bad:
            def __repr__(self):
                raise ValueError

        assert saferepr.saferepr({"a": [1, (2,)]}) == "{'a': [1, (2,)]}"
        assert saferepr.saferepr(list(range(1000)), 10) == "[0, 1, ..."
        assert saferepr.saferepr([[[[1]]]]) == "[[[[...]]]]"
        assert "Bad" in saferepr.saferepr(Bad())

    def test_values_for_json(self):
        value = {"a": (1, None), "b": date(2030, 1, 2), "c": timedelta(seconds=1), "d": "x", "_": 1}
        kept = serialization.jsonify(value, keyfilter=lambda name: name != "_")
        assert kept == {"a": [1, None], "b": "2030-01-02", "c": "0:00:01", "d": "x"}
        with pytest.raises(ValueError, match="'k'"):
            serialization.jsonify({"k": object()})
        assert serialization.jsonify({"k": b"x"}, unknown_type_filter=repr) == {"k": "b'x'"}
        assert serialization.strtobool("Yes") is True and serialization.strtobool("off") is False
        assert serialization.strtobool(3) == 3
        with pytest.raises(TypeError, match="neither"):
            serialization.strtobool("perhaps")

    def test_functions(self):
        assert functional.pass1(1, 2) == 1 and functional.maybe(int, "3") == 3 and functional.maybe(int, None) is None
        assert functional.seq_concat_item((1,), 2) == (1, 2) and functional.seq_concat_item([1], 2) == [1, 2]
        assert functional.seq_concat_seq((1,), [2, 3]) == [1, 2, 3] and functional.seq_concat_seq((1,), [2]) == (1, 2)
        assert functional.mattrgetter("real", "none")(1) == {"real": 1, "none": None}
        assert functional.arity_greater(lambda a, b: 0, 1) and not functional.arity_greater(lambda a, **b: 0, 1)
        assert functional.arity_greater(lambda *a: 0, 5)
        assert functional.fun_takes_argument("a", lambda a: 0)
        assert functional.fun_takes_argument("x", lambda a, b: 0, 2) and functional.fun_takes_argument(
            "x", lambda **k: 0
        )
        assert not functional.fun_takes_argument("x", lambda a: 0, 2)


class TestSphinx:
    """The extension's own decisions; Sphinx itself is replaced by as little as it needs."""

    @pytest.fixture
    def extension(self, monkeypatch):
        stand_in = types.SimpleNamespace(
            version_info=(9, 0), FunctionDocumenter=Documenter, PyFunction=object, PyXRefRole=object, Text=str,
            nodes=types.SimpleNamespace(Text=str, Node=str),
        )  # fmt: skip
        for name in (
            "sphinx",
            "sphinx.domains",
            "sphinx.domains.python",
            "sphinx.ext",
            "sphinx.ext.autodoc",
            "docutils",
        ):
            monkeypatch.setitem(sys.modules, name, stand_in)
        monkeypatch.delitem(sys.modules, "ignitetasks.contrib.sphinx", raising=False)
        yield importlib.import_module("ignitetasks.contrib.sphinx")
        del sys.modules["ignitetasks.contrib.sphinx"]

    def test_finds_tasks_and_shows_them_as_called(self, extension, app):
        @app.task(bind=True)
        def work(self, a: int, *, b: str = "x") -> None:
            """Works."""

        @shared_task
        def shared(q):
            """Is shared."""

        can = extension.TaskDocumenter.can_document_member
        assert can(work, "work", False, None) and can(shared, "shared", False, None)
        assert not can(Task(), "x", False, None) and not can(len, "len", False, None)
        documenter = extension.TaskDocumenter()
        documenter.object = work
        documenter.modname = __name__
        assert documenter.format_args() == "(a: 'int', *, b: 'str' = 'x') -> 'None'"
        assert documenter.check_module()
        documenter.object = shared
        assert documenter.import_object() and documenter.object.__doc__ == "Is shared."
        assert extension.autodoc_skip_member_handler(None, "module", "work", work, True, None) is False
        assert extension.autodoc_skip_member_handler(None, "module", "len", len, True, None) is None

    def test_tells_sphinx_of_it_all(self, extension):
        told = []

        class Told:
            config = types.SimpleNamespace()

            def __getattr__(self, name):
                return lambda *args: told.append((name, args[0]))

        assert extension.setup(Told()) == {"parallel_read_safe": True}
        assert Told.config.autodoc_use_legacy_class_based is True
        assert [name for name, _ in told] == [
            "setup_extension", "add_autodocumenter", "add_directive_to_domain", "add_role_to_domain",
            "add_config_value", "connect",
        ]  # fmt: skip


class Documenter:
    """Stands for Sphinx's documenter of functions."""

    def import_object(self, raiseerror=False):
        return True
