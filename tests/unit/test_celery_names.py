"""The catalogue has every name that Celery's documents have, so that the page about moving answers for each."""

from __future__ import annotations

import pytest
from celery_names import COMMANDS, EVENTS, MEMBERS, OLD_SETTINGS, REMOTE, SETTINGS, SIGNALS, VARIABLES

from ignitetasks.migration import ENTRIES, setting_named
from ignitetasks.worker.panel import Panel

KNOWN = {(entry.kind, entry.name): entry for entry in ENTRIES}


@pytest.mark.parametrize(
    ("kind", "names"),
    [("setting", SETTINGS), ("signal", SIGNALS), ("event", EVENTS), ("variable", VARIABLES)],
)
def test_names(kind: str, names: str) -> None:
    wanted = names.split()
    assert [name for name in wanted if (kind, name) not in KNOWN] == []


def test_settings_before_their_present_names() -> None:
    assert [name for name in OLD_SETTINGS.split() if setting_named(name) is None] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str) -> None:
    whole = f"celery {command}".strip()
    assert command == "" or whole in ("celery list bindings",) or ("command", whole) in KNOWN
    lost = [option for option in COMMANDS[command].split() if ("command", f"{whole} {option}") not in KNOWN]
    assert lost == []


@pytest.mark.parametrize("kind", REMOTE)
def test_remote_commands(kind: str) -> None:
    """Each is answered for by a method of the same name; those that are here are commands, too."""
    prefix = kind.capitalize()
    lost = [name for name in REMOTE[kind].split() if ("call", f"{prefix}.{name}") not in KNOWN]
    assert lost == []
    gone = {name for name in REMOTE[kind].split() if KNOWN["call", f"{prefix}.{name}"].verdict == "gone"}
    from_cluster = {"revoke", "revoke_by_stamped_headers", "terminate", "rate_limit", "scheduled", "revoked"}
    assert set(REMOTE[kind].split()) - gone - from_cluster <= set(Panel.meta)


@pytest.mark.parametrize("holder", MEMBERS)
def test_members(holder: str) -> None:
    assert [name for name in MEMBERS[holder].split() if ("call", f"{holder}.{name}") not in KNOWN] == []
