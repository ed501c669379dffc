"""Shows what happened: a line per step, tables at the end. Must not measure or judge anything."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import data
import models
from checks import Check
from compare import TARGET_MS, Comparison
from rich.console import Console
from rich.table import Table
from steps import Story

# A pipe has no width of its own; the tables need some.
_WIDTH = 150


class Report:
    """The screen."""

    def __init__(self) -> None:
        console = Console(highlight=False)
        self._console = console if console.is_terminal else Console(width=_WIDTH, highlight=False)
        self._start = time.perf_counter()

    def step(self, text: str) -> None:
        """Shows that something is done, with the seconds since the start."""
        self._console.print(f"[dim]{time.perf_counter() - self._start:6.2f} s[/]  {text}")

    def tenants(self, story: Story, deliveries: Mapping[int, int]) -> None:
        """Shows one line per tenant.

        Args:
            story: What happened.
            deliveries: Starts of each tenant's tasks, as they have counted themselves.
        """
        table = Table(title="Tenants", caption="deliveries: starts of this tenant's tasks, counted by the tasks")
        table.add_column("#", justify="right")
        table.add_column("data", no_wrap=True)
        for kind in models.KINDS:
            table.add_column(kind.replace(" ", "\n"), justify="right")
        table.add_column("best model", no_wrap=True)
        for name in ("fit ms\n(3 models)", "scored", "right", "deliveries", "duplicates\navoided"):
            table.add_column(name, justify="right")
        for tenant, chosen in story.best.items():
            own = [one for one in story.trained if one.tenant == tenant]
            places = [place for place, one in enumerate(story.stream) if one.tenant == tenant]
            right = sum((story.first.scores[place] >= 0.5) == story.stream[place].label for place in places)
            table.add_row(
                str(tenant),
                data.split(tenant, story.source).name,
                *(_accuracy(one.accuracy, one is chosen) for one in own),
                chosen.kind,
                f"{sum(one.fit_ms for one in own):.1f}",
                f"{len(places)}",
                f"{right / len(places):.3f}",
                f"{deliveries[tenant]}",
                f"{sum(place in story.second.existing for place in places)}",
            )
        self._console.print(table)

    def comparison(self, rows: Sequence[Comparison], as_json: bool) -> None:
        """Shows what a training costs more as a task; for programs too where that is wanted."""
        shape = f"{data.SYNTHETIC_ROWS:,} x {data.SYNTHETIC_COLUMNS}, {data.SYNTHETIC_POSITIVES:.1%} positives"
        table = Table(
            title=f"Training as a task and as a call: SYNTHETIC data, {shape}; medians in ms",
            caption=f"extra: median of paired differences; at most {TARGET_MS:g} ms are wanted where the child has the "
            "data.\nsent along: the array (1.9 MB) travels with each call, and stays until its record expires.",
        )
        table.add_column("model")
        for name in ("scikit-learn called", "as a task", "extra", "extra, data sent along"):
            table.add_column(name, justify="right")
        for one in rows:
            mark = "green" if one.extra <= TARGET_MS else "yellow"
            extra = f"[{mark}]{one.extra:+.2f}[/]"
            table.add_row(one.kind, f"{one.direct:.2f}", f"{one.task:.2f}", extra, f"{one.extra_sent:+.2f}")
        self._console.print(table)
        if as_json:
            print("RESULT " + json.dumps([asdict(one) for one in rows]), flush=True)

    def checks(self, rows: Sequence[Check]) -> None:
        """Shows what was verified."""
        table = Table(title="Verified")
        table.add_column("what")
        table.add_column("expected", justify="right")
        table.add_column("found", justify="right")
        table.add_column("")
        for one in rows:
            mark = "[green]right[/]" if one.right else "[bold red]WRONG[/]"
            table.add_row(one.what, str(one.expected), str(one.found), mark)
        self._console.print(table)

    def verdict(self, wrong: int, kept: str | None) -> None:
        """Shows the last line, and where the data is if it was kept."""
        if kept is not None:
            self.step(f"data kept in {kept}")
        self.step("[bold green]everything is right[/]" if not wrong else f"[bold red]{wrong} checks are WRONG[/]")


def _accuracy(value: float, chosen: bool) -> str:
    return f"[bold]{value:.3f}[/]" if chosen else f"{value:.3f}"
