"""Measures ignitetasks, and beside it any other task queue, in one run: one JSON line per peer and workload, tables.

    python benchmarks/run.py                                      # ignitetasks alone, or beside nothing
    python benchmarks/run.py --small --runs 1                     # does everything work? a minute or two
    python benchmarks/run.py --peers ignitetasks_power,dramatiq_redis --workloads W1,W2,W3

See README.md. Must not contain workloads: those of all peers are the driver's, ours are in extras.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import extras
import ours

_HERE = Path(__file__).resolve().parent
_USUAL_PEERS = _HERE.parent.parent / "shared" / "bench" / "peers"

Row = dict[str, Any]


def _load_driver(peers_dir: Path | None) -> ModuleType:
    """Imports the driver of the peers' directory, or ours where there is none."""
    folder = peers_dir or (_USUAL_PEERS if _USUAL_PEERS.is_dir() else _HERE / "standalone")
    path = folder / "run.py"
    if not path.is_file():
        raise SystemExit(f"{folder} has no run.py; --peers-dir names the directory of the peers' benchmark")
    # Its files import each other by their plain names; ours must not be found in their place.
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("bench_driver", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} cannot be imported")
    driver = importlib.util.module_from_spec(spec)
    sys.modules["bench_driver"] = driver
    sys.dont_write_bytecode = True  # the peers' directory may be read-only
    spec.loader.exec_module(driver)
    ours.register(driver)
    driver.BETTER.update(extras.BETTER)
    return driver


def _arguments(text: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="names, with commas; default: " + ",".join(ours.names()))
    parser.add_argument("--peers-dir", type=Path, help="directory of the other systems' benchmark (run.py, peer_*.py)")
    parser.add_argument("--workloads", help="W1 to W6, W2L, START, W7, TRAIN; default: W1 to W6, W2L and START")
    parser.add_argument("--runs", type=int, default=3, help="rounds; the best of each is reported (default: 3)")
    parser.add_argument("--small", action="store_true", help="small sizes, to see that everything works")
    parser.add_argument(
        "--quiet",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="before each run wait, a minute at most, until other programs use less than this share of the CPU "
        "(default: 0.2; 1 does not wait)",
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="write all runs to FILE as JSON, tables beside it")
    parser.add_argument("--list", action="store_true", help="list the peers and end")
    return parser.parse_args(text)


def _start_servers(srv: Any, names: list[str]) -> None:
    """Starts what the other systems' peers need; each is there only in the peers' own driver."""
    if others := [name for name in names if not name.startswith(ours.PREFIX)]:
        srv.redis()
        if any(name.endswith("_aof") for name in others):
            srv.redis(aof=True)
    if any("rabbit" in name for name in others):
        srv.rabbit()
    if any("pg" in name for name in others):
        srv.postgres()


def _make_peers(driver: ModuleType, srv: Any, names: list[str]) -> list[Any]:
    return [
        ours.make_peer(driver, name, srv) if name.startswith(ours.PREFIX) else driver.Peer(name, srv) for name in names
    ]


class _Results:
    """All runs so far; printed as they come, and written after each where that is wanted."""

    def __init__(self, driver: ModuleType, file: Path | None) -> None:
        self._driver, self._file = driver, file
        self.runs: dict[str, dict[str, list[Row]]] = {}
        self.settings: dict[str, Any] = {}

    def record(self, peer: Any, w: str, row: Row) -> None:
        """Takes one run."""
        self.runs.setdefault(peer.name, {}).setdefault(w, []).append(row)
        self._driver.log(peer.name, w, json.dumps(row))
        self.save()

    def best(self) -> dict[str, dict[str, Row]]:
        """Returns the best run of each."""
        pick: Callable[..., Row] = self._driver.best
        return {name: {w: pick(w, runs) for w, runs in rows.items()} for name, rows in self.runs.items()}

    def tables(self) -> str:
        """Returns the best runs as Markdown."""
        best = self.best()
        return f"{self._driver.table(best)}\n\n{extras.tables(best)}"

    def save(self) -> None:
        """Writes everything, where that is wanted."""
        if self._file is None:
            return
        facts = self._driver.facts()
        whole = {"machine": facts, "settings": self.settings, "best": self.best(), "runs": self.runs}
        self._file.write_text(json.dumps(whole, indent=1))
        machine = f"{facts['cpu']}, {facts['cores']} cores, {facts['ram_GB']} GB RAM, Linux {facts['kernel']}"
        self._file.with_suffix(".md").write_text(f"{machine}, Python {facts['python']}.\n\n{self.tables()}\n")


def _run(driver: ModuleType, srv: Any, names: list[str], options: argparse.Namespace) -> _Results:
    size = {**driver.SMALL, **extras.SMALL} if options.small else {**driver.SIZE, **extras.SIZE}
    results = _Results(driver, options.save)
    _start_servers(srv, names)
    peers = _make_peers(driver, srv, names)
    results.settings.update({peer.name: peer.settings for peer in peers})
    try:
        for turn in range(options.runs):  # rounds outside: a noisy minute hits one run of a peer, not all
            for peer in peers:
                usual = [*peer.workloads, "W2L", "START"]
                want = options.workloads.split(",") if options.workloads else usual
                driver.log(f"--- round {turn + 1} {peer.name} load {os.getloadavg()[0]:.2f}")
                driver.one_round(peer, want, size, results.record, options.quiet)
                extras.one_round(driver, peer, want, size, results.record, options.quiet)
    finally:
        for peer in peers:
            if hasattr(peer, "close"):
                peer.close()
    return results


def _check(names: list[str], options: argparse.Namespace, driver: ModuleType) -> None:
    known = {*driver.SIZE, *extras.SIZE}
    for name in names:
        if name not in driver.PEERS:
            raise SystemExit(f"there is no peer {name}; there are: {', '.join(driver.PEERS)}")
    for w in options.workloads.split(",") if options.workloads else ():
        if w not in known:
            raise SystemExit(f"there is no workload {w}; there are: {', '.join(sorted(known))}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmark; returns 1 when a run has failed."""
    options = _arguments(arguments)
    driver = _load_driver(options.peers_dir)
    if options.list:
        print("\n".join(driver.PEERS))
        return 0
    names = [name for name in (options.peers or ",".join(ours.names())).split(",") if name]
    _check(names, options, driver)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    srv = ours.make_servers(driver)
    try:
        results = _run(driver, srv, names, options)
    finally:
        srv.stop()
    best = results.best()
    for name, rows in best.items():
        for w, row in rows.items():
            print(json.dumps({"peer": name, "workload": w, **row}))
    print(f"\n{results.tables()}")
    return int(any("error" in row for rows in results.runs.values() for runs in rows.values() for row in runs))


if __name__ == "__main__":
    sys.exit(main())
