"""A project as people write them for Celery, with the imports changed; used by test_celery_project."""

from __future__ import annotations

import os
from pathlib import Path

from ignitetasks import IgniteTasks, signals

app = IgniteTasks("shop_project", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")
app.config_from_object("shop_project.settings", namespace="CELERY")
app.autodiscover_tasks(["shop_project.orders"])


def note(*words: object) -> None:
    """Adds a line to the file that the test reads."""
    with Path(os.environ["SHOP_LOG"]).open("a", encoding="utf-8") as file:
        file.write(" ".join(map(str, words)) + "\n")


@app.on_after_finalize.connect
def complete(sender, **_):
    note("finalized", sender.name, "shop_project.orders.tasks.total" in sender.tasks)


@signals.celeryd_init.connect
def init(sender, conf, **_):
    note("celeryd_init", sender, conf.task_default_queue)


@signals.worker_ready.connect
def ready(sender, **_):
    note("worker_ready", os.getpid())


@signals.worker_process_init.connect
def child(**_):
    note("worker_process_init", os.getpid())


@signals.worker_process_shutdown.connect
def child_over(pid, exitcode, **_):
    note("worker_process_shutdown", pid, exitcode)


@signals.worker_shutting_down.connect
def leaving(sender, how, **_):
    note("worker_shutting_down", how)


@signals.worker_shutdown.connect
def over(**_):
    note("worker_shutdown", os.getpid())


@signals.task_prerun.connect
def before(sender, task_id, task, args, kwargs, **_):
    note("prerun", sender.name, task_id, args, kwargs)


@signals.task_postrun.connect
def after(sender, task_id, state, retval, **_):
    note("postrun", sender.name, task_id, state)


@signals.task_failure.connect(sender="shop_project.orders.tasks.divide")
def failed(task_id, exception, traceback, einfo, **_):
    note("failure", task_id, exception, traceback is not None, einfo.type.__name__)


@signals.task_unknown.connect
def unknown(name, **_):
    note("unknown", name)
