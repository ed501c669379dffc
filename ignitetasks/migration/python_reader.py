"""Reads one Python file of a project for what belongs to Celery. The file is parsed, never imported.

What a name refers to is known from the imports and assignments of the same file, and from the names that other files
of the project give their applications. Must not read settings: see `settings_reader`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ignitetasks.migration import names
from ignitetasks.migration.catalog import find
from ignitetasks.migration.finding import Finding, Level
from ignitetasks.migration.settings_reader import mapping_settings, setting_finding

_APP_CALLS = ("Celery",)
#: Arguments of Celery's application that have no meaning here, and the settings that say why.
_NO_PARTS = {"broker": "broker_url", "backend": "result_backend", "result_backend": "result_backend"}
_PRIVATE = {"_cache", "_get_task_meta", "_set_cache", "_maybe_set_cache", "_tasks", "_conf", "_pending"}
_PUBLIC = {"_get_task_meta": "`app.backend.get_task_meta(result.id)` gives the same map."}
_CLIENTS = {"client", "connection", "collection", "ResultSession", "mc"}
_TASK_DECORATORS = ("task", "shared_task", "periodic_task")
#: Names of Celery's own tasks.
BUILTIN_TASKS = {
    f"celery.{name}" for name in ("accumulate", "chain", "chord", "chord_unlock", "chunks", "group", "map", "starmap")
}
_SENDERS = ("apply_async", "send_task")
#: What programs set to stop the worker they are in.
_SWITCHES = ("celery.worker.state.should_stop", "celery.worker.state.should_terminate")
_SWITCHED = "It is told and not asked here: `app.control.shutdown([hostname])` stops a worker."


class PythonReader(ast.NodeVisitor):
    """Collects the findings of one file.

    Args:
        file: How the file is called in findings.
        apps: Names by which the project's applications are imported.
    """

    def __init__(self, file: str, apps: Iterable[str] = ()) -> None:
        self.findings: list[Finding] = []
        self._file = file
        self._shared = frozenset(apps)
        self._apps: set[str] = set()
        self._told: set[int] = set()  # nodes whose call has said it all
        self._bound: dict[str, str] = {}  # local name -> dotted name of Celery's

    def read(self, tree: ast.Module) -> list[Finding]:
        """Returns all findings of a parsed file."""
        # Imports first: a name may be used in a function above the place that binds it.
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._imported(node)
        self._apps |= app_names(tree, self._bound)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.level or not is_celery(node.module or "")):
                self._apps |= {a.asname or a.name for a in node.names if a.name in self._shared}
        self.visit(tree)
        return sorted(set(self.findings))

    @property
    def concerned(self) -> bool:
        """True when the file has to do with Celery at all."""
        return bool(self._bound or self._apps)

    def _add(self, node: ast.AST, level: Level, what: str, text: str = "") -> None:
        self.findings.append(Finding(self._file, getattr(node, "lineno", 1), level, what, text))

    # -- imports

    def _imported(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._import_module(node, alias)
        elif node.level == 0 and node.module:
            for alias in node.names:
                self._import_name(node, node.module, alias)

    def _import_module(self, node: ast.AST, alias: ast.alias) -> None:
        if is_celery(alias.name):
            self._bound[alias.asname or "celery"] = alias.name if alias.asname else "celery"
            self._add(node, *_with_what(names.module_fate(alias.name), f"import {alias.name}"))
            return
        self._beside(node, alias.name)

    def _import_name(self, node: ast.AST, module: str, alias: ast.alias) -> None:
        if not is_celery(module):
            self._beside(node, f"{module}.{alias.name}")
            return
        self._bound[alias.asname or alias.name] = f"{module}.{alias.name}"
        fate = names.name_fate(module, alias.name)
        self._add(node, *_with_what(fate, f"from {module} import {alias.name}"))

    def _beside(self, node: ast.AST, dotted: str) -> None:
        entry = names.package_entry(dotted)
        if entry is None:
            return
        self._bound.setdefault(dotted, dotted)
        last = dotted.rpartition(".")[2]
        text = names.beside_text(entry, last)
        self._add(node, "hand" if text != entry.text else "gone", f"import of {dotted}", text)

    # -- uses

    def visit_Call(self, node: ast.Call) -> None:
        """Looks at calls that make apps, tasks, or send."""
        called = _last_name(node.func)
        if self._dotted(node.func) in ("celery.Celery", "celery.app.Celery", "celery.app.base.Celery"):
            self._made_app(node)
        elif called in _SENDERS and self.concerned:
            self._options(node, "apply_async")
        elif called in _TASK_DECORATORS and self.concerned:
            self._options(node, "@task")
        elif isinstance(node.func, ast.Attribute) and called == "update" and self._is_conf(node.func.value):
            self._settings(mapping_settings(node))
        elif called == "getLogger" and any(_is_text(arg, "celery") for arg in node.args):
            self._add(node, "hand", "logger celery", "The package logs as `ignitetasks`: name that logger.")
            self._told.update(map(id, node.args))
        self.generic_visit(node)

    def _made_app(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            entry = find("setting", _NO_PARTS.get(keyword.arg or "", ""))
            if entry is not None:
                self._add(keyword.value, "gone", f"Celery({keyword.arg}=)", entry.text)
            elif keyword.arg == "namespace":
                text = "It names the instance here; that of settings is an argument of config_from_object."
                self._add(keyword.value, "hand", "Celery(namespace=)", text)

    def _options(self, node: ast.Call, where: str) -> None:
        for keyword in node.keywords:
            entry = find("call", f"{where}({keyword.arg})")
            if entry is not None and entry.verdict == "gone":
                self._add(keyword.value, "gone", entry.name, entry.text)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Looks at settings of ``app.conf``, and at the switches of a worker's state."""
        for target in node.targets:
            if isinstance(target, ast.Attribute) and self._is_conf(target.value):
                self._settings([(target.attr, target)])
            elif self._dotted(target) in _SWITCHES:
                self._add(target, "gone", str(self._dotted(target)), _SWITCHED)
            elif (
                isinstance(target, ast.Subscript)
                and self._is_conf(target.value)
                and isinstance(target.slice, ast.Constant)
                and isinstance(target.slice.value, str)
            ):
                self._settings([(target.slice.value, target)])
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Looks at members of apps, results and backends."""
        inner = node.value
        if isinstance(inner, ast.Name) and self._is_app(inner):
            self._gone(node, f"Celery.{node.attr}")
        if isinstance(inner, ast.Attribute) and self._is_app(inner.value):
            self._gone(node, f"app.{inner.attr}.{node.attr}")
            if inner.attr == "control":
                self._gone(node, f"Control.{node.attr}")
        elif isinstance(inner, ast.Attribute) and self.concerned and inner.attr in ("consumer", "qos"):
            self._gone(node, f"{'consumer.' if inner.attr == 'qos' else ''}{inner.attr}.{node.attr}")
        if isinstance(inner, ast.Attribute) and inner.attr == "backend" and node.attr in _CLIENTS and self.concerned:
            text = "No database client stands behind the results. Make a client of your own for what you keep there."
            self._add(node, "gone", f"backend.{node.attr}", text)
        if node.attr in _PRIVATE and self.concerned and not (isinstance(inner, ast.Name) and inner.id == "self"):
            public = _PUBLIC.get(node.attr, "use the public result methods.")
            self._add(node, "hand", f".{node.attr}", f"{node.attr} is private to Celery: {public}")
        dotted = self._dotted(node)
        if dotted is not None and not isinstance(inner, ast.Attribute):
            self._member(node, dotted)
        self.generic_visit(node)

    def _gone(self, node: ast.AST, called: str) -> None:
        entry = find("call", called)
        if entry is not None and entry.verdict == "gone":
            self._add(node, "gone", entry.name, entry.text)

    def _member(self, node: ast.Attribute, dotted: str) -> None:
        """Looks at ``module.name`` where the module was imported as a whole."""
        module, _, name = dotted.rpartition(".")
        if module in self._bound.values() and is_celery(module) and names.module_fate(module)[0] == "rename":
            level, text = names.name_fate(module, name)
            if level != "rename":
                self._add(node, level, dotted, text)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Looks for backends of the project's own, and for what a class of tasks names."""
        dotted = [self._dotted(base) or "" for base in node.bases]
        for base, known in zip(node.bases, dotted, strict=True):
            if known.startswith("celery.backends"):
                text = "A part that Celery lets you exchange: keep what it adds in a task, a signal or a service."
                self._add(node, "hand", f"class {node.name}({_last_name(base)})", text)
            elif known.startswith("celery.worker.autoscale"):
                text = "Its rule is `decide(now, size, busy)`, which returns by how much the pool is to change."
                self._add(node, "hand", f"class {node.name}({_last_name(base)})", text)
        if any(known.startswith("celery") and known.endswith("Task") for known in dotted):
            for inner, target in _assignments(node.body):
                if isinstance(target, ast.Name):
                    self._gone(inner, f"Task.{target.id}")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Looks at module names in texts: plugins, patches, schedulers."""
        value = node.value
        if id(node) in self._told or not isinstance(value, str) or len(value) > 200 or " " in value.strip():
            return
        beside = find("package", value)
        # "kombu" or "amqp" alone may be a word; "django_celery_beat" in a text is a list of applications.
        if beside is not None and ("_" in value or "." in value):
            self._add(node, "gone", repr(value), beside.text)
        elif value.startswith("celery."):
            self._named_in_text(node, value)

    def _named_in_text(self, node: ast.Constant, value: str) -> None:
        """Looks at a text that begins like a module of Celery's; file names and loggers begin so, too."""
        dotted = value.replace(":", ".")
        if value in BUILTIN_TASKS:
            self._add(node, "hand", repr(value), "Celery's own tasks have other names here, or none is needed.")
        elif names.is_place(dotted):
            level, text = names.text_fate(dotted)
            self._add(node, level, repr(value), text)

    # -- what names mean

    def _settings(self, found: Iterable[tuple[str, ast.AST]]) -> None:
        for name, node in found:
            finding = setting_finding(self._file, getattr(node, "lineno", 1), name)
            if finding is not None:
                self.findings.append(finding)

    def _is_app(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and (
            node.id in self._apps or self._bound.get(node.id) == "celery.current_app"
        )

    def _is_conf(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Attribute) and node.attr == "conf" and self._is_app(node.value)

    def _dotted(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            return self._bound.get(node.id)
        if isinstance(node, ast.Attribute):
            inner = self._dotted(node.value)
            return f"{inner}.{node.attr}" if inner else None
        return None


def is_celery(module: str) -> bool:
    """Tells whether a module is Celery's own."""
    return module == "celery" or module.startswith("celery.")


def app_names(tree: ast.Module, bound: dict[str, str] | None = None) -> set[str]:
    """Returns the names a file gives the applications it makes.

    Args:
        tree: The parsed file.
        bound: What its names refer to; None takes any call of ``Celery(...)``.
    """
    found: set[str] = set()
    for node, target in _assignments(ast.walk(tree)):
        if isinstance(node, ast.Call) and _last_name(node.func) in _APP_CALLS:
            known = bound is None or _root(node.func) in bound
            if known and isinstance(target, ast.Name):
                found.add(target.id)
    return found


def _assignments(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield node.value, target
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield node.value, node.target


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_text(node: ast.expr, start: str) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.partition(".")[0] == start


def _with_what(fate: tuple[Level, str], what: str) -> tuple[Level, str, str]:
    return fate[0], what, fate[1]
