"""Environment variables that Celery's documents name, and what became of them. Data only."""

from __future__ import annotations

from ignitetasks.migration.entry import GONE, SAME, Entry, rows

_NO_BROKER = (
    "There is no broker: the node starts by itself, and IGNITETASKS_CLUSTER or IGNITETASKS_DATA_DIR names another."
)
#: What is said of variables that the command itself does not read.
SCRIPTS = "Read by scripts and unit files around Celery's command, not by the command: look at what uses it."

VARIABLES: tuple[Entry, ...] = (
    *rows(
        "variable",
        "Environment variables",
        ("REMAP_SIGTERM", SAME, "SIGQUIT makes a worker take SIGTERM for it."),
        ("AUTOSCALE_KEEPALIVE", SAME, ""),
        (
            "CELERY_RDBSIG / CELERY_RDB_HOST / CELERY_RDB_PORT",
            SAME,
            "Also under names that begin with IGNITETASKS_ in place of CELERY_.",
        ),
        ("CELERY_CONFIG_MODULE", SAME, "Read where the application names it: `config_from_envvar`."),
        (
            "CELERY_BROKER_URL / CELERY_BROKER_READ_URL / CELERY_BROKER_WRITE_URL / CELERY_CACHE_BACKEND",
            GONE,
            _NO_BROKER,
        ),
        ("CELERY_RESULT_BACKEND", GONE, "There is no separate result backend. Remove it."),
        ("CELERY_LOADER", GONE, "Give the application its loader: `IgniteTasks(loader=...)`."),
        ("CELERY_TRACE_APP", GONE, "Nothing depends on which application is the current one in secret. Remove it."),
        ("CELERY_SKIP_CHECKS", GONE, "Set IGNITETASKS_SKIP_CHECKS."),
        (
            "CELERY_CUSTOM_WORKER_POOL",
            GONE,
            "Pools are not exchangeable: prefork, threads, solo and asyncio.",
        ),
        (
            "CELERY_WORKER_REVOKES_MAX / CELERY_WORKER_REVOKE_EXPIRES",
            GONE,
            "Revokes are state of the cluster and live as long as the record of their task. Remove it.",
        ),
        (
            "CELERY_WORKER_SUCCESSFUL_MAX / CELERY_WORKER_SUCCESSFUL_EXPIRES",
            GONE,
            "The end of a task is in its record; no worker remembers it. Remove it.",
        ),
        ("C_FORCE_ROOT", GONE, "Workers run as root where they are started so; pickles are signed. Use `--uid`."),
        ("C_FAKEFORK", GONE, "Leave out `--detach` to see what a worker says."),
        (
            "CELERY_APP / CELERY_BIN / CELERYD_NODES / CELERYD_OPTS / CELERYD_CHDIR / CELERYD_USER / CELERYD_GROUP / "
            "CELERYD_PID_FILE / CELERYD_LOG_FILE / CELERYD_LOG_LEVEL / CELERYD_SU_ARGS / CELERYBEAT_OPTS / "
            "CELERYBEAT_CHDIR / CELERYBEAT_USER / CELERYBEAT_GROUP / CELERYBEAT_PID_FILE / CELERYBEAT_LOG_FILE / "
            "CELERYBEAT_LOG_LEVEL / CELERY_CREATE_DIRS / CELERY_CREATE_RUNDIR / CELERY_CREATE_LOGDIR",
            SAME,
            SCRIPTS,
        ),
    ),
)
