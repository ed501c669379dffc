"""Moving a project from Celery: what is the same, what is better, what is gone; and a reader of projects.

Nothing here runs in a worker or a client. Must not import the project it reads.
"""

from ignitetasks.migration.catalog import ENTRIES, find, setting_named
from ignitetasks.migration.entry import Entry, Kind, Verdict

__all__ = ["ENTRIES", "Entry", "Kind", "Verdict", "find", "setting_named"]
