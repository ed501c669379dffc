"""A file imports only from layers above its own; third-party libraries live in one file each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ignitetasks"

# From the leaves down; a module may import from any earlier line, and from its own.
# "a.b" places one module of a package.
LAYERS = [
    [
        "errors",
        "states",
        "compression",
        "zstdcodec",
        "brotlicodec",
        "encodings",
        "deferred",
        "local",
        "_state",
        "migration",
        "pace",
        "owntasks",
    ],
    ["ids", "retry", "config", "frames", "context", "exceptions"],
    ["cron", "sun"],
    ["wire", "serializers", "log", "logformat", "metrics", "bar", "progress", "yamlcodec"],
    ["signals", "utils", "platforms", "security"],
    ["exposition", "nodemetrics"],
    ["message", "failure", "jvm", "accepted"],
    ["envelope", "origin"],
    ["transport"],
    ["loaders"],
    ["store", "rates", "stamps", "bootsteps"],
    ["baseschedule"],
    ["schedules", "app.defaults", "app.reading", "app.conf", "app.queues", "app.routes", "app.annotations"],
    ["periodic"],
    ["waiters", "perprocess"],
    ["agenda"],
    ["hub"],
    ["client"],
    ["awaiting", "waiting"],
    ["result"],
    ["results", "options", "planning"],
    ["sending", "publishing"],
    ["bulk", "asending", "canvas"],
    ["backends", "events", "continuing", "ticks"],
    ["app"],
    ["registry", "worker", "caches", "beatkeeper", "scheduling", "storedschedule", "beat", "concurrency"],
    ["control", "apps", "worker.worker"],
    ["contrib"],
    ["cli", "bin"],
    ["contrib.django"],
    ["__main__", "__init__"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

ONE_HOME = {
    "py4j": {"transport/sockets.py"},
    "tenacity": {"transport/retrying.py"},
    "structlog": {"logformat.py"},
    "yaml": {"yamlcodec.py"},
    "zstandard": {"zstdcodec.py"},
    "brotli": {"brotlicodec.py"},
    "pydantic": {"app/validating.py"},
    "prometheus_client": {"exposition.py"},
    "pyignite": {"caches.py"},
    "ephem": {"sun.py"},
    "sphinx": {"contrib/sphinx.py"},
}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def imports(path: Path) -> list[tuple[str, ast.stmt]]:
    tree = ast.parse(path.read_text("utf-8"))
    found: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            name = node.module or ""
            for alias in node.names:
                inner = f"{name}.{alias.name}"
                found.append((inner if is_module(inner) else name, node))
    return found


def rank_of(parts: tuple[str, ...]) -> int:
    """Returns the layer of a module below the package: its own, else that of its package."""
    return RANK.get(".".join(parts[:2]), RANK.get(parts[0], -1))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_from_layers_above(path):
    rank = rank_of(path.relative_to(PACKAGE).with_suffix("").parts)
    assert rank >= 0, "give it a layer"
    for name, _ in imports(path):
        if name.startswith("ignitetasks."):
            target = rank_of(tuple(name.split(".")[1:]))
            assert 0 <= target <= rank, f"{path.name} must not import {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_import_inside_functions_and_no_type_checking_knots(path):
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inner = [one for one in ast.walk(node) if isinstance(one, (ast.Import, ast.ImportFrom))]
            assert not inner, f"{path.name}:{inner[0].lineno}"
    assert "TYPE_CHECKING" not in path.read_text("utf-8")


def test_third_party_libraries_have_one_home():
    for path in modules():
        for name, _ in imports(path):
            homes = ONE_HOME.get(name.split(".")[0])
            if homes is not None:
                assert str(path.relative_to(PACKAGE)) in homes, f"{path.name} imports {name}"


def test_no_import_cycles():
    graph: dict[str, set[str]] = {}
    for path in modules():
        relative = path.relative_to(PACKAGE).with_suffix("")
        name = ".".join(("ignitetasks", *relative.parts)).removesuffix(".__init__")
        graph[name] = {target for target, _ in imports(path) if target.startswith("ignitetasks")}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done or name not in graph:
            return
        for target in graph[name]:
            if target != "ignitetasks":
                visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= 450
