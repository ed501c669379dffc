"""Which Java runtime is taken, and what is said when none will do; with scripts in place of runtimes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ignitetasks.errors import NodeError
from ignitetasks.jvm import java as discovery
from ignitetasks.jvm.java import environment, find_java, parse_version

OPENJDK_17 = 'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6)\n'


def fake_java(folder: Path, version: str, name: str = "java") -> Path:
    """Makes a program that answers to -version and counts how often it was asked."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / name
    script.write_text(f"#!/bin/sh\necho asked >>'{folder}/asked'\necho 'openjdk version \"{version}\"' >&2\n")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize(("codeset", "added"), [("ANSI_X3.4-1968", "C.UTF-8"), ("UTF-8", None), ("ISO-8859-1", None)])
def test_a_runtime_in_the_c_locale_can_name_every_file(
    monkeypatch: pytest.MonkeyPatch, codeset: str, added: str | None
) -> None:
    monkeypatch.setattr("locale.nl_langinfo", lambda _: codeset)
    monkeypatch.setenv("KEPT", "1")
    variables = environment()
    if added is None:
        assert variables is None
    else:
        assert variables is not None
        assert (variables["LC_ALL"], variables["KEPT"]) == (added, "1")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No Java anywhere; /bin and /usr/bin stay out of PATH."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(discovery, "_bundled", lambda: None)
    path = tmp_path / "path"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    return path


@pytest.mark.parametrize(
    ("output", "major"),
    [
        (OPENJDK_17, 17),
        ('openjdk version "21" 2023-09-19\n', 21),
        ('openjdk version "21.0.8" 2025-07-15 LTS\n', 21),
        ('java version "1.8.0_392"\nJava(TM) SE Runtime Environment\n', 8),
        ("Picked up JAVA_TOOL_OPTIONS: -Xmx1g\n" + OPENJDK_17, 17),
        ('openjdk version "25-ea" 2025-09-16\n', 25),
    ],
)
def test_versions_are_read(output: str, major: int) -> None:
    java = parse_version("/x/java", output)
    assert java is not None
    assert java.major == major


@pytest.mark.parametrize("output", ["", "command not found", "version unknown"])
def test_what_is_no_version_is_refused(output: str) -> None:
    assert parse_version("/x/java", output) is None


def test_missing_everywhere_names_both_ways_to_get_one(cache: Path) -> None:
    with pytest.raises(NodeError, match=r"No Java runtime was found") as caught:
        find_java(None, cache)
    assert caught.value.code == "JAVA_MISSING"
    assert 'pip install "ignitetasks[jdk]"' in str(caught.value)
    assert "apt install openjdk-17-jre-headless" in str(caught.value)


def test_too_old_names_version_and_path(cache: Path, bare_machine: Path) -> None:
    script = fake_java(bare_machine, "11.0.2")
    with pytest.raises(NodeError, match=r"found Java 11\.0\.2 at") as caught:
        find_java(None, cache)
    assert caught.value.code == "JAVA_TOO_OLD"
    assert str(script) in str(caught.value)


def test_bundled_runtime_helps_where_the_path_has_an_old_one(
    cache: Path, bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(bare_machine, "11.0.2")
    bundled = fake_java(tmp_path / "bundled", "21.0.8")
    monkeypatch.setattr(discovery, "_bundled", lambda: str(bundled))
    assert find_java(None, cache).path == str(bundled)


def test_order_is_setting_java_home_path(
    cache: Path, bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = fake_java(bare_machine, "17.0.1")
    assert find_java(None, cache).path == str(on_path)
    home = fake_java(tmp_path / "home" / "bin", "18.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert find_java(None, cache).path == str(home)
    named = fake_java(tmp_path / "named", "19.0.1", "myjava")
    assert find_java(str(named), cache).path == str(named)


@pytest.mark.parametrize("place", ["/nowhere/java", "nowhere"])
def test_named_but_missing_is_an_error_not_a_fallback(cache: Path, bare_machine: Path, place: str) -> None:
    fake_java(bare_machine, "17.0.1")
    with pytest.raises(NodeError, match=r"the setting java names .*nowhere"):
        find_java(place, cache)


def test_named_but_too_old_is_an_error_not_a_fallback(cache: Path, bare_machine: Path, tmp_path: Path) -> None:
    fake_java(bare_machine, "17.0.1")
    named = fake_java(tmp_path / "named", "1.8.0_392")
    with pytest.raises(NodeError, match=r"the setting java names Java 1\.8\.0_392"):
        find_java(str(named), cache)


def test_named_but_no_java_is_an_error(cache: Path, tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    with pytest.raises(NodeError, match="does not answer to -version"):
        find_java(str(script), cache)


def test_the_version_is_asked_once_until_the_file_changes(cache: Path, bare_machine: Path) -> None:
    script = fake_java(bare_machine, "17.0.1")
    asked = bare_machine / "asked"
    find_java(None, cache)
    assert find_java(None, cache).major == 17
    assert asked.read_text().count("asked") == 1
    fake_java(bare_machine, "21.0.1")
    os.utime(script, (1, 1))
    assert find_java(None, cache).major == 21
    assert asked.read_text().count("asked") == 2


@pytest.mark.parametrize("content", ["", "[]", '{"x": 1}', "\0", '{"%s": {"stamp": 1}}'])
def test_a_broken_cache_file_does_not_matter(cache: Path, bare_machine: Path, content: str) -> None:
    script = fake_java(bare_machine, "17.0.1")
    cache.mkdir()
    (cache / "java.json").write_text(content.replace("%s", str(script)))
    assert find_java(None, cache).major == 17


def test_a_cache_that_cannot_be_written_does_not_matter(bare_machine: Path, tmp_path: Path) -> None:
    fake_java(bare_machine, "17.0.1")
    (tmp_path / "file").write_text("")
    assert find_java(None, tmp_path / "file").major == 17
