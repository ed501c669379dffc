"""Says whether a run was right: what was expected, what was found, one line each.

Compares against what the tasks have counted themselves and what scikit-learn says here. Must not print.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import data
import executions
import models
import numpy as np
from steps import Story


@dataclass(frozen=True)
class Check:
    """One thing that must be so."""

    what: str
    expected: object
    found: object

    @property
    def right(self) -> bool:
        """True when it is so."""
        return self.expected == self.found


def check_models(story: Story, estimators: Mapping[str, Any], tenants: int) -> list[Check]:
    """Checks that every model is there, and still as good as its task said."""
    same = 0
    for one in story.trained:
        split = data.split(one.tenant, story.source)
        same += models.accuracy(estimators[one.id], split.test_x, split.test_y) == one.accuracy
    expected = tenants * len(models.KINDS)
    return [
        Check("models trained", expected, len(story.trained)),
        Check("models read back by id after kill -9 of the JVM, with the same accuracy", expected, same),
    ]


def check_stream(story: Story, estimators: Mapping[str, Any]) -> list[Check]:
    """Checks the scores of both sendings, and that the second made nothing new."""
    first, second, total = story.first, story.second, len(story.stream)
    right = 0
    for one, found in zip(story.stream, first.scores, strict=True):
        wanted = models.scores(estimators[one.call[3]], np.array([one.call[4]]))[0]
        right += bool(np.isclose(found, wanted, rtol=0, atol=1e-9))
    same = (first.ids, first.scores) == (second.ids, second.scores)
    return [
        Check("transactions acknowledged, each under an id of its own", total, len(set(first.ids))),
        Check("scores equal to those computed here", total, right),
        Check("transactions created at the second sending", 0, total - len(second.existing)),
        Check("second sending gave the same ids and scores", True, same),
    ]


def check_executions(
    story: Story,
    before: Sequence[executions.Execution],
    after: Sequence[executions.Execution],
    killed: set[int],
) -> list[Check]:
    """Checks the tasks' own count.

    Args:
        story: What was to run.
        before: Executions when the first sending was over.
        after: Executions at the end.
        killed: Children this run has killed.
    """
    keys, counted = set(story.keys), executions.counts(after)
    return [
        Check("tasks that ran at least once, by their own count", len(keys), len(counted.keys() & keys)),
        Check("executions of anything else", 0, len(counted.keys() - keys)),
        Check("executions during the second sending", 0, len(after) - len(before)),
        Check("repeated executions no kill explains", 0, len(executions.unexplained(after, killed))),
    ]


def check_ledger(states: Mapping[str, int], expected: int) -> list[Check]:
    """Checks that every record of this run has ended well."""
    return [Check("records in the ledger by state", {"SUCCESS": expected}, dict(states))]
