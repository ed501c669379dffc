"""Runs every example as a user would: as a program, on a real embedded node in a private data directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ignitetasks import Settings, jvm

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_SETTING_VARIABLES = "IGNITETASKS_"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs one example to its end; the node it leaves behind is stopped afterwards."""
    data_dir = tmp_path / "data"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SETTING_VARIABLES)}
    # Which Java and jar to use is the machine's business, not the example's.
    environment |= {name: os.environ[name] for name in ("IGNITETASKS_JAVA", "IGNITETASKS_JAR") if name in os.environ}
    environment |= {"IGNITETASKS_DATA_DIR": str(data_dir), "PYTHONWARNINGS": "default"}

    def example(name: str, *arguments: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "main.py", *arguments],
            cwd=_EXAMPLES / name,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    try:
        yield example
    finally:
        jvm.stop(Settings(data_dir=data_dir))


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("quickstart", (), "add.delay(2, 3).get() = 5"),
        ("idempotency", (), "verified: nothing ran twice"),
        ("retries", (), "verified"),
        ("large_results", ("--megabytes", "5"), "verified: every byte is the same"),
    ],
)
def test_small_example_runs_and_verifies_itself(run: Run, name: str, arguments: tuple[str, ...], said: str) -> None:
    done = run(name, *arguments)

    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("name", "framework"), [("django_shop", "django"), ("flask_app", "flask"), ("fastapi_app", "fastapi")]
)
def test_web_framework_sends_tasks_to_a_worker_of_its_own(run: Run, name: str, framework: str) -> None:
    pytest.importorskip(framework)

    done = run(name, timeout=150)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "verified" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_tenant_demo_counts_right_although_child_and_jvm_are_killed(run: Run) -> None:
    done = run("tenant_models", "--quick", timeout=200)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything is right" in done.stdout
    assert "kill -9 of child" in done.stdout
    assert "kill -9 of JVM" in done.stdout
    assert "SYNTHETIC" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_tenant_demo_takes_the_card_fraud_file(run: Run, tmp_path: Path) -> None:
    file = _card_file(tmp_path / "cards.csv", rows=2_400)

    done = run("tenant_models", "--quick", "--pairs", "1", "--csv", str(file), timeout=200)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "card transactions" in done.stdout
    assert "everything is right" in done.stdout


def test_tenant_demo_refuses_a_file_of_another_layout(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")

    done = run("tenant_models", "--csv", str(file))

    assert done.returncode == 2
    assert "needed are Time, V1 to V28, Amount, Class" in done.stderr
    assert "Traceback" not in done.stderr


def _card_file(path: Path, rows: int) -> Path:
    """Writes a file in the layout of the public card-fraud set, its class quoted as there."""
    chance = np.random.default_rng(5)
    labels = (np.arange(rows) // 24 % 10 == 0).astype(int)
    values = chance.normal(size=(rows, 28)) + labels[:, None]
    header = ",".join(f'"{name}"' for name in ("Time", *(f"V{number}" for number in range(1, 29)), "Amount", "Class"))
    lines = [
        ",".join([str(row), *(f"{value:.6f}" for value in values[row]), f"{row % 90}.5", f'"{labels[row]}"'])
        for row in range(rows)
    ]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path
