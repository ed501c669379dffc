"""Members of Celery's documented classes that are not in the tables of calls, and what became of them.

Data only. A member is written as a project writes it: ``app.conf.table``, ``request.group_index``, ``Scheduler.tick``.
"""

from __future__ import annotations

from ignitetasks.migration.entry import GONE, SAME, Entry, rows

_NO_AMQP = "There is no message broker behind this, so no exchange, producer or consumer. Queues are names."
_NO_BACKEND = "There is one store of results, and nothing derives from it. Use AsyncResult and GroupResult."
_APPLY = "Call it: `apply_async` and `delay`."
_DISPLAY = "An inner part of Celery's display."

MEMBERS: tuple[Entry, ...] = (
    *rows(
        "call",
        "Members of the application",
        (
            "Celery.amqp_cls / Celery.annotations / Celery.backend_cls / Celery.control_cls / "
            "Celery.current_worker_task / Celery.default_connection / Celery.either / Celery.events_cls / "
            "Celery.loader_cls / Celery.log_cls / Celery.on_init / Celery.registry_cls / "
            "Celery.subclass_with_self / Celery.task_cls / Celery.uses_utc_timezone",
            SAME,
            "",
        ),
        (
            "Celery.IS_WINDOWS / Celery.IS_macOS / Celery.Pickler / Celery.SYSTEM / Celery.create_task_cls / "
            "Celery.default_producer / Celery.type_checker",
            GONE,
            "Inner parts of Celery's application. Use the standard library's `sys` and `os`, and the settings.",
        ),
        (
            "app.log.already_setup / app.log.colored / app.log.get_default_logger / app.log.redirect_stdouts / "
            "app.log.redirect_stdouts_to_logger / app.log.setup / app.log.setup_logging_subsystem / "
            "app.log.setup_task_loggers / app.log.supports_color",
            SAME,
            "",
        ),
        (
            "app.log.setup_handlers",
            GONE,
            "Handlers are set up by receivers of after_setup_logger and after_setup_task_logger.",
        ),
        (
            "app.events.Dispatcher / app.events.Receiver / app.events.State / app.events.default_dispatcher",
            SAME,
            "",
        ),
        (
            "app.events.dispatcher_cls / app.events.receiver_cls / app.events.state_cls",
            GONE,
            "Derive from `ignitetasks.events` and give the class as `IgniteTasks(events=...)`.",
        ),
        (
            "app.amqp.Queues / app.amqp.default_queue / app.amqp.flush_routes / app.amqp.queues / "
            "app.amqp.router / app.amqp.routes",
            SAME,
            "",
        ),
        (
            "app.amqp.BrokerConnection / app.amqp.Connection / app.amqp.Consumer / app.amqp.Producer / "
            "app.amqp.Router / app.amqp.TaskConsumer / app.amqp.argsrepr_maxsize / app.amqp.as_task_v1 / "
            "app.amqp.as_task_v2 / app.amqp.autoexchange / app.amqp.create_task_message / "
            "app.amqp.default_exchange / app.amqp.kwargsrepr_maxsize / app.amqp.producer_pool / "
            "app.amqp.publisher_pool / app.amqp.queues_cls / app.amqp.send_task_message / app.amqp.utc",
            GONE,
            _NO_AMQP,
        ),
        (
            "app.amqp.queues.add / app.amqp.queues.consume_from / app.amqp.queues.deselect / "
            "app.amqp.queues.select / app.amqp.queues.select_add",
            SAME,
            "",
        ),
        (
            "app.amqp.queues.add_compat / app.amqp.queues.format / app.amqp.queues.new_missing",
            GONE,
            _NO_AMQP,
        ),
        (
            "app.tasks.NotRegistered / app.tasks.periodic / app.tasks.register / app.tasks.regular / "
            "app.tasks.unregister",
            SAME,
            "",
        ),
        (
            "app.tasks.filter_types",
            GONE,
            "Use `regular` and `periodic`.",
        ),
        (
            "app.conf.add_defaults / app.conf.broker_read_url / app.conf.broker_url / "
            "app.conf.broker_write_url / app.conf.changes / app.conf.finalize / app.conf.find_option / "
            "app.conf.find_value_for_key / app.conf.first / app.conf.get_by_parts / app.conf.humanize / "
            "app.conf.result_backend / app.conf.table / app.conf.task_default_exchange / "
            "app.conf.task_default_routing_key / app.conf.timezone / app.conf.value_set_for / "
            "app.conf.without_defaults",
            SAME,
            "",
        ),
        (
            "app.conf.bind_to / app.conf.defaults / app.conf.iteritems / app.conf.iterkeys / "
            "app.conf.itervalues / app.conf.key_t / app.conf.maps / app.conf.maybe_warn_deprecated_settings / "
            "app.conf.swap_with",
            GONE,
            "Inner parts of Celery's view. It is a mapping: use `update`, `items`, `table` and `without_defaults`.",
        ),
        (
            "app.backend.EXCEPTION_STATES / app.backend.READY_STATES / app.backend.UNREADY_STATES / "
            "app.backend.as_uri / app.backend.cleanup / app.backend.ensure_chords_allowed / "
            "app.backend.forget / app.backend.get_children / app.backend.get_result / app.backend.get_state / "
            "app.backend.get_status / app.backend.get_task_meta / app.backend.get_traceback / "
            "app.backend.mark_as_done / app.backend.mark_as_failure / app.backend.mark_as_retry / "
            "app.backend.mark_as_revoked / app.backend.mark_as_started / app.backend.persistent / "
            "app.backend.process_cleanup / app.backend.store_result / app.backend.supports_native_join / "
            "app.backend.task_result_exists",
            SAME,
            "",
        ),
        (
            "app.backend.TimeoutError / app.backend.add_to_chord / app.backend.apply_chord / "
            "app.backend.chord_error_from_stack / app.backend.current_task_children / app.backend.decode / "
            "app.backend.decode_result / app.backend.delete_group / app.backend.encode / "
            "app.backend.encode_result / app.backend.exception_safe_to_retry / "
            "app.backend.exception_to_python / app.backend.fail_from_current_stack / "
            "app.backend.fallback_chord_unlock / app.backend.get_group_meta / app.backend.is_cached / "
            "app.backend.meta_from_decoded / app.backend.on_backend_retryable_error / "
            "app.backend.on_chord_part_return / app.backend.on_task_call / app.backend.prepare_exception / "
            "app.backend.prepare_expires / app.backend.prepare_persistent / app.backend.prepare_value / "
            "app.backend.reload_group_result / app.backend.reload_task_result / app.backend.restore_group / "
            "app.backend.retry_policy / app.backend.save_group / app.backend.set_chord_size / "
            "app.backend.subpolling_interval / app.backend.supports_autoexpire",
            GONE,
            _NO_BACKEND,
        ),
    ),
    *rows(
        "call",
        "Members of tasks, requests and signatures",
        (
            "Task.MaxRetriesExceededError / Task.OperationalError / Task.abstract / Task.acks_late / "
            "Task.add_around / "
            "Task.add_trail / Task.annotate / Task.default_retry_delay / Task.expires / Task.ignore_result / "
            "Task.max_retries / Task.priority / Task.rate_limit / Task.reject_on_worker_lost / "
            "Task.resultrepr_maxsize / Task.send_events / Task.serializer / Task.soft_time_limit / "
            "Task.store_errors_even_if_ignored / Task.subtask_from_request / Task.throws / Task.time_limit / "
            "Task.track_started / Task.trail / Task.typing",
            SAME,
            "",
        ),
        (
            "Task.acks_on_failure_or_timeout / Task.acks_on_failure / Task.acks_on_timeout",
            GONE,
            "A task that fails ends as FAILURE. Use autoretry_for or Reject(requeue=True).",
        ),
        (
            "Task.bind / Task.from_config",
            GONE,
            "A task is one object from its decoration on: nothing is bound later.",
        ),
        (
            "request.as_execution_options / request.children / request.group_index / request.ignore_result / "
            "request.logfile / request.loglevel / request.shadow / request.stamped_headers / request.taskset",
            SAME,
            "",
        ),
        (
            "Signature.AsyncResult / Signature.TYPES / Signature.app / Signature.append_to_list_option / "
            "Signature.args / Signature.extend_list_option / Signature.id / Signature.immutable / "
            "Signature.kwargs / Signature.name / Signature.options / Signature.parent_id / Signature.partial / "
            "Signature.register_type / Signature.reprcall / Signature.root_id / Signature.subtask_type / "
            "Signature.task / Signature.type",
            SAME,
            "",
        ),
        ("Signature.election", GONE, "There is nothing to elect."),
        (
            "chain.app / chain.apply / chain.apply_async / chain.clone / chain.freeze / chain.from_dict / "
            "chain.stamp / chain.tasks / chain.unchain_tasks",
            SAME,
            "",
        ),
        ("chain.prepare_steps / chain.run", GONE, _APPLY),
        (
            "group.app / group.apply / group.apply_async / group.freeze / group.from_dict / group.link / "
            "group.link_error / group.set_immutable / group.stamp / group.tasks",
            SAME,
            "",
        ),
        (
            "chord.app / chord.apply / chord.apply_async / chord.body / chord.clone / chord.freeze / "
            "chord.from_dict / chord.link / chord.link_error / chord.set_immutable / chord.stamp / chord.tasks",
            SAME,
            "",
        ),
        ("chord.run", GONE, _APPLY),
        (
            "chunks.apply_async / chunks.apply_chunks / chunks.from_dict / chunks.group",
            SAME,
            "",
        ),
        (
            "StampingVisitor.on_callback / StampingVisitor.on_chain_end / StampingVisitor.on_chain_start / "
            "StampingVisitor.on_chord_body / StampingVisitor.on_chord_header_end / "
            "StampingVisitor.on_chord_header_start / StampingVisitor.on_errback / "
            "StampingVisitor.on_group_end / StampingVisitor.on_group_start / StampingVisitor.on_signature",
            SAME,
            "",
        ),
    ),
    *rows(
        "call",
        "Members of results",
        (
            "AsyncResult.TimeoutError / AsyncResult.app / AsyncResult.backend / AsyncResult.ignored / "
            "AsyncResult.maybe_reraise / AsyncResult.revoke_by_stamped_headers / "
            "AsyncResult.supports_native_join",
            SAME,
            "",
        ),
        (
            "ResultSet.app / ResultSet.backend / ResultSet.maybe_reraise / ResultSet.parent / "
            "ResultSet.results / ResultSet.supports_native_join / ResultSet.then",
            SAME,
            "",
        ),
        ("GroupResult.children / GroupResult.id", SAME, ""),
    ),
    *rows(
        "call",
        "Members of schedules and beats",
        (
            "schedule.app / schedule.human_seconds / schedule.maybe_make_aware / schedule.now / "
            "schedule.relative / schedule.seconds / schedule.to_local / schedule.tz / schedule.utc_enabled",
            SAME,
            "",
        ),
        ("crontab.from_string / crontab.remaining_delta", SAME, ""),
        (
            "Scheduler.Entry / Scheduler.add / Scheduler.adjust / Scheduler.apply_async / "
            "Scheduler.apply_entry / Scheduler.close / Scheduler.get_schedule / Scheduler.info / "
            "Scheduler.install_default_entries / Scheduler.is_due / Scheduler.max_interval / "
            "Scheduler.merge_inplace / Scheduler.populate_heap / Scheduler.producer / Scheduler.reserve / "
            "Scheduler.schedule / Scheduler.schedules_equal / Scheduler.send_task / Scheduler.set_schedule / "
            "Scheduler.setup_schedule / Scheduler.should_sync / Scheduler.sync / Scheduler.sync_every / "
            "Scheduler.sync_every_tasks / Scheduler.tick / Scheduler.update_from_dict",
            SAME,
            "",
        ),
        (
            "Scheduler.connection / Scheduler.logger",
            GONE,
            "There is no connection to a broker; loggers are named `ignitetasks.beat`.",
        ),
        (
            "PersistentScheduler.known_suffixes / PersistentScheduler.persistence",
            GONE,
            "The schedule is kept by the node, not in a file.",
        ),
        (
            "ScheduleEntry.args / ScheduleEntry.default_now / ScheduleEntry.editable_fields_equal / "
            "ScheduleEntry.is_due / ScheduleEntry.kwargs / ScheduleEntry.last_run_at / ScheduleEntry.name / "
            "ScheduleEntry.next / ScheduleEntry.options / ScheduleEntry.schedule / "
            "ScheduleEntry.total_run_count",
            SAME,
            "",
        ),
        (
            "Service.get_scheduler / Service.scheduler / Service.scheduler_cls / Service.start / "
            "Service.stop / Service.sync",
            SAME,
            "",
        ),
    ),
    *rows(
        "call",
        "Members of the event classes",
        (
            "app.events.State.Task / app.events.State.Worker / app.events.State.alive_workers / "
            "app.events.State.clear_tasks / app.events.State.event / app.events.State.event_count / "
            "app.events.State.freeze_while / app.events.State.get_or_create_task / "
            "app.events.State.get_or_create_worker / app.events.State.itertasks / "
            "app.events.State.rebuild_taskheap / app.events.State.task_count / app.events.State.task_event / "
            "app.events.State.task_types / app.events.State.tasks_by_time / "
            "app.events.State.tasks_by_timestamp / app.events.State.worker_event",
            SAME,
            "",
        ),
        ("app.events.State.heap_multiplier", GONE, _DISPLAY),
        (
            "events.state.Worker.active / events.state.Worker.alive / events.state.Worker.clock / "
            "events.state.Worker.event / events.state.Worker.expire_window / events.state.Worker.freq / "
            "events.state.Worker.heartbeat_expires / events.state.Worker.heartbeats / "
            "events.state.Worker.hostname / events.state.Worker.id / events.state.Worker.loadavg / "
            "events.state.Worker.pid / events.state.Worker.processed / events.state.Worker.status_string / "
            "events.state.Worker.sw_ident / events.state.Worker.sw_sys / events.state.Worker.sw_ver",
            SAME,
            "",
        ),
        ("events.state.Worker.heartbeat_max", GONE, _DISPLAY),
        (
            "events.state.Task.args / events.state.Task.as_dict / events.state.Task.client / "
            "events.state.Task.clock / events.state.Task.eta / events.state.Task.event / "
            "events.state.Task.exception / events.state.Task.exchange / events.state.Task.expires / "
            "events.state.Task.failed / events.state.Task.id / events.state.Task.info / "
            "events.state.Task.kwargs / events.state.Task.name / events.state.Task.origin / "
            "events.state.Task.parent / events.state.Task.parent_id / events.state.Task.ready / "
            "events.state.Task.received / events.state.Task.rejected / events.state.Task.result / "
            "events.state.Task.retried / events.state.Task.retries / events.state.Task.revoked / "
            "events.state.Task.root / events.state.Task.root_id / events.state.Task.routing_key / "
            "events.state.Task.runtime / events.state.Task.sent / events.state.Task.started / "
            "events.state.Task.state / events.state.Task.succeeded / events.state.Task.timestamp / "
            "events.state.Task.traceback / events.state.Task.worker",
            SAME,
            "",
        ),
        ("events.state.Task.merge_rules", GONE, _DISPLAY),
        (
            "app.events.Receiver.app / app.events.Receiver.capture / app.events.Receiver.connection / "
            "app.events.Receiver.event_from_message / app.events.Receiver.itercapture / "
            "app.events.Receiver.process / app.events.Receiver.should_stop / app.events.Receiver.wakeup_workers",
            SAME,
            "",
        ),
        (
            "app.events.Receiver.Consumer / app.events.Receiver.channel_errors / "
            "app.events.Receiver.connect_max_retries / app.events.Receiver.connection_errors / "
            "app.events.Receiver.consume / app.events.Receiver.consumer_context / "
            "app.events.Receiver.create_connection / app.events.Receiver.establish_connection / "
            "app.events.Receiver.extra_context / app.events.Receiver.get_consumers / "
            "app.events.Receiver.maybe_conn_error / app.events.Receiver.on_connection_error / "
            "app.events.Receiver.on_connection_revived / app.events.Receiver.on_consume_end / "
            "app.events.Receiver.on_consume_ready / app.events.Receiver.on_decode_error / "
            "app.events.Receiver.on_iteration / app.events.Receiver.restart_limit / app.events.Receiver.run",
            GONE,
            "It reads the node's feed and consumes no queue: use `capture`, `itercapture` and `cursor`.",
        ),
        (
            "app.events.Dispatcher.app / app.events.Dispatcher.close / app.events.Dispatcher.disable / "
            "app.events.Dispatcher.enable / app.events.Dispatcher.flush / app.events.Dispatcher.on_disabled / "
            "app.events.Dispatcher.on_enabled / app.events.Dispatcher.publish / app.events.Dispatcher.send",
            SAME,
            "",
        ),
        (
            "app.events.Dispatcher.DISABLED_TRANSPORTS / app.events.Dispatcher.extend_buffer / "
            "app.events.Dispatcher.publisher",
            GONE,
            "Events go to the node's feed at once; there is no producer behind it.",
        ),
        (
            "Polaroid.cancel / Polaroid.capture / Polaroid.cleanup / Polaroid.cleanup_signal / "
            "Polaroid.clear_after / Polaroid.install / Polaroid.on_cleanup / Polaroid.on_shutter / "
            "Polaroid.shutter / Polaroid.shutter_signal",
            SAME,
            "",
        ),
        (
            "Polaroid.timer",
            GONE,
            "The camera has its own clock.",
        ),
    ),
    *rows(
        "call",
        "Members of remote control",
        ("Control.discard_all", SAME, ""),
        (
            "Control.Mailbox",
            GONE,
            "There is no mailbox: use `broadcast`.",
        ),
        ("Inspect.app / Inspect.registered_tasks", SAME, ""),
    ),
    *rows(
        "call",
        "Members of a worker and its consumer, for steps and control commands",
        ("worker.app / worker.hostname / worker.pool / worker.timer / worker.consumer", SAME, ""),
        ("worker.hub / consumer.hub", GONE, "There is no event loop to be added to; use the timer, or a thread."),
        ("worker.blueprint / consumer.blueprint", GONE, "Steps have no blueprint; `requires` orders them."),
        ("worker.statedb", GONE, "Revokes are state of the cluster: nothing is kept in a file."),
        ("worker.autoscaler", GONE, "Use the setting `worker_autoscaler`, or the control command `autoscale`."),
        (
            "consumer.app / consumer.hostname / consumer.controller / consumer.connection / consumer.pool / "
            "consumer.timer / consumer.event_dispatcher / consumer.qos / consumer.call_soon / "
            "consumer.add_task_queue / consumer.cancel_task_queue / consumer.reset_rate_limits",
            SAME,
            "",
        ),
        ("consumer.qos.value", SAME, "Tasks at a time."),
        (
            "consumer.qos.increment_eventually / consumer.qos.decrement_eventually / consumer.qos.set",
            GONE,
            "A worker is given a task when it has a slot for it: grow the pool (`pool_grow`, `autoscale`).",
        ),
        (
            "consumer.gossip",
            GONE,
            "Workers do not talk to each other; signals and the event feed tell of workers that come and go.",
        ),
        ("consumer.heart", GONE, "The node sees the end of a worker's connection."),
        (
            "consumer.task_consumer / consumer.strategies / consumer.apply_eta_task",
            GONE,
            "There is no broker that messages are read from.",
        ),
        (
            "consumer.task_buckets / consumer.bucket_for_task",
            GONE,
            "Rate limits are kept by the cluster: use `app.control.rate_limit`.",
        ),
    ),
)
