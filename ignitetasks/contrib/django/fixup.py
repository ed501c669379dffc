"""Makes an app fit into a Django project: set up before tasks are imported, connections closed around tasks.

Installed by the app itself where ``DJANGO_SETTINGS_MODULE`` is set. What costs something per task is connected only
in a process that runs tasks. Must not be imported where Django is not used.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

import django
from django.apps import apps
from django.core.checks import run_checks
from django.core.signals import setting_changed
from django.db import close_old_connections, connections

from ignitetasks import signals
from ignitetasks.app.base import IgniteTasks
from ignitetasks.app.task import Task
from ignitetasks.contrib.django.task import DjangoTask

SKIP_CHECKS = "IGNITETASKS_SKIP_CHECKS"
# Kept for the life of a child: a driver's object that dies says goodbye to the server, on the parent's behalf.
_inherited: list[Any] = []


def install(app: IgniteTasks) -> None:
    """Fits an app into the Django project of this process.

    Args:
        app: An app that has no tasks yet. Its tasks become `DjangoTask` unless it names a class of its own.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    if app.task_cls is Task:
        app.task_cls = DjangoTask
    signals.import_modules.connect(_set_up, sender=app, weak=False)
    setting_changed.connect(_follow(app), weak=False)
    signals.worker_init.connect(_around_tasks, weak=False, dispatch_uid="ignitetasks.contrib.django")


def _follow(app: IgniteTasks) -> Callable[..., None]:
    """Makes the receiver by which an app hears of `override_settings` and its like in tests."""
    known = weakref.ref(app)

    def changed(**_: Any) -> None:
        one = known()
        if one is not None:
            one.conf.read_again()

    return changed


def _set_up(**_: Any) -> None:
    """Sets Django up before task modules, which import models, are imported."""
    if apps.ready:
        return
    django.setup()
    if not os.environ.get(SKIP_CHECKS):
        run_checks()


def _around_tasks(**_: Any) -> None:
    """Connects what a process that runs tasks owes to its database connections."""
    signals.worker_before_create_process.connect(_close_before_fork, weak=False, dispatch_uid=__name__)
    signals.worker_process_init.connect(_forget_inherited, weak=False, dispatch_uid=__name__)
    signals.task_prerun.connect(_close_old, weak=False, dispatch_uid=__name__)
    signals.task_postrun.connect(_close_old, weak=False, dispatch_uid=__name__)


def _close_before_fork(**_: Any) -> None:
    """Closes the parent's connections: two processes on one socket would read each other's answers."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _forget_inherited(**_: Any) -> None:
    """Replaces what a child has inherited all the same, without a word to the server."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            _inherited.append(connection)
            del connections[connection.alias]


def _close_old(**_: Any) -> None:
    """Closes connections that are broken or older than CONN_MAX_AGE; those inside a transaction stay."""
    close_old_connections()
