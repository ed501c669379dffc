"""Celery's signals, events and commands, and the packages beside it; and what became of each.

Data only.
"""

from __future__ import annotations

from ignitetasks.migration.entry import BETTER, GONE, SAME, Entry, rows
from ignitetasks.migration.modules import MODULES

_NO_EFFECT = "Taken, and said to have no effect."
_NO_GOSSIP = "Workers do not talk to each other: there is no gossip or mingle to switch off. Leave it out."


def _options(command: str, words: str) -> str:
    """Returns words behind a command, each written out."""
    return " / ".join(f"celery {command} {word}" for word in words.split())


SIGNALS: tuple[Entry, ...] = (
    *rows(
        "signal",
        "Signals",
        (
            "before_task_publish / after_task_publish",
            SAME,
            "Of the body of a chord the client tells, which stores it with the header; of repeats and next steps the "
            "child that runs the task.",
        ),
        (
            "task_prerun / task_postrun / task_success / task_failure / task_retry / task_revoked / task_rejected / "
            "task_received / task_unknown / task_internal_error",
            SAME,
            "",
        ),
        ("import_modules / setup_logging / after_setup_logger / after_setup_task_logger", SAME, ""),
        ("celeryd_init / celeryd_after_setup", SAME, ""),
        ("worker_init / worker_ready / worker_shutting_down / worker_shutdown", SAME, ""),
        ("worker_process_init / worker_process_shutdown / worker_before_create_process", SAME, ""),
        ("heartbeat_sent", SAME, ""),
        ("beat_init / beat_embedded_init", SAME, ""),
        ("user_preload_options", SAME, "Sent for every command of an application."),
        (
            "eventlet_pool_started / eventlet_pool_preshutdown / eventlet_pool_postshutdown / eventlet_pool_apply",
            GONE,
            "There is no eventlet pool. Use `--pool asyncio` or `--pool threads`.",
        ),
        ("task_sent", GONE, "Use after_task_publish."),
    ),
    *rows(
        "event",
        "Events",
        (
            "task-sent / task-received / task-started / task-succeeded / task-failed / task-retried / task-revoked / "
            "task-rejected",
            BETTER,
            "Durable and in one order; a reader can resume after a cursor.",
        ),
        (
            "worker-online / worker-heartbeat / worker-offline",
            BETTER,
            "Durable and in one order, also without `-E`. Heartbeats are sent while somebody reads the feed.",
        ),
    ),
)

COMMANDS: tuple[Entry, ...] = (
    *rows(
        "command",
        "Command line: all commands",
        ("celery -A / celery --app / celery --workdir / celery -C / celery --no-color", SAME, ""),
        ("celery -q / celery --quiet / celery --version", SAME, ""),
        ("celery -b / celery --broker", GONE, "There is no broker. Use `--cluster` or `--data-dir`, or leave it out."),
        ("celery --result-backend", GONE, "There is no separate result backend. Leave it out."),
        ("celery --config", SAME, "Also without `-A`: then the tasks are in the modules that the settings import."),
        ("celery --loader", GONE, "Give the application its loader, `IgniteTasks(loader=...)`. " + _NO_EFFECT),
        ("celery --skip-checks", SAME, ""),
    ),
    *rows(
        "command",
        "Command line: worker",
        ("celery worker", SAME, "SIGHUP replaces its children, not the process: for new code start another."),
        ("celery worker -Q / celery worker --queues / celery worker -X / celery worker --exclude-queues", SAME, ""),
        ("celery worker -c / celery worker --concurrency / celery worker -n / celery worker --hostname", SAME, ""),
        ("celery worker -l / celery worker --loglevel", SAME, ""),
        (
            "celery worker -f / celery worker --logfile",
            SAME,
            "A worker has one log, for its children too: `%i` in its name is 0, `%I` nothing.",
        ),
        (
            "celery worker -P / celery worker --pool",
            BETTER,
            "prefork, threads, solo and asyncio; gevent and eventlet are gone.",
        ),
        ("celery worker -E / celery worker --task-events / celery worker --events", SAME, ""),
        ("celery worker --purge / celery worker --discard", SAME, ""),
        ("celery worker --time-limit / celery worker --soft-time-limit", SAME, ""),
        ("celery worker --max-tasks-per-child / celery worker --max-memory-per-child", SAME, ""),
        ("celery worker -I / celery worker --include", SAME, ""),
        ("celery worker --autoscale", SAME, ""),
        ("celery worker -B / celery worker --beat", BETTER, "Any number of workers may have it: each tick fires once."),
        ("celery worker --prefetch-multiplier", SAME, "An upper bound; a worker hoards nothing."),
        ("celery worker --pidfile", SAME, ""),
        (
            "celery worker -s / celery worker --schedule / celery worker --schedule-filename",
            GONE,
            "The schedule is kept by the node. Leave it out.",
        ),
        ("celery worker --scheduler", SAME, "See `beat_scheduler`."),
        ("celery worker -S / celery worker --statedb", GONE, "Revokes are state of the cluster. Leave it out."),
        (
            "celery worker -O / celery worker --optimization",
            GONE,
            "A worker is given what it can start at once: this is the only way it works. Leave it out.",
        ),
        ("celery worker --disable-prefetch", SAME, "One task in hand for each slot."),
        (
            "celery worker --without-gossip / celery worker --without-mingle",
            GONE,
            _NO_GOSSIP,
        ),
        ("celery worker --without-heartbeat", SAME, ""),
        (
            "celery worker --heartbeat-interval",
            GONE,
            "The node watches workers by their connection; the events come each 2 seconds. Leave it out.",
        ),
        ("celery worker --pool-start-method", GONE, "Children are forked. Leave it out."),
        (
            "celery worker -D / celery worker --detach / celery worker --uid / celery worker --gid / "
            "celery worker --umask",
            SAME,
            "",
        ),
        ("celery worker --executable", GONE, "Start it with the Python it is to run in. " + _NO_EFFECT),
    ),
    *rows(
        "command",
        "Command line: other commands",
        (
            "celery beat",
            BETTER,
            "Any number of beats may run: each tick fires once. Schedules can be changed meanwhile.",
        ),
        ("celery beat -l / celery beat --loglevel / celery beat --max-interval", SAME, ""),
        ("celery beat -f / celery beat --logfile / celery beat --pidfile / celery beat --detach", SAME, ""),
        ("celery beat --uid / celery beat --gid / celery beat --umask", SAME, ""),
        (
            "celery beat -s / celery beat --schedule",
            GONE,
            "The schedule is kept by the node. " + _NO_EFFECT,
        ),
        ("celery beat -S / celery beat --scheduler", SAME, "See `beat_scheduler`."),
        (
            "celery beat -n / celery beat --hostname / celery beat --enable-remote-control / celery beat --executable",
            GONE,
            "Any number of beats may run, none has a name, and schedules are changed through the node. " + _NO_EFFECT,
        ),
        ("celery inspect / celery control / celery call / celery purge", SAME, ""),
        (_options("inspect", "--list -t --timeout -d --destination -j --json"), SAME, ""),
        (_options("control", "--list -t --timeout -d --destination -j --json"), SAME, ""),
        (_options("purge", "-f --force -Q --queues -X --exclude-queues"), SAME, ""),
        (
            _options("call", "-a --args -k --kwargs --eta --countdown --expires --serializer --queue"),
            SAME,
            "",
        ),
        (_options("call", "--exchange --routing-key"), GONE, "A queue is a name: use `--queue`. " + _NO_EFFECT),
        ("celery result", SAME, "Shows also state, worker and times."),
        ("celery result --traceback", SAME, ""),
        ("celery result -t / celery result --task", GONE, "A result is found by its id alone. " + _NO_EFFECT),
        (
            "celery status",
            BETTER,
            "Node, queues, workers and tasks; 69 without a worker, as Celery's. `ignitetasks node status` asks for the "
            "node alone.",
        ),
        ("celery status -d / celery status --destination / celery status -j / celery status --json", SAME, ""),
        (
            "celery status -t / celery status --timeout",
            GONE,
            "The node knows its workers, nobody is waited for. " + _NO_EFFECT,
        ),
        ("celery events", BETTER, "The feed is durable: it can be read from a point in the past."),
        (
            "celery events -d / celery events --dump / celery events -c / celery events --camera / celery events -F / "
            "celery events --frequency / celery events --freq / celery events -r / celery events --maxrate",
            SAME,
            "",
        ),
        (
            "celery events --detach / celery events -f / celery events --logfile / celery events --pidfile / "
            "celery events -l / celery events --loglevel / celery events --uid / celery events --gid / "
            "celery events --umask / celery events --executable",
            GONE,
            "Let a service manager run it in the background. " + _NO_EFFECT,
        ),
        ("celery list", SAME, "`list bindings` shows each queue, bound to its own name."),
        ("celery report / celery multi", SAME, ""),
        ("celery shell", SAME, "`app` and `celery` are the application."),
        (_options("shell", "-I --ipython -B --bpython --python -T --without-tasks"), SAME, ""),
        (
            "celery shell --eventlet / celery shell --gevent",
            GONE,
            "There are no such pools. " + _NO_EFFECT,
        ),
        (
            "celery flower",
            GONE,
            "Use `ignitetasks status`, `events`, `sql` and the Prometheus metrics of `worker --metrics-port`.",
        ),
        (
            "celery amqp / "
            + _options(
                "amqp",
                "exchange.declare exchange.delete queue.bind queue.declare queue.delete "
                "queue.purge basic.get basic.publish basic.ack repl",
            ),
            GONE,
            "There is no AMQP. `ignitetasks status` and `ignitetasks sql` look into the node.",
        ),
        (
            "celery migrate / "
            + _options("migrate", "-n --limit -t --timeout -a --ack-messages -T --tasks -Q --queues -F --forever"),
            GONE,
            "Tasks are not moved between brokers. Let the old workers drain their queues first.",
        ),
        (
            "celery graph / celery graph bootsteps / celery graph workers",
            BETTER,
            "`graph workers` draws workers and queues, `graph bootsteps` the steps that an application adds.",
        ),
        (
            "celery logtool / " + _options("logtool", "stats traces errors incomplete debug"),
            SAME,
            "Tasks that succeed are counted where they are logged: `worker -l info`.",
        ),
        (
            "celery upgrade / celery upgrade settings / "
            + _options("upgrade settings", "--django --compat --no-backup"),
            SAME,
            "For a whole project: `ignitetasks migrate check PATH`.",
        ),
    ),
)

PACKAGES: tuple[Entry, ...] = (
    *rows(
        "package",
        "Packages beside Celery",
        (
            "kombu",
            GONE,
            "There is no broker. `Queue` and `Exchange` are in `ignitetasks.app.queues`, `OperationalError` is in "
            "`ignitetasks.exceptions`; a serializer is a setting, `register` of one "
            "of your own is in `ignitetasks.serializers`; in place of a `Broadcast` queue tell every worker with a "
            "control command of your own (`control_command`, `app.control.broadcast`); for anything else talk to your "
            "message broker with a client of its own.",
        ),
        (
            "billiard",
            GONE,
            "Use `multiprocessing` of the standard library. `ExceptionInfo` is in `ignitetasks.failure`, "
            "`WorkerLostError` in `ignitetasks.exceptions`.",
        ),
        ("amqp / vine", GONE, "There is no AMQP connection."),
        (
            "flower",
            GONE,
            "Use `ignitetasks status`, `events`, `sql` and the Prometheus metrics of `worker --metrics-port`.",
        ),
        (
            "django_celery_beat",
            GONE,
            "Its tables are not read: schedules are kept by the node, and can be changed at run time (`app.schedule`, "
            "`ignitetasks schedule`). The page on web frameworks says how to take its rows over. A copy of the package "
            "whose imports are replaced as well runs as it is; then each beat that has its scheduler sends each tick.",
        ),
        (
            "django_celery_results",
            GONE,
            "Results are kept by the node: use AsyncResult, or `ignitetasks sql` for questions over many tasks.",
        ),
        (
            "celery_once / celery_singleton / celery_dedupe",
            GONE,
            "Give the call an `idempotency_key`: the same key is the same task, without locks to leave behind.",
        ),
        (
            "redbeat",
            GONE,
            "Schedules are state of the cluster, with any number of beats. A copy of the package whose imports are "
            "replaced as well runs as it is, with its own Redis.",
        ),
        ("celery_batches", GONE, "Send many calls at once with `task.bulk`, or take a list as argument."),
        (
            "celery_progress",
            GONE,
            "Use `self.update_state`, and hear it: `async for said in result.progress()`.",
        ),
        ("celery_types", GONE, "The package carries its own types."),
        ("tenant_schemas_celery", GONE, "Pass the tenant in `headers=` and set it in `before_start`."),
        ("sentry_sdk.integrations.celery", GONE, "Report from the signals task_failure and task_retry."),
        ("opentelemetry.instrumentation.celery", GONE, "Open spans in the signals task_prerun and task_postrun."),
        ("pytest_celery", GONE, "Use `ignitetasks.contrib.pytest`: no containers are needed."),
    ),
)

SURROUNDINGS: tuple[Entry, ...] = (*SIGNALS, *COMMANDS, *MODULES, *PACKAGES)
