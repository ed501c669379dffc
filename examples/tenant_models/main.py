"""Models for 24 tenants, a stream of transactions sent twice, two kills in the middle, and every count verified.

    python main.py [--quick] [--csv FILE] [--compare] [--data-dir DIR]

Starts its own worker and node in a temporary data directory and stops both. Exits with 1 when a count is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import checks
import compare
import data
import executions
import steps
import tasks
from crew import Crew
from report import Report

from ignitetasks import control

_CHILDREN = 2


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="train and score on this card-fraud file")
    parser.add_argument("--compare", action="store_true", help="only the timing comparison, with more runs")
    parser.add_argument("--pairs", type=int, metavar="N", help="runs of the comparison (default: 9, with --compare 25)")
    parser.add_argument("--json", action="store_true", help="print the comparison as a line of JSON as well")
    parser.add_argument("--quick", action="store_true", help="fewer tenants and transactions")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="keep everything there (its node gets killed)")
    parser.add_argument("--tenants", type=int, choices=range(1, data.TENANTS + 1), metavar="N", help="1 to 24")
    parser.add_argument("--transactions", type=int, metavar="N", help="for each tenant (default: 100, quick 40)")
    chosen = parser.parse_args(arguments)
    chosen.tenants = chosen.tenants or (6 if chosen.quick else data.TENANTS)
    chosen.transactions = chosen.transactions or (40 if chosen.quick else 100)
    if chosen.transactions < 1 or (chosen.pairs is not None and chosen.pairs < 1):
        parser.error("--transactions and --pairs must be at least 1")
    return chosen


@contextlib.contextmanager
def _data_dir(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="tenant-models-") as folder:
        yield Path(folder)


def _train(report: Report, crew: Crew, tenants: int, source: str, log: Path) -> list[steps.Model]:
    trained, killed, seconds = steps.train_all(crew, tenants, source, log)
    place = f"kill -9 of child {killed.pid} at start {killed.during}"
    report.step(f"trained {len(trained)} models in {seconds:.2f} s; {place}")
    return trained


def _stream(report: Report, crew: Crew, trained: list[steps.Model], options: Any, source: str, log: Path) -> Any:
    best = steps.best_models(trained)
    # Keys of their own for each run: with --data-dir the records of earlier runs are still there.
    stream = steps.make_stream(uuid.uuid4().hex, best, source, options.transactions)
    first, killed = steps.send_and_kill_node(crew, stream, log)
    report.step(
        f"scored {len(stream):,} transactions in {first.seconds:.2f} s; kill -9 of JVM {killed.pid} at start "
        f"{killed.during}, and the second half was durable {killed.seconds:.2f} s later"
    )
    before = executions.read(log)
    second = steps.send(stream)
    report.step(f"sent all of them again in {second.seconds:.2f} s: {len(second.existing):,} were there already")
    return steps.Story(source, trained, best, stream, first, second), before


def _check(story: steps.Story, before: Any, crew: Crew, log: Path, tenants: int) -> list[checks.Check]:
    estimators = steps.read_models(story.trained)
    ids = {one.id for one in story.trained} | set(story.first.ids)
    with contextlib.closing(control.connect(tasks.app.settings, start=False)) as transport:
        names = [name for name, _ in control.TASK_COLUMNS]
        place, state = names.index("id"), names.index("state")
        states = Counter(row[state] for row in control.records(transport) if row[place] in ids)
    return [
        *checks.check_models(story, estimators, tenants),
        *checks.check_stream(story, estimators),
        *checks.check_executions(story, before, executions.read(log), crew.killed),
        *checks.check_ledger(states, len(ids)),
    ]


def _compare(options: argparse.Namespace) -> list[compare.Comparison]:
    usual = 25 if options.compare else 3 if options.quick else 9
    return compare.compare(options.pairs or usual, _CHILDREN)


def _run(options: argparse.Namespace, folder: Path, report: Report) -> list[checks.Check]:
    source, log = "bundled", folder / f"executions-{uuid.uuid4().hex[:8]}.log"
    if options.csv is not None:
        folder.mkdir(parents=True, exist_ok=True)
        source = data.convert_csv(options.csv, folder / "transactions.npy")
        report.step(f"read {options.csv}")
    tasks.app.configure(data_dir=folder)
    with Crew(tasks.app, _CHILDREN, {executions.VARIABLE: str(log)}) as crew:
        tasks.hello.delay().get(timeout=60)
        report.step(f"node and worker with {_CHILDREN} children are up")
        if options.compare:
            report.comparison(_compare(options), options.json)
            return []
        trained = _train(report, crew, options.tenants, source, log)
        story, before = _stream(report, crew, trained, options, source, log)
        found = _check(story, before, crew, log, options.tenants)
        compared = _compare(options)
        report.step("compared training as a task with training as a call")
        found.append(checks.Check("exit code of the worker after SIGTERM", 0, crew.stop()))
        report.tenants(story, Counter(int(one.key.split()[1]) for one in executions.read(log)))
        report.comparison(compared, options.json)
        report.checks(found)
        return found


def main(arguments: list[str] | None = None) -> int:
    """Runs the demonstration; returns the exit code."""
    options, report = _options(arguments), Report()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    with _data_dir(options.data_dir) as folder:
        try:
            found = _run(options, folder, report)
        except data.FileError as error:
            print(f"main.py: {error}", file=sys.stderr)
            return 2
    wrong = sum(not one.right for one in found)
    if not options.compare:
        report.verdict(wrong, str(options.data_dir) if options.data_dir else None)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
