"""Every documented class, method and option of Celery's programming interface, and what became of it.

Data only. Names are written as Celery's reference writes them, ``Class.member``; options of a decorator or of
``apply_async`` stand behind their function in brackets.
"""

from __future__ import annotations

from ignitetasks.migration.entry import BETTER, GONE, SAME, Entry, rows

_NO_KOMBU = "There is no message broker behind this, so no connection, channel or producer."

APP: tuple[Entry, ...] = (
    *rows(
        "call",
        "Application",
        (
            "Celery",
            SAME,
            "Also under its own name, `IgniteTasks`. `broker=` and `backend=` are explained once. Arguments behind the "
            "first are given by name; `namespace=` names the instance here: that of settings is an argument of "
            "`config_from_object`.",
        ),
        (
            "Celery.task / shared_task / Celery.register_task",
            SAME,
            "A task is made when it is decorated: there is no proxy to be evaluated.",
        ),
        ("Celery.tasks / Celery.gen_task_name / Celery.finalize", SAME, ""),
        (
            "Celery.main",
            BETTER,
            "Tasks of a script are named after its file, as a worker that imports it names them, whatever the "
            "application is called; in an interpreter it is the application's name.",
        ),
        (
            "Celery.conf",
            BETTER,
            "Lower-case names; an unknown one is refused with the one that was probably meant. Upper-case names of no "
            "setting are the project's constants: kept, and named once where they come near to a setting.",
        ),
        (
            "Celery.config_from_object / Celery.config_from_envvar / Celery.add_defaults",
            SAME,
            "An object that is changed after it was read counts once `conf.read_again()` was called; what was added as "
            "defaults never wins over it.",
        ),
        ("Celery.autodiscover_tasks", SAME, ""),
        ("Celery.send_task / Celery.signature", SAME, ""),
        (
            "Celery.AsyncResult / Celery.GroupResult / Celery.ResultSet",
            SAME,
            "Classes: to call, to derive from, and for isinstance.",
        ),
        ("Celery.config_from_cmdline", SAME, "Also words NAME=VALUE behind the options of `worker` and `beat`."),
        ("Celery.control / Celery.events", SAME, ""),
        (
            "Celery.log",
            SAME,
            "`setup`, `setup_logging_subsystem`, `setup_task_loggers`, `redirect_stdouts`, `get_default_logger`, "
            "`colored`, `supports_color`; a worker's own lines have no colour, and handlers are set up by the logging "
            "signals alone.",
        ),
        ("Celery.backend", SAME, "A view of the results: get_result, get_state, store_result and their like."),
        ("Celery.amqp", BETTER, "`amqp.queues` shows the queues; nothing of it speaks AMQP."),
        ("Celery.current_task / Celery.now / Celery.timezone", SAME, ""),
        ("Celery.add_periodic_task", BETTER, "Also at run time; the entry is kept by the node."),
        ("Celery.on_configure / Celery.on_after_configure / Celery.on_after_finalize / Celery.on_after_fork", SAME, ""),
        ("Celery.set_default / Celery.set_current / Celery.close", SAME, ""),
        ("Celery.start / Celery.worker_main", SAME, ""),
        ("Celery.Task", SAME, ""),
        (
            "Celery.Worker / Celery.WorkController / Celery.Beat",
            SAME,
            "`start`, `stop`, `terminate`, `exitcode`, `pool`, `timer`, `consumer`; `run` and `stop` of a beat.",
        ),
        ("Celery.oid / Celery.thread_oid / Celery.builtin_fixups / Celery.prepare_config", SAME, ""),
        ("current_app / current_task / Celery.bugreport", SAME, ""),
        ("Celery.setup_security", GONE, "There is no auth serializer. Pickles are signed with `signing_key`."),
        (
            "Celery.connection / Celery.connection_for_read / Celery.connection_for_write / "
            "Celery.connection_or_acquire / Celery.broker_connection",
            SAME,
            "The way to the node: `ensure_connection` asks it, `app.events.Receiver` takes it. It has no channels.",
        ),
        (
            "Celery.producer_or_acquire / Celery.pool / Celery.producer_pool",
            SAME,
            "All of them give the one way to the node, which calls share anyhow; a producer publishes nothing.",
        ),
        (
            "Celery.steps",
            SAME,
            "Steps of `worker` and of `consumer`; see `celery.bootsteps`.",
        ),
        ("Celery.user_options", SAME, "Their values reach `user_preload_options`, and `celeryd_init` of a worker."),
        ("Celery.select_queues", SAME, ""),
        ("Celery.loader", SAME, "Also a class of your own, as `loader=`."),
    ),
)

TASK: tuple[Entry, ...] = (
    *rows(
        "call",
        "Task",
        (
            "Task.delay / Task.apply_async / Task.s / Task.si / Task.signature",
            BETTER,
            "Typed: arguments and results carry the function's types, also with `bind=True`.",
        ),
        ("Task.subtask", SAME, ""),
        ("Task.apply", BETTER, "Runs with the rules of a worker: retries, hooks, links and chords."),
        ("Task.run / Task.name / Task.app", SAME, ""),
        ("Task.request", SAME, ""),
        ("Task.retry", SAME, ""),
        ("Task.replace / Task.add_to_chord", BETTER, "Commits with the end of the task, or not at all."),
        (
            "Task.update_state",
            BETTER,
            "Durable, can be awaited by the client, and cheap enough for thousands a second.",
        ),
        ("Task.send_event", SAME, ""),
        ("Task.backend", SAME, ""),
        ("Task.chunks / Task.map / Task.starmap", SAME, ""),
        ("Task.AsyncResult", SAME, ""),
        (
            "Task.before_start / Task.on_success / Task.on_failure / Task.on_retry / Task.after_return / "
            "Task.on_replace / Task.on_bound",
            SAME,
            "",
        ),
        ("Task.shadow_name", SAME, ""),
        ("Task.push_request / Task.pop_request / Task.request_stack", SAME, ""),
        ("Task.signature_from_request", SAME, ""),
        (
            "Task.Request",
            SAME,
            "A class, or its text `module:Class`; told where the task runs, and of processes that died by any worker.",
        ),
        (
            "Task.Strategy / Task.start_strategy",
            GONE,
            "How a worker takes a task is not exchangeable. Use `Task.Request` or the hooks of Task.",
        ),
    ),
    *rows(
        "call",
        "Options of a task",
        ("@task(name) / @task(bind) / @task(base) / @task(shared)", SAME, ""),
        ("@task(typing)", SAME, ""),
        ("@task(pydantic) / @task(pydantic_strict) / @task(pydantic_context) / @task(pydantic_dump_kwargs)", SAME, ""),
        ("@task(autoretry_for) / @task(dont_autoretry_for) / @task(retry_kwargs)", SAME, ""),
        ("@task(max_retries) / @task(default_retry_delay)", SAME, ""),
        ("@task(retry_backoff) / @task(retry_backoff_max) / @task(retry_jitter)", SAME, ""),
        ("@task(throws)", SAME, ""),
        ("@task(rate_limit)", BETTER, "For the whole cluster, not for each worker."),
        ("@task(time_limit) / @task(soft_time_limit)", SAME, ""),
        ("@task(ignore_result) / @task(track_started)", SAME, ""),
        ("@task(store_errors_even_if_ignored)", BETTER, "An error is always kept, only results can be ignored."),
        ("@task(acks_late)", BETTER, "The default is True."),
        (
            "@task(acks_on_failure_or_timeout) / @task(acks_on_failure) / @task(acks_on_timeout)",
            GONE,
            "A task that fails ends as FAILURE. Use autoretry_for or Reject(requeue=True).",
        ),
        ("@task(reject_on_worker_lost)", BETTER, "Always so, at most `max_deliveries` times."),
        ("@task(serializer) / @task(compression) / @task(queue) / @task(priority) / @task(expires)", SAME, ""),
        ("@task(send_events) / @task(trail) / @task(resultrepr_maxsize)", SAME, ""),
    ),
    *rows(
        "call",
        "Options of a call",
        ("apply_async(args) / apply_async(kwargs) / apply_async(task_id) / apply_async(headers)", SAME, ""),
        (
            "apply_async(countdown) / apply_async(eta) / apply_async(expires)",
            BETTER,
            "Durable, and never in a worker's memory.",
        ),
        ("apply_async(queue) / apply_async(serializer) / apply_async(compression)", SAME, ""),
        (
            "apply_async(priority)",
            BETTER,
            "0 to 255, higher first, exact over all workers. On Redis the lower came first: turn such numbers around.",
        ),
        ("apply_async(link) / apply_async(link_error)", BETTER, "Commit with the end of the task that causes them."),
        ("apply_async(time_limit) / apply_async(soft_time_limit) / apply_async(ignore_result)", SAME, ""),
        ("apply_async(retry) / apply_async(retry_policy)", SAME, ""),
        ("apply_async(shadow) / apply_async(argsrepr) / apply_async(kwargsrepr)", SAME, ""),
        ("apply_async(root_id) / apply_async(parent_id) / apply_async(group_id)", SAME, ""),
        ("apply_async(add_to_parent)", SAME, ""),
        (
            "apply_async(exchange) / apply_async(routing_key)",
            GONE,
            "A queue is a name: use queue=. Without one, the first queue of `task_queues` bound to them is meant.",
        ),
        ("apply_async(delivery_mode) / apply_async(reply_to)", GONE, "A queue is a name: use queue=."),
        (
            "apply_async(connection) / apply_async(producer) / apply_async(publisher)",
            GONE,
            "Taken, and without effect: a process has one way to its node.",
        ),
    ),
    *rows(
        "call",
        "Request",
        (
            "request.id / request.root_id / request.parent_id / request.group / request.chord / request.chain",
            SAME,
            "",
        ),
        ("request.args / request.kwargs / request.task / request.headers / request.properties", SAME, ""),
        ("request.retries / request.eta / request.expires / request.delivery_info", SAME, ""),
        ("request.origin", SAME, ""),
        ("request.is_eager / request.called_directly / request.hostname / request.utc", SAME, ""),
        ("request.timelimit / request.time_limit / request.soft_time_limit", SAME, ""),
        ("request.callbacks / request.errbacks / request.replaced_task_nesting / request.stamps", SAME, ""),
        ("request.correlation_id", SAME, "The task's id, or what the call says."),
        ("request.reply_to", SAME, "What the call says, else None: results are not sent to queues."),
    ),
)

CANVAS: tuple[Entry, ...] = (
    *rows(
        "call",
        "Canvas",
        ("signature / subtask / maybe_signature / Signature", SAME, ""),
        (
            "Signature.delay / Signature.apply_async / Signature.apply / Signature.clone / Signature.freeze / "
            "Signature.set / Signature.set_immutable / Signature.from_dict",
            SAME,
            "",
        ),
        ("Signature.replace / Signature.flatten_links / Signature.stamp_links", SAME, ""),
        ("Signature.link / Signature.link_error / Signature.on_error", BETTER, "Commit with the task's end."),
        (
            "chain",
            BETTER,
            "A step is started by the commit of the step before it; a thousand steps cost a thousand steps.",
        ),
        ("group", BETTER, "Sent in a handful of calls, whatever its size."),
        ("chord", BETTER, "The body is released by the commit of the last member: no polling, no unlock task."),
        ("chunks / xmap / xstarmap", SAME, ""),
        ("StampingVisitor / Signature.stamp", SAME, ""),
        ("group.skew", SAME, ""),
    ),
    *rows(
        "call",
        "Results",
        ("AsyncResult", BETTER, "Can be awaited; tells waiting, unknown and expired apart (`exists()`, `info`)."),
        (
            "AsyncResult.get / AsyncResult.wait",
            BETTER,
            "One long poll a process, whatever the number of waiters; `interval` is that of `on_interval`.",
        ),
        ("AsyncResult.ready / AsyncResult.successful / AsyncResult.failed / AsyncResult.exists", SAME, ""),
        (
            "AsyncResult.state / AsyncResult.status / AsyncResult.result / AsyncResult.info / AsyncResult.traceback",
            SAME,
            "",
        ),
        (
            "AsyncResult.id / AsyncResult.task_id / AsyncResult.parent / AsyncResult.children / AsyncResult.graph",
            SAME,
            "An id is a text or a UUID: a number is refused where the handle is made, with Celery's Redis when it is "
            "asked.",
        ),
        ("AsyncResult.collect / AsyncResult.iterdeps / AsyncResult.get_leaf", SAME, ""),
        ("AsyncResult.build_graph", SAME, "A `DependencyGraph`; `to_dot` writes it for Graphviz."),
        ("AsyncResult.as_tuple / AsyncResult.as_list / AsyncResult.forget", SAME, ""),
        (
            "AsyncResult.revoke",
            BETTER,
            "State of the cluster: it outlives every worker, and `state` tells at once what became of the task.",
        ),
        ("AsyncResult.then / AsyncResult.maybe_throw / AsyncResult.throw", SAME, ""),
        (
            "AsyncResult.name / AsyncResult.worker / AsyncResult.date_done / AsyncResult.retries / AsyncResult.queue",
            BETTER,
            "Known of every task, without `result_extended`.",
        ),
        (
            "AsyncResult.args / AsyncResult.kwargs",
            SAME,
            "Until the task has ended well: its arguments are deleted then, and these are None.",
        ),
        (
            "ResultSet / ResultSet.add / ResultSet.remove / ResultSet.discard / ResultSet.update / ResultSet.clear / "
            "ResultSet.successful / ResultSet.failed / ResultSet.waiting / ResultSet.ready / "
            "ResultSet.completed_count / ResultSet.forget / ResultSet.revoke / ResultSet.get / ResultSet.join / "
            "ResultSet.join_native / ResultSet.iter_native / ResultSet.maybe_throw",
            SAME,
            "",
        ),
        ("GroupResult / GroupResult.save / GroupResult.restore / GroupResult.delete / GroupResult.as_tuple", SAME, ""),
        ("EagerResult / result_from_tuple / allow_join_result / denied_join_result", SAME, ""),
    ),
    *rows(
        "call",
        "Schedules",
        ("schedule / crontab / solar", BETTER, "Ticks fire once, survive restarts, and follow a catch-up rule."),
        ("schedule.is_due / schedule.remaining_estimate / crontab.is_due / crontab.remaining_estimate", SAME, ""),
        ("maybe_schedule", SAME, ""),
    ),
    *rows(
        "call",
        "Remote control",
        ("Control.inspect / Control.broadcast / Control.ping", SAME, ""),
        ("Control.purge", SAME, ""),
        (
            "Control.revoke / Control.terminate / Control.revoke_by_stamped_headers",
            BETTER,
            "State of the cluster: it holds for workers that start later, too.",
        ),
        ("Control.rate_limit", BETTER, "For the whole cluster."),
        ("Control.time_limit / Control.shutdown / Control.enable_events / Control.disable_events", SAME, ""),
        ("Control.add_consumer / Control.cancel_consumer", SAME, ""),
        ("Control.pool_grow / Control.pool_shrink / Control.pool_restart / Control.autoscale", SAME, ""),
        ("Control.heartbeat", SAME, ""),
        (
            "Control.election",
            GONE,
            "The home of a queue decides; there is nothing to elect.",
        ),
        (
            "Inspect.ping / Inspect.active / Inspect.reserved / Inspect.scheduled / Inspect.registered / "
            "Inspect.stats / Inspect.report / Inspect.revoked / Inspect.active_queues / Inspect.conf / "
            "Inspect.query_task / Inspect.clock",
            SAME,
            "",
        ),
        (
            "Inspect.memsample / Inspect.memdump / Inspect.objgraph",
            GONE,
            "Use a memory profiler on the child, whose process id `inspect stats` names.",
        ),
        ("Inspect.hello", GONE, "Workers do not talk to each other."),
        ("control_command / inspect_command", SAME, ""),
    ),
)

CALLS: tuple[Entry, ...] = (*APP, *TASK, *CANVAS)
