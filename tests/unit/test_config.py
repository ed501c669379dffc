"""Settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.config import Settings, check_queue, load_signing_key
from ignitetasks.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    for name in ("DATA_DIR", "CLUSTER", "DURABILITY"):
        monkeypatch.delenv(f"IGNITETASKS_{name}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_defaults(tmp_path):
    settings = Settings()
    assert settings.data_dir == tmp_path / "ignitetasks" / "default"
    assert settings.embedded and settings.instance_dir == settings.data_dir
    assert settings.effective_durability == "power"
    assert hash(settings) == hash(Settings())


def test_programs_that_share_a_broker_url_meet_wherever_they_are_started(monkeypatch, tmp_path):
    home = Settings().data_dir
    for place in ("web", "worker"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        app = IgniteTasks("shop", broker="redis://localhost/0", backend="redis://localhost/1", set_as_current=False)
        assert app.settings.instance_dir == home


def test_relative_state_home_is_ignored(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert Settings().data_dir.is_absolute()


def test_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("IGNITETASKS_DATA_DIR", str(tmp_path / "d"))
    monkeypatch.setenv("IGNITETASKS_DURABILITY", "process")
    monkeypatch.setenv("IGNITETASKS_HEAP_MB", " 256 ")
    monkeypatch.setenv("IGNITETASKS_LOG_JSON", "yes")
    monkeypatch.setenv("IGNITETASKS_ACCEPT_CONTENT", "msgpack,json,pickle")
    monkeypatch.setenv("IGNITETASKS_CALL_TIMEOUT_SECONDS", "2.5")
    settings = Settings.from_env(heap_mb=128)
    assert settings.data_dir == tmp_path / "d"
    assert (settings.durability, settings.heap_mb, settings.log_json) == ("process", 128, True)
    assert settings.accept_content == ("msgpack", "json", "pickle")
    assert settings.call_timeout_seconds == 2.5


def test_empty_variable_means_not_set(monkeypatch):
    monkeypatch.setenv("IGNITETASKS_DURABILITY", "")
    assert Settings.from_env().durability is None


def test_cluster_has_a_client_instance(tmp_path):
    one = Settings(cluster="h1:47500, h2:47500")
    assert one.cluster == ("h1:47500", "h2:47500")
    assert one.instance_dir.parent == tmp_path / "ignitetasks" / "clients"
    assert one.instance_dir == Settings(cluster=("h2:47500", "h1:47500")).instance_dir
    assert one.instance_dir != Settings(cluster="h1:47500", namespace="x").instance_dir
    assert Settings(cluster="h1", instance="/x/y").instance_dir == Path("/x/y")
    assert one.effective_durability == "process"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("durability", "maybe"), ("heap_mb", 1), ("heap_mb", True), ("heap_mb", "many"), ("namespace", ""),
        ("namespace", "a b"), ("cluster", "a b"), ("cluster", 5), ("call_timeout_seconds", float("nan")),
        ("call_timeout_seconds", -1), ("result_expires_seconds", 0), ("max_deliveries", 0), ("inline_limit", 1 << 20),
        ("max_payload_bytes", 5), ("accept_content", ()), ("accept_content", "xml"), ("task_serializer", "xml"),
        ("signing_key", b"short"), ("data_dir", ""), ("data_dir", 5), ("gateway_port", 70000), ("log_level", "loud"),
        ("backups", -1), ("default_queue", "a/b"), ("java", ""),
    ],
)  # fmt: skip
def test_bad_values_name_the_setting_and_what_is_allowed(name, value):
    with pytest.raises(ConfigurationError, match=f"{name} must"):
        Settings(**{name: value})


def test_serializer_must_be_accepted():
    with pytest.raises(ConfigurationError, match="accept_content"):
        Settings(task_serializer="pickle")


def test_unknown_setting_and_bad_variable(monkeypatch):
    with pytest.raises(ConfigurationError, match="unknown setting 'heap'"):
        Settings.from_env(heap=5)
    monkeypatch.setenv("IGNITETASKS_HEAP_MB", "lots")
    with pytest.raises(ConfigurationError, match="IGNITETASKS_HEAP_MB must be a number"):
        Settings.from_env()
    monkeypatch.delenv("IGNITETASKS_HEAP_MB")
    monkeypatch.setenv("IGNITETASKS_LOG_JSON", "perhaps")
    with pytest.raises(ConfigurationError, match="IGNITETASKS_LOG_JSON"):
        Settings.from_env()


def test_signing_key_is_never_shown():
    assert "secretsecretsecret" not in repr(Settings(signing_key="secretsecretsecret"))
    with pytest.raises(ConfigurationError) as caught:
        Settings(signing_key="tiny")
    assert "tiny" not in str(caught.value)


def test_signing_key_of_the_instance(tmp_path):
    settings = Settings(data_dir=tmp_path)
    assert load_signing_key(settings) is None
    (tmp_path / "secret.json").write_text(json.dumps({"signing_key": "ab" * 32}))
    assert load_signing_key(settings) == b"\xab" * 32
    assert load_signing_key(Settings(data_dir=tmp_path, signing_key=b"k" * 16)) == b"k" * 16
    (tmp_path / "secret.json").write_text("{")
    assert load_signing_key(settings) is None


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "ü", None, 5])
def test_queue_names(name):
    assert check_queue("mail.high-1:@_") == "mail.high-1:@_"
    with pytest.raises(ConfigurationError, match="queue must be"):
        check_queue(name)
