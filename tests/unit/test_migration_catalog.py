"""The catalogue of Celery's interface: each name once, nothing gone without a way out, old spellings found."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ignitetasks.migration import ENTRIES, find, setting_named

ROOT = Path(__file__).resolve().parents[2]


def test_each_name_stands_once() -> None:
    counted = Counter((entry.kind, entry.name) for entry in ENTRIES)
    assert [name for name, count in counted.items() if count > 1] == []


def test_what_is_gone_or_better_says_why_and_what_to_do() -> None:
    silent = [entry.name for entry in ENTRIES if entry.verdict != "same" and not entry.text]
    assert silent == []
    assert [entry.text for entry in ENTRIES if entry.text and not entry.text.endswith(".")] == []


def test_names_are_clean() -> None:
    assert [entry for entry in ENTRIES if entry.name != entry.name.strip() or not entry.name] == []
    assert [entry.name for entry in ENTRIES if entry.kind == "setting" and not entry.name.islower()] == []


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("task_acks_late", "task_acks_late"),
        ("TASK_ACKS_LATE", "task_acks_late"),
        ("CELERY_TASK_ACKS_LATE", "task_acks_late"),
        ("CELERY_ACKS_LATE", "task_acks_late"),
        ("CELERYD_TASK_TIME_LIMIT", "task_time_limit"),
        ("CELERYD_CONCURRENCY", "worker_concurrency"),
        ("CELERYBEAT_SCHEDULE", "beat_schedule"),
        ("BROKER_URL", "broker_url"),
        ("CELERY_BROKER_URL", "broker_url"),
        ("CELERY_TASK_RESULT_EXPIRES", "result_expires"),
        ("CELERY_RESULT_BACKEND", "result_backend"),
        ("CELERY_TIMEZONE", "timezone"),
    ],
)
def test_settings_are_found_by_every_spelling(spelling: str, name: str) -> None:
    entry = setting_named(spelling)
    assert entry is not None
    assert entry.name == name


def test_what_celery_does_not_document_is_not_found() -> None:
    assert setting_named("task_acks_latte") is None
    assert find("call", "Task.nonsense") is None


def test_the_page_is_written_from_the_catalogue() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_migration.py"), "--check"],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
