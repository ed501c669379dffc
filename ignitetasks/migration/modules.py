"""Celery's modules, and names in them that became something else than their module did; and what became of each.

Data only.
"""

from __future__ import annotations

from ignitetasks.migration.entry import BETTER, GONE, SAME, Entry, rows

MODULES: tuple[Entry, ...] = (
    *rows(
        "module",
        "Modules",
        (
            "celery / celery.app / celery.app.base / celery.app.task / celery.app.registry / celery.app.defaults / "
            "celery.app.control / celery.app.events / celery.app.log / celery.app.utils",
            SAME,
            "",
        ),
        ("celery.canvas / celery.result / celery.schedules / celery.beat / celery.signals / celery.states", SAME, ""),
        (
            "celery.exceptions",
            BETTER,
            "A task's exception comes back as its own class, whatever its arguments; `RemoteError` stands for one "
            "that is not here. `Ignore` and `Reject` end a task as IGNORED and REJECTED, also for who waits; "
            "a state told before `Ignore` stays.",
        ),
        ("celery.local / celery.registry / celery.app.autoretry / celery.app.builtins", SAME, ""),
        (
            "celery.version_info / celery.version_info_t / celery.VERSION_BANNER / celery.SERIES / celery.__author__ / "
            "celery.__contact__ / celery.__homepage__ / celery.__docformat__",
            GONE,
            "This package has a version of its own, `__version__`: take out comparisons with Celery's.",
        ),
        ("celery.exceptions.CeleryCommandException", GONE, "Raise `click.ClickException`."),
        (
            "celery.app.AppPickler / celery.app.enable_trace / celery.app.disable_trace",
            GONE,
            "An application is found by its module where it is needed; nothing traces which one is used.",
        ),
        (
            "celery.app.push_current_task / celery.app.pop_current_task",
            GONE,
            "Use `Task.push_request` and `Task.pop_request`.",
        ),
        ("celery.app.amqp", BETTER, "Only the view of the queues is there."),
        ("celery.app.amqp.task_message", GONE, "Tasks travel as records of the node's own format."),
        (
            "celery.app.backends",
            GONE,
            "There is one store of results: none is chosen or added by name. Take the registration out.",
        ),
        (
            "celery.app.defaults.NAMESPACES / celery.app.defaults.Option / celery.app.defaults.flatten / "
            "celery.app.defaults.find",
            GONE,
            "`ignitetasks.app.defaults.DEFAULTS` has the settings and their defaults.",
        ),
        ("celery.app.utils.find_app", GONE, "Import the application from its module."),
        ("celery.app.utils.filter_hidden_settings", GONE, "`app.conf.table()` leaves passwords and keys out."),
        (
            "celery.app.builtins.add_backend_cleanup_task",
            GONE,
            "The node deletes results when they expire: leave it out.",
        ),
        (
            "celery.app.trace",
            BETTER,
            "The layouts of a worker's lines: `LOG_RECEIVED`, `LOG_SUCCESS`, `LOG_FAILURE`, `LOG_REJECTED`, "
            "`LOG_IGNORED`, `LOG_RETRY`. Log files leave out values anyway (`log_values`). There is no `build_tracer`.",
        ),
        (
            "celery.utils / celery.utils.log / celery.utils.time / celery.utils.functional",
            SAME,
            "The documented names.",
        ),
        ("celery.utils.nodenames / celery.utils.text / celery.utils.imports", SAME, "The documented names."),
        ("celery.utils.term / celery.utils.iso8601", SAME, "`colored`, and `parse_iso8601`."),
        ("celery.events / celery.events.receiver / celery.events.state / celery.events.dispatcher", SAME, ""),
        (
            "celery.events.event_exchange / celery.events.get_exchange / celery.events.event.event_exchange / "
            "celery.events.event.get_exchange",
            GONE,
            "Events are a feed of the node, without exchanges: `app.events.Receiver`.",
        ),
        ("celery.worker.control", SAME, "The documented names."),
        ("celery.worker / celery.worker.worker", SAME, "`WorkController`."),
        (
            "celery.worker.request",
            SAME,
            "`Request` and `Context`. Its methods are called where the task runs; `acknowledge` and `reject` have no "
            "broker to tell, and say so.",
        ),
        (
            "celery.worker.state",
            SAME,
            "`active_requests`, `reserved_requests`, `requests`, `total_count`, `revoked`: live views that ask the "
            "worker, not from its own thread. `should_stop` and `should_terminate` can be read; "
            "`app.control.shutdown` stops a worker.",
        ),
        (
            "celery.worker.state.task_reserved / celery.worker.state.task_accepted / celery.worker.state.task_ready / "
            "celery.worker.state.task_scheduled / celery.worker.state.maybe_shutdown / "
            "celery.worker.state.merge_revoked / celery.worker.state.Persistent / "
            "celery.worker.state.scheduled_requests / celery.worker.state.successful_requests / "
            "celery.worker.state.all_total_count / celery.worker.state.revoked_stamps",
            GONE,
            "The node keeps the books of a worker. Use signals, a class of `Request`, and `inspect`.",
        ),
        ("celery.apps.worker / celery.apps.beat", SAME, "`Worker` and `Beat`."),
        ("celery.concurrency", GONE, "Pools are chosen by name: `worker --pool`. Use signals and `inspect`."),
        ("celery.contrib.abortable / celery.contrib.pytest / celery.contrib.django.task", SAME, ""),
        (
            "celery.contrib.testing.worker / celery.contrib.testing.app / celery.contrib.testing.tasks",
            SAME,
            "The worker runs in the test's process.",
        ),
        (
            "celery.contrib.testing.manager / celery.contrib.testing.mocks",
            SAME,
            "`TaskMessage1` is gone: there is one form of a message.",
        ),
        ("celery.contrib.testing.mocks.TaskMessage1", GONE, "There is one form of a message: `TaskMessage`."),
        (
            "celery.loaders / celery.loaders.base / celery.loaders.app",
            SAME,
            "A loader imports what the application names; it does not read settings.",
        ),
        (
            "celery.loaders.default",
            GONE,
            "No settings are read unasked: `app.config_from_object('celeryconfig')`, or `ignitetasks --config`.",
        ),
        (
            "celery.platforms",
            SAME,
            "Exit codes, `signals`, `Pidfile`, `create_pidlock`, `maybe_drop_privileges` and their like; a worker may "
            "run as root, so `C_FORCE_ROOT` is not needed.",
        ),
        (
            "celery.platforms.C_FORCE_ROOT",
            GONE,
            "A worker may run as root: leave it out.",
        ),
        (
            "celery.platforms.detached / celery.platforms.DaemonContext",
            GONE,
            "Use `ignitetasks worker --detach`, or a service manager.",
        ),
        (
            "celery.backends.base",
            BETTER,
            "A view of the results; nothing derives from it, and none is a `DisabledBackend`.",
        ),
        (
            "celery.backends",
            GONE,
            "There is one store of results. Keep what your backend added in a task, a signal or an Ignite cache.",
        ),
        (
            "celery.bootsteps",
            SAME,
            "`Step` and `StartStopStep`, with `worker.timer`, `worker.pool`, `worker.app`, `worker.hostname`. There is "
            "no `Blueprint`, and nothing for a `ConsumerStep` to read.",
        ),
        (
            "celery.bootsteps.Blueprint",
            GONE,
            "A worker's own parts are not exchangeable: add steps to `app.steps`.",
        ),
        (
            "celery.bootsteps.ConsumerStep",
            GONE,
            "Read a broker's messages in a program of your own, which sends tasks.",
        ),
        (
            "celery.worker.components",
            SAME,
            "`Timer`, `Pool`, `Beat` and `Consumer`, for `requires`; there is no `Hub`.",
        ),
        (
            "celery.worker.components.Hub",
            GONE,
            "There is no event loop to be added to; use worker.timer, or a thread of your own.",
        ),
        ("celery.worker.components.StateDB", GONE, "Revokes are state of the cluster: nothing is kept in a file."),
        (
            "celery.worker.consumer / celery.worker.strategy",
            GONE,
            "The worker has no exchangeable inner parts. Use steps, signals or custom control commands.",
        ),
        ("celery.concurrency.asynpool", GONE, "A child may take as long as it needs to start: leave it out."),
        ("celery.security", GONE, "Bodies are not signed with certificates; pickles are signed with `signing_key`."),
        (
            "celery.contrib.migrate",
            GONE,
            "Tasks are not moved between brokers or queues. Let the old workers drain their queues; here, let a worker "
            "take from one more queue (`app.control.add_consumer`).",
        ),
        (
            "celery.contrib.rdb",
            SAME,
            "`set_trace`, `debugger` and `Rdb`; SIGUSR2 opens a session where CELERY_RDBSIG is set.",
        ),
        (
            "celery.contrib.rdb.CELERY_RDB_HOST / celery.contrib.rdb.CELERY_RDB_PORT",
            GONE,
            "The variables of the environment are read when a debugger is opened.",
        ),
        ("celery.contrib.sphinx", SAME, "With `autotask`, the role `task` and `celery_task_prefix`."),
        ("celery.utils.debug", SAME, "Memory is read without psutil."),
        ("celery.utils.serialization", SAME, "`strtobool` and `jsonify`."),
        (
            "celery.utils.serialization.UnpickleableExceptionWrapper",
            GONE,
            "An exception that cannot be pickled comes back as its own class where that can be imported.",
        ),
        ("celery.utils.collections", SAME, "`AttributeDict`, `DictAttribute` and `ChainMap`."),
        ("celery.utils.graph / celery.utils.saferepr", SAME, "`DependencyGraph`, and `saferepr`."),
        ("celery.utils.threads", SAME, "`LocalStack`."),
        (
            "celery.utils.timer2 / celery.utils.sysinfo / celery.utils.annotations / celery.utils.deprecated / "
            "celery.utils.objects",
            GONE,
            "Inner parts of Celery. Use the standard library.",
        ),
        ("celery.bin.celery", SAME, "The group of commands, of click, and `main`."),
        (
            "celery.bin.worker / celery.bin.beat",
            SAME,
            "The commands, of click; `app.worker_main` starts a worker too.",
        ),
        ("celery.bin.celery.report", GONE, "`app.bugreport()` returns the text."),
        (
            "celery.bin.base.CeleryDaemonCommand / celery.bin.base.DaemonOption / celery.bin.base.JsonArray / "
            "celery.bin.base.JsonObject / celery.bin.base.ISO8601DateTime / celery.bin.base.ISO8601DateTimeOrFloat / "
            "celery.bin.base.handle_remote_command_error / celery.bin.worker.Autoscale / "
            "celery.bin.worker.CeleryBeat / celery.bin.worker.Hostname / celery.bin.worker.WorkersPool / "
            "celery.bin.worker.detach",
            GONE,
            "Use options and types of click.",
        ),
        (
            "celery.bin.base",
            SAME,
            "`CeleryCommand`, `CeleryOption`, `CommaSeparatedList`, `LogLevel`, `CLIContext`. Commands of packages are "
            "found by entry points of the group `ignitetasks.commands`.",
        ),
        ("celery.bin", GONE, "The command line is click's: `ignitetasks.cli`. Call `app.worker_main` or a process."),
        ("celery.apps.multi", GONE, "Use `ignitetasks multi`, systemd or supervisor."),
        ("celery.fixups", GONE, "The Django part is in `ignitetasks.contrib.django`."),
        ("celery.concurrency.gevent / celery.concurrency.eventlet", GONE, "Use `--pool asyncio` or `--pool threads`."),
        ("celery.task / celery.decorators / celery.five", GONE, "They were gone in Celery 5: use `app.task`."),
    ),
)
