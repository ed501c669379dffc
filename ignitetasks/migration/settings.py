"""Every documented setting of Celery 5.x, and what became of it.

Data only. A name may stand once; several names that share one fate stand on one line, divided by blanks.
"""

from __future__ import annotations

from ignitetasks.migration.entry import BETTER, GONE, SAME, Entry, rows

_NO_BROKER = (
    "There is no broker: whatever the URL, all programs of one user on a machine meet in one node, which starts by "
    "itself; `data_dir=` names another one, and `cluster=` or IGNITETASKS_CLUSTER the nodes of a cluster."
)
_NO_BACKEND = "There is no separate result backend: results are in the same records as the tasks. Remove it."
_NO_AMQP = "A queue is a name: there are no exchanges, bindings or delivery modes. Route by queue name."
_NO_PIDBOX = "Remote control goes through the node: there are no control queues to configure. Remove it."
_NO_EVENT_QUEUE = "Events are kept by the node, durable and in order: there are no event queues. Remove it."
_EXECUTABLE = "Start it with the Python it is to run in."

GENERAL: tuple[Entry, ...] = (
    *rows(
        "setting",
        "General and time",
        ("accept_content", SAME, "The default is json and msgpack; pickle must be named, and is signed."),
        ("result_accept_content", SAME, ""),
        ("enable_utc", BETTER, "Times are stored as UTC whatever it says; a naive datetime is read in `timezone`."),
        ("timezone", BETTER, "Zones and summer time come from Python's own zoneinfo."),
        ("imports include", SAME, ""),
        ("db_reuse_max", GONE, "Django closes its connections around tasks by CONN_MAX_AGE. Remove it."),
    ),
    *rows(
        "setting",
        "Tasks",
        (
            "task_acks_late",
            BETTER,
            "The default is True: a task whose process dies runs again. False means at most once, as in Celery.",
        ),
        (
            "task_acks_on_failure_or_timeout task_acks_on_failure task_acks_on_timeout",
            GONE,
            "A task that raises or runs out of time always ends as FAILURE. Use autoretry_for, or raise "
            "Reject(requeue=True), to have it run again.",
        ),
        (
            "task_reject_on_worker_lost",
            BETTER,
            "A task whose process died always runs again, at most `max_deliveries` times; then it is DEAD and kept.",
        ),
        ("task_retry_on_worker_lost", BETTER, "Always so, at most `max_deliveries` times."),
        ("task_annotations", SAME, ""),
        ("task_always_eager", SAME, ""),
        ("task_eager_propagates", SAME, ""),
        ("task_store_eager_result", SAME, "An eager result can then be asked for by its id."),
        ("task_ignore_result", SAME, ""),
        ("task_store_errors_even_if_ignored", BETTER, "An error is always kept, only results can be ignored."),
        ("task_track_started", SAME, ""),
        ("task_time_limit task_soft_time_limit", SAME, ""),
        ("task_serializer", SAME, "The default is msgpack, which carries dates, decimals, UUIDs, sets and bytes."),
        ("task_compression", SAME, ""),
        ("task_remote_tracebacks", BETTER, "Always on, without another package: the remote traceback is the cause."),
        (
            "task_publish_retry task_publish_retry_policy",
            BETTER,
            "A repeated submit is one task, whatever was cut and wherever; the policy's max_retries is honoured.",
        ),
        ("task_protocol", GONE, "Tasks travel as records of the node's own format. Remove it."),
        ("task_repr_maxlevels", GONE, "Arguments in logs and events are cut by length. Remove it."),
        ("task_send_sent_event", SAME, ""),
        ("task_default_rate_limit", BETTER, "A limit holds for the whole cluster, not for each worker."),
        (
            "task_allow_error_cb_on_chord_header",
            SAME,
            "",
        ),
    ),
    *rows(
        "setting",
        "Queues and routes",
        ("task_default_queue", SAME, "`celery` where nothing is set."),
        (
            "task_queues",
            SAME,
            "Names, `Queue` objects, or a map; a call with a routing key and no queue goes to the first queue bound to "
            "it. A `Broadcast` is refused: tell every worker with a control command of your own.",
        ),
        ("task_routes", SAME, ""),
        ("task_create_missing_queues", SAME, ""),
        (
            "task_default_priority",
            BETTER,
            "0 to 255, higher first, exact over all workers. On Redis the lower came first: turn such numbers around.",
        ),
        ("task_inherit_parent_priority", SAME, ""),
        ("task_queue_max_priority", GONE, "Every queue has 256 priorities. Remove it."),
        (
            "task_default_exchange task_default_exchange_type task_default_routing_key task_default_delivery_mode "
            "task_default_queue_type task_create_missing_queue_type task_create_missing_queue_exchange_type",
            GONE,
            _NO_AMQP,
        ),
    ),
    *rows(
        "setting",
        "Results",
        ("result_expires", SAME, "The default is one day. Expired and unknown are told apart."),
        ("result_failure_expires", GONE, "Failures are kept as long as other results: `result_expires`."),
        (
            "result_extended",
            BETTER,
            "Name, queue, worker and retries are known of every task in any case; its arguments, too, until it has "
            "ended well. True keeps them as long as the result.",
        ),
        ("result_serializer", SAME, "The default is msgpack."),
        ("result_compression", SAME, ""),
        ("result_persistent", BETTER, "Results are always durable."),
        ("result_cache_max", GONE, "Results are not cached in the client. Remove it."),
        (
            "result_chord_join_timeout result_chord_retry_interval result_chord_expires",
            GONE,
            "A chord's body is released by the commit of its last member: nothing waits, polls or expires. Remove it.",
        ),
        (
            "result_backend",
            GONE,
            _NO_BACKEND,
        ),
        (
            "result_backend_transport_options result_backend_always_retry result_backend_max_retries "
            "result_backend_max_sleep_between_retries_ms result_backend_base_sleep_between_retries_ms "
            "result_backend_thread_safe result_exchange result_exchange_type override_backends",
            GONE,
            _NO_BACKEND,
        ),
    ),
)

WORKER: tuple[Entry, ...] = (
    *rows(
        "setting",
        "Worker",
        ("worker_concurrency", SAME, ""),
        (
            "worker_pool",
            BETTER,
            "prefork, threads, solo, and asyncio for `async def` tasks; gevent and eventlet are gone.",
        ),
        (
            "worker_prefetch_multiplier",
            BETTER,
            "An upper bound: a worker is given what it can start, and hoards nothing.",
        ),
        (
            "worker_enable_prefetch_count_reduction",
            GONE,
            "Workers announce free slots and are given that much: there is no prefetch window. Remove it.",
        ),
        ("worker_disable_prefetch", SAME, "A child has one task in hand, with every pool and node."),
        (
            "worker_eta_task_limit",
            GONE,
            "Tasks with an eta wait in the node's store and cost a worker nothing. Remove it.",
        ),
        ("worker_max_tasks_per_child worker_max_memory_per_child", SAME, ""),
        (
            "worker_lost_wait worker_proc_alive_timeout worker_pool_putlocks",
            GONE,
            "A dead child is noticed at once by the end of its connection. Remove it.",
        ),
        ("worker_pool_restarts", BETTER, "`pool_restart` is always allowed."),
        ("worker_pool_start_method", GONE, "Children are forked; import what must not be forked inside the task."),
        ("worker_disable_rate_limits", SAME, ""),
        (
            "worker_state_db",
            GONE,
            "Revokes are state of the cluster and outlive every worker: nothing is kept in a file. Remove it.",
        ),
        (
            "worker_cancel_long_running_tasks_on_connection_loss",
            GONE,
            "A worker that has lost the node cannot complete a task twice: its late answer is refused. Remove it.",
        ),
        (
            "worker_deduplicate_successful_tasks",
            BETTER,
            "Always so: a task has one terminal state, and an idempotency_key makes the submit one task.",
        ),
        ("worker_soft_shutdown_timeout", SAME, ""),
        (
            "worker_enable_soft_shutdown_on_idle",
            GONE,
            "Tasks with an eta are not in the worker, so an idle worker has nothing to give back. Remove it.",
        ),
        ("worker_direct", GONE, "Start the worker with a queue of its own name: `worker -Q celery,NAME`."),
        ("worker_detect_quorum_queues", GONE, _NO_AMQP),
        ("worker_send_task_events", SAME, ""),
        ("worker_enable_remote_control", SAME, ""),
        ("worker_hijack_root_logger", SAME, ""),
        ("worker_redirect_stdouts worker_redirect_stdouts_level", SAME, "A printed line is one line of the log."),
        ("worker_log_color", SAME, ""),
        ("worker_log_format worker_task_log_format worker_log_datefmt worker_task_log_datefmt", SAME, ""),
        (
            "worker_autoscaler",
            BETTER,
            "A subclass of `ignitetasks.worker.autoscale.Autoscaler`: its `decide(now, size, busy)` says by how much; "
            "one whose rule is in `_maybe_scale` is refused.",
        ),
        (
            "worker_consumer worker_timer worker_timer_precision worker_agent",
            GONE,
            "The worker has no exchangeable inner parts. Use signals, or custom control commands.",
        ),
        (
            "worker_gid worker_uid worker_umask worker_logfile worker_pidfile",
            SAME,
            "",
        ),
        ("worker_executable", GONE, _EXECUTABLE),
    ),
    *rows(
        "setting",
        "Beat",
        ("beat_schedule", BETTER, "Entries are kept by the node; each tick fires once, however many beats run."),
        (
            "beat_scheduler",
            SAME,
            "A class of your own is based on `ignitetasks.beat.Scheduler`; each beat that has it sends each tick. "
            "Classes of packages that schedule for Celery are not used, which is said.",
        ),
        ("beat_schedule_filename", GONE, "The schedule is kept by the node, not in a file. Remove it."),
        ("beat_sync_every", SAME, "For a scheduler of your own; the default one stores every tick at once."),
        ("beat_max_loop_interval", SAME, ""),
        ("beat_cron_starting_deadline", SAME, ""),
        (
            "beat_enable_remote_control beat_remote_control_max_tick_age",
            GONE,
            "Schedules are listed, changed and paused through the node, whether a beat runs or not. Remove it.",
        ),
        ("beat_gid beat_uid beat_umask beat_logfile beat_pidfile", SAME, ""),
        ("beat_executable", GONE, _EXECUTABLE),
    ),
    *rows(
        "setting",
        "Events and remote control",
        (
            "event_queue_expires event_queue_ttl event_queue_prefix event_queue_exclusive event_queue_durable "
            "event_exchange event_serializer",
            GONE,
            _NO_EVENT_QUEUE,
        ),
        (
            "events_executable events_gid events_uid events_umask events_logfile events_pidfile",
            GONE,
            "Let a service manager run it in the background.",
        ),
        (
            "control_queue_ttl control_queue_expires control_queue_exclusive control_queue_durable control_exchange",
            GONE,
            _NO_PIDBOX,
        ),
    ),
    *rows(
        "setting",
        "Security",
        (
            "security_key security_key_password security_certificate security_cert_store security_digest",
            GONE,
            "Bodies are not signed with certificates: the gateway asks for a token, and pickles are signed with the "
            "instance's own key (`signing_key`).",
        ),
    ),
)

BROKER: tuple[Entry, ...] = (
    *rows(
        "setting",
        "Broker",
        ("broker_url", GONE, _NO_BROKER),
        (
            "broker_read_url broker_write_url broker_transport broker_host broker_port broker_user broker_password "
            "broker_vhost broker_failover_strategy broker_login_method",
            GONE,
            _NO_BROKER,
        ),
        ("broker_transport_options", GONE, _NO_BROKER + " There is no visibility timeout either."),
        ("broker_use_ssl", GONE, "The gateway listens on loopback. Keep the ports of a cluster in a private network."),
        (
            "broker_connection_timeout",
            GONE,
            "Use `call_timeout_seconds`: the deadline of one call, repeats included.",
        ),
        (
            "broker_connection_retry broker_connection_retry_on_startup broker_connection_max_retries "
            "broker_channel_error_retry broker_heartbeat broker_heartbeat_checkrate",
            GONE,
            "Client and worker find the node again by themselves, for as long as it takes. Remove it.",
        ),
        (
            "broker_pool_limit broker_pool_acquire_timeout",
            GONE,
            "One process has one connection to its node. Remove it.",
        ),
        (
            "broker_native_delayed_delivery_queue_type",
            GONE,
            "Delays need no queues: `eta` is durable state. Remove it.",
        ),
    ),
    *rows(
        "setting",
        "Result backends",
        (
            "cache_backend cache_backend_options database_url database_engine_options database_engine_callback "
            "database_short_lived_sessions database_table_schemas database_table_names "
            "database_create_tables_at_setup mongodb_backend_settings couchbase_backend_settings "
            "arangodb_backend_settings",
            GONE,
            _NO_BACKEND,
        ),
        (
            "redis_backend_use_ssl redis_backend_health_check_interval redis_backend_credential_provider "
            "redis_client_name redis_db redis_host redis_port redis_username redis_password redis_max_connections "
            "redis_socket_timeout redis_socket_connect_timeout redis_socket_keepalive redis_retry_on_timeout",
            GONE,
            _NO_BACKEND,
        ),
        (
            "cassandra_servers cassandra_port cassandra_keyspace cassandra_table cassandra_read_consistency "
            "cassandra_write_consistency cassandra_entry_ttl cassandra_auth_provider cassandra_auth_kwargs "
            "cassandra_options cassandra_bundle_path cassandra_secure_bundle_path elasticsearch_retry_on_timeout "
            "elasticsearch_max_retries elasticsearch_timeout elasticsearch_save_meta_as_text",
            GONE,
            _NO_BACKEND,
        ),
        (
            "s3_access_key_id s3_secret_access_key s3_bucket s3_base_path s3_endpoint_url s3_region gcs_bucket "
            "gcs_project gcs_base_path gcs_ttl azureblockblob_container_name azureblockblob_base_path "
            "azureblockblob_retry_initial_backoff_sec azureblockblob_retry_increment_base "
            "azureblockblob_retry_max_attempts azureblockblob_connection_timeout azureblockblob_read_timeout "
            "cosmosdbsql_database_name cosmosdbsql_collection_name cosmosdbsql_consistency_level "
            "cosmosdbsql_max_retry_attempts cosmosdbsql_max_retry_wait_time",
            GONE,
            _NO_BACKEND,
        ),
    ),
)

SETTINGS: tuple[Entry, ...] = (*GENERAL, *WORKER, *BROKER)
