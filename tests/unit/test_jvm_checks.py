"""Data directories that cannot work are refused before a JVM is started, with a sentence that says what to do."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ignitetasks.config import Settings
from ignitetasks.errors import NodeError
from ignitetasks.jvm import CLIENT, EMBEDDED, NodeSpec, checks, java_executable, spec_of, write_start_files
from ignitetasks.jvm.java import Java


def refused(spec: NodeSpec) -> NodeError:
    with pytest.raises(NodeError) as caught:
        checks.prepare(spec)
    return caught.value


def test_folders_are_made_private(tmp_path: Path) -> None:
    checks.prepare(NodeSpec(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b" / "run").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_not_a_directory(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    error = refused(NodeSpec(tmp_path / path))
    assert error.code == "DATA_DIR_UNWRITABLE"
    assert str(error).startswith(f"{tmp_path / 'file'} is not a directory")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_not_writable(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    error = refused(NodeSpec(tmp_path / "x"))
    assert error.code == "DATA_DIR_UNWRITABLE"
    assert "Permission denied" in str(error)


def test_a_file_system_that_refuses(tmp_path: Path) -> None:
    # /proc takes no folders from anybody, root included
    error = refused(NodeSpec(Path("/proc/ignitetasks")))
    assert error.code == "DATA_DIR_UNWRITABLE"
    assert "cannot be written" in str(error)


def test_newer_format(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "VERSION").write_text("99\n")
    error = refused(NodeSpec(tmp_path))
    assert error.code == "DATA_DIR_NEWER"
    assert "format 99" in str(error)


def test_a_foreign_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "VERSION").write_text("PostgreSQL")
    assert "no ignitetasks data directory" in str(refused(NodeSpec(tmp_path)))


def test_known_format_passes(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "VERSION").write_text("1\n")
    checks.prepare(NodeSpec(tmp_path))


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=10, f_frsize=1 << 20))
    error = refused(NodeSpec(tmp_path))
    assert error.code == "DISK_FULL"
    assert "10 MiB left" in str(error)
    # a client keeps no data
    checks.prepare(NodeSpec(tmp_path, role=CLIENT))


def test_a_long_path_gets_a_short_private_socket_folder(tmp_path: Path) -> None:
    spec = NodeSpec(tmp_path / ("x" * 120))
    assert len(os.fsencode(spec.lane_path)) <= 100
    checks.prepare(spec)
    folder = spec.lane_path.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    try:
        folder.chmod(0o755)
        assert "private folder" in str(refused(spec))
    finally:
        folder.rmdir()
    assert NodeSpec(Path("/a")).lane_path == Path("/a/run/lane.sock")


def test_settings_become_a_spec(tmp_path: Path) -> None:
    embedded = spec_of(Settings(data_dir=tmp_path, heap_mb=256))
    assert (embedded.role, embedded.instance_dir, embedded.heap_mb, embedded.backups) == (EMBEDDED, tmp_path, 256, 0)
    assert embedded.durability == "power"
    client = spec_of(Settings(data_dir=tmp_path, cluster=("a:47500", "b:47500")))
    assert (client.role, client.addresses, client.backups) == (CLIENT, ("a:47500", "b:47500"), 1)
    assert client.instance_dir != tmp_path


def test_a_link_to_a_data_directory_is_the_same_instance(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert spec_of(Settings(data_dir=tmp_path / "link")) == spec_of(Settings(data_dir=tmp_path / "real"))


def test_start_files_for_a_container(tmp_path: Path) -> None:
    jar = tmp_path / "x y.jar"
    jar.write_bytes(b"")
    arguments = write_start_files(NodeSpec(tmp_path / "i", jar=jar), Java("/opt/java", 17, "17.0.1"))
    lines = arguments.read_text().splitlines()
    assert f'"{jar}"' in lines
    assert lines[-1] == f'"{tmp_path}/i/run/node.json"'
    assert "/opt/java" not in arguments.read_text()


def test_start_files_name_the_class_path_of_the_container(tmp_path: Path) -> None:
    spec = NodeSpec(tmp_path / "i", jar=tmp_path / "not there")
    lines = write_start_files(spec, Java("/opt/java", 17, "17.0.1"), "/libs/*:/ours.jar").read_text().splitlines()
    assert lines[lines.index('"-cp"') + 1] == '"/libs/*:/ours.jar"'
    assert (spec.instance_dir / "secret.json").exists()


def test_java_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(NodeError, match="JAVA_HOME names"):
        java_executable(Settings(data_dir=tmp_path))
