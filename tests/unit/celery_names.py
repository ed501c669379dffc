"""Names in the documents of Celery 5.7 and on its command line, divided by blanks. Facts only."""

from __future__ import annotations

#: Settings, present names.
SETTINGS = (
    "accept_content arangodb_backend_settings azureblockblob_base_path azureblockblob_connection_timeout "
    "azureblockblob_container_name azureblockblob_read_timeout azureblockblob_retry_increment_base "
    "azureblockblob_retry_initial_backoff_sec azureblockblob_retry_max_attempts beat_cron_starting_deadline "
    "beat_enable_remote_control beat_executable beat_gid beat_logfile beat_max_loop_interval beat_pidfile "
    "beat_remote_control_max_tick_age beat_schedule beat_schedule_filename beat_scheduler beat_sync_every beat_uid "
    "beat_umask broker_channel_error_retry broker_connection_max_retries broker_connection_retry "
    "broker_connection_retry_on_startup broker_connection_timeout broker_failover_strategy broker_heartbeat "
    "broker_heartbeat_checkrate broker_host broker_login_method broker_native_delayed_delivery_queue_type "
    "broker_password broker_pool_acquire_timeout broker_pool_limit broker_port broker_read_url broker_transport "
    "broker_transport_options broker_url broker_use_ssl broker_user broker_vhost broker_write_url cache_backend "
    "cache_backend_options cassandra_auth_kwargs cassandra_auth_provider cassandra_bundle_path cassandra_entry_ttl "
    "cassandra_keyspace cassandra_options cassandra_port cassandra_read_consistency cassandra_secure_bundle_path "
    "cassandra_servers cassandra_table cassandra_write_consistency control_exchange control_queue_durable "
    "control_queue_exclusive control_queue_expires control_queue_ttl cosmosdbsql_collection_name "
    "cosmosdbsql_consistency_level cosmosdbsql_database_name cosmosdbsql_max_retry_attempts "
    "cosmosdbsql_max_retry_wait_time couchbase_backend_settings database_create_tables_at_setup "
    "database_engine_callback database_engine_options database_short_lived_sessions database_table_names "
    "database_table_schemas database_url elasticsearch_max_retries elasticsearch_retry_on_timeout "
    "elasticsearch_save_meta_as_text elasticsearch_timeout enable_utc event_exchange event_queue_durable "
    "event_queue_exclusive event_queue_expires event_queue_prefix event_queue_ttl event_serializer events_executable "
    "events_gid events_logfile events_pidfile events_uid events_umask gcs_base_path gcs_bucket gcs_project gcs_ttl "
    "imports include mongodb_backend_settings override_backends redis_backend_credential_provider "
    "redis_backend_health_check_interval redis_backend_use_ssl redis_client_name redis_db redis_host "
    "redis_max_connections redis_password redis_port redis_retry_on_timeout redis_socket_connect_timeout "
    "redis_socket_keepalive redis_socket_timeout redis_username result_accept_content result_backend "
    "result_backend_always_retry result_backend_base_sleep_between_retries_ms result_backend_max_retries "
    "result_backend_max_sleep_between_retries_ms result_backend_thread_safe result_backend_transport_options "
    "result_cache_max result_chord_expires result_chord_join_timeout result_chord_retry_interval result_compression "
    "result_exchange result_exchange_type result_expires result_extended result_failure_expires result_persistent "
    "result_serializer s3_access_key_id s3_base_path s3_bucket s3_endpoint_url s3_region s3_secret_access_key "
    "security_cert_store security_certificate security_digest security_key security_key_password task_acks_late "
    "task_acks_on_failure task_acks_on_failure_or_timeout task_acks_on_timeout task_allow_error_cb_on_chord_header "
    "task_always_eager task_annotations task_compression task_create_missing_queue_exchange_type "
    "task_create_missing_queue_type task_create_missing_queues task_default_delivery_mode task_default_exchange "
    "task_default_exchange_type task_default_priority task_default_queue task_default_queue_type "
    "task_default_rate_limit task_default_routing_key task_eager_propagates task_ignore_result "
    "task_inherit_parent_priority task_protocol task_publish_retry task_publish_retry_policy task_queue_max_priority "
    "task_queues task_reject_on_worker_lost task_remote_tracebacks task_repr_maxlevels task_retry_on_worker_lost "
    "task_routes task_send_sent_event task_serializer task_soft_time_limit task_store_eager_result "
    "task_store_errors_even_if_ignored task_time_limit task_track_started timezone worker_agent worker_autoscaler "
    "worker_cancel_long_running_tasks_on_connection_loss worker_concurrency worker_consumer "
    "worker_deduplicate_successful_tasks worker_detect_quorum_queues worker_direct worker_disable_prefetch "
    "worker_disable_rate_limits worker_enable_prefetch_count_reduction worker_enable_remote_control "
    "worker_enable_soft_shutdown_on_idle worker_eta_task_limit worker_executable worker_gid "
    "worker_hijack_root_logger worker_log_color worker_log_datefmt worker_log_format worker_logfile worker_lost_wait "
    "worker_max_memory_per_child worker_max_tasks_per_child worker_pidfile worker_pool worker_pool_putlocks "
    "worker_pool_restarts worker_pool_start_method worker_prefetch_multiplier worker_proc_alive_timeout "
    "worker_redirect_stdouts worker_redirect_stdouts_level worker_send_task_events worker_soft_shutdown_timeout "
    "worker_state_db worker_task_log_datefmt worker_task_log_format worker_timer worker_timer_precision worker_uid "
    "worker_umask"
)

#: Settings, names before version 4.
OLD_SETTINGS = (
    "BROKER_CONNECTION_MAX_RETRIES BROKER_CONNECTION_RETRY BROKER_CONNECTION_TIMEOUT BROKER_FAILOVER_STRATEGY "
    "BROKER_HEARTBEAT BROKER_LOGIN_METHOD BROKER_NATIVE_DELAYED_DELIVERY_QUEUE_TYPE BROKER_POOL_ACQUIRE_TIMEOUT "
    "BROKER_POOL_LIMIT BROKER_TRANSPORT BROKER_TRANSPORT_OPTIONS BROKER_URL BROKER_USE_SSL CASSANDRA_COLUMN_FAMILY "
    "CASSANDRA_ENTRY_TTL CASSANDRA_KEYSPACE CASSANDRA_OPTIONS CASSANDRA_PORT CASSANDRA_READ_CONSISTENCY "
    "CASSANDRA_SERVERS CASSANDRA_WRITE_CONSISTENCY CELERYBEAT_MAX_LOOP_INTERVAL CELERYBEAT_SCHEDULE "
    "CELERYBEAT_SCHEDULER CELERYBEAT_SCHEDULE_FILENAME CELERYBEAT_SYNC_EVERY CELERYD_AGENT CELERYD_AUTOSCALER "
    "CELERYD_CONCURRENCY CELERYD_CONSUMER CELERYD_DETECT_QUORUM_QUEUES CELERYD_ETA_TASK_LIMIT "
    "CELERYD_HIJACK_ROOT_LOGGER CELERYD_LOG_COLOR CELERYD_MAX_TASKS_PER_CHILD CELERYD_POOL CELERYD_POOL_PUTLOCKS "
    "CELERYD_POOL_RESTARTS CELERYD_PREFETCH_MULTIPLIER CELERYD_REDIRECT_STDOUTS CELERYD_REDIRECT_STDOUTS_LEVEL "
    "CELERYD_SOFT_TIME_LIMIT CELERYD_STATE_DB CELERYD_TIMER CELERYD_TIMER_PRECISION CELERYD_TIME_LIMIT "
    "CELERYD_WORKER_LOST_WAIT CELERY_ACCEPT_CONTENT CELERY_ACKS_LATE CELERY_ACKS_ON_FAILURE_OR_TIMEOUT "
    "CELERY_ALLOW_ERROR_CB_ON_CHORD_HEADER CELERY_ANNOTATIONS CELERY_ARANGODB_BACKEND_SETTINGS CELERY_CACHE_BACKEND "
    "CELERY_CACHE_BACKEND_OPTIONS CELERY_COUCHBASE_BACKEND_SETTINGS CELERY_CREATE_MISSING_QUEUES "
    "CELERY_CREATE_MISSING_QUEUE_EXCHANGE_TYPE CELERY_CREATE_MISSING_QUEUE_TYPE CELERY_DEFAULT_DELIVERY_MODE "
    "CELERY_DEFAULT_EXCHANGE CELERY_DEFAULT_EXCHANGE_TYPE CELERY_DEFAULT_QUEUE CELERY_DEFAULT_QUEUE_TYPE "
    "CELERY_DEFAULT_RATE_LIMIT CELERY_DEFAULT_ROUTING_KEY CELERY_DISABLE_RATE_LIMITS CELERY_EAGER_PROPAGATES "
    "CELERY_ENABLE_REMOTE_CONTROL CELERY_ENABLE_UTC CELERY_EVENT_QUEUE_DURABLE CELERY_EVENT_QUEUE_EXCLUSIVE "
    "CELERY_EVENT_QUEUE_EXPIRES CELERY_EVENT_QUEUE_PREFIX CELERY_EVENT_QUEUE_TTL CELERY_EVENT_SERIALIZER "
    "CELERY_IGNORE_RESULT CELERY_IMPORTS CELERY_INCLUDE CELERY_MAX_CACHED_RESULTS CELERY_MESSAGE_COMPRESSION "
    "CELERY_MONGODB_BACKEND_SETTINGS CELERY_PUBLISH_RETRY CELERY_PUBLISH_RETRY_POLICY CELERY_QUEUES "
    "CELERY_REDIS_BACKEND_CREDENTIAL_PROVIDER CELERY_REDIS_BACKEND_USE_SSL CELERY_REDIS_DB CELERY_REDIS_HOST "
    "CELERY_REDIS_MAX_CONNECTIONS CELERY_REDIS_PASSWORD CELERY_REDIS_PORT CELERY_REDIS_USERNAME "
    "CELERY_RESULT_BACKEND CELERY_RESULT_COMPRESSION CELERY_RESULT_ENGINE_OPTIONS CELERY_RESULT_EXCHANGE "
    "CELERY_RESULT_EXCHANGE_TYPE CELERY_RESULT_EXPIRES CELERY_RESULT_PERSISTENT CELERY_RESULT_SERIALIZER "
    "CELERY_ROUTES CELERY_SECURITY_CERTIFICATE CELERY_SECURITY_CERT_STORE CELERY_SECURITY_KEY "
    "CELERY_SECURITY_KEY_PASSWORD CELERY_SEND_EVENTS CELERY_SEND_SENT_EVENT CELERY_TASK_ALWAYS_EAGER "
    "CELERY_TASK_REJECT_ON_WORKER_LOST CELERY_TASK_SERIALIZER CELERY_TASK_TRACK_STARTED CELERY_TIMEZONE "
    "CELERY_WORKER_DIRECT CELERY_WORKER_LOG_FORMAT CELERY_WORKER_TASK_LOG_FORMAT"
)

#: Signals.
SIGNALS = (
    "after_setup_logger after_setup_task_logger after_task_publish beat_embedded_init beat_init before_task_publish "
    "celeryd_after_setup celeryd_init eventlet_pool_apply eventlet_pool_postshutdown eventlet_pool_preshutdown "
    "eventlet_pool_started heartbeat_sent import_modules setup_logging task_failure task_internal_error task_postrun "
    "task_prerun task_received task_rejected task_retry task_revoked task_sent task_success task_unknown "
    "user_preload_options worker_before_create_process worker_init worker_process_init worker_process_shutdown "
    "worker_ready worker_shutdown worker_shutting_down"
)

#: Events.
EVENTS = (
    "task-failed task-received task-rejected task-retried task-revoked task-sent task-started task-succeeded "
    "worker-heartbeat worker-offline worker-online"
)

#: Environment variables.
VARIABLES = (
    "AUTOSCALE_KEEPALIVE CELERYBEAT_CHDIR CELERYBEAT_GROUP CELERYBEAT_LOG_FILE CELERYBEAT_LOG_LEVEL CELERYBEAT_OPTS "
    "CELERYBEAT_PID_FILE CELERYBEAT_USER CELERYD_CHDIR CELERYD_GROUP CELERYD_LOG_FILE CELERYD_LOG_LEVEL "
    "CELERYD_NODES CELERYD_OPTS CELERYD_PID_FILE CELERYD_SU_ARGS CELERYD_USER CELERY_APP CELERY_BIN "
    "CELERY_BROKER_URL CELERY_CONFIG_MODULE CELERY_CREATE_DIRS CELERY_CREATE_LOGDIR CELERY_CREATE_RUNDIR "
    "CELERY_CUSTOM_WORKER_POOL CELERY_LOADER CELERY_RDBSIG CELERY_RDB_HOST CELERY_RDB_PORT CELERY_RESULT_BACKEND "
    "CELERY_SKIP_CHECKS CELERY_TRACE_APP CELERY_WORKER_REVOKES_MAX CELERY_WORKER_REVOKE_EXPIRES "
    "CELERY_WORKER_SUCCESSFUL_EXPIRES CELERY_WORKER_SUCCESSFUL_MAX C_FAKEFORK C_FORCE_ROOT REMAP_SIGTERM"
)

#: Commands, and the options of each.
COMMANDS = {
    "": (
        "--app --broker --config --loader --no-color --quiet --result-backend --skip-checks --version --workdir -A "
        "-C -b -q"
    ),
    "report": "",
    "purge": "--exclude-queues --force --queues -Q -X -f",
    "call": "--args --countdown --eta --exchange --expires --kwargs --queue --routing-key --serializer -a -k",
    "beat": (
        "--detach --executable --gid --logfile --loglevel --max-interval --pidfile --schedule --scheduler --uid "
        "--umask -S -f -l -s"
    ),
    "list": "",
    "list bindings": "",
    "result": "--task --traceback -t",
    "migrate": "--ack-messages --forever --limit --queues --tasks --timeout -F -Q -T -a -n -t",
    "status": "--destination --json --timeout -d -j -t",
    "worker": (
        "--autoscale --beat --concurrency --detach --disable-prefetch --discard --events --exclude-queues "
        "--executable --gid --heartbeat-interval --hostname --include --logfile --loglevel --max-memory-per-child "
        "--max-tasks-per-child --optimization --pidfile --pool --prefetch-multiplier --purge --queues --schedule "
        "--schedule-filename --scheduler --soft-time-limit --statedb --task-events --time-limit --uid --umask "
        "--without-gossip --without-heartbeat --without-mingle -B -D -E -I -O -P -Q -S -X -c -f -l -n -s"
    ),
    "events": (
        "--camera --detach --dump --executable --freq --frequency --gid --logfile --loglevel --maxrate --pidfile "
        "--uid --umask -F -c -d -f -l -r"
    ),
    "inspect": "--destination --json --list --timeout -d -j -t",
    "control": "--destination --json --list --timeout -d -j -t",
    "graph": "",
    "graph bootsteps": "",
    "graph workers": "",
    "upgrade": "",
    "upgrade settings": "--compat --django --no-backup",
    "logtool": "",
    "logtool stats": "",
    "logtool traces": "",
    "logtool errors": "",
    "logtool incomplete": "",
    "logtool debug": "",
    "amqp": "",
    "amqp exchange.declare": "",
    "amqp exchange.delete": "",
    "amqp queue.bind": "",
    "amqp queue.declare": "",
    "amqp queue.delete": "",
    "amqp queue.purge": "",
    "amqp basic.get": "",
    "amqp basic.publish": "",
    "amqp basic.ack": "",
    "amqp repl": "",
    "shell": "--bpython --eventlet --gevent --ipython --python --without-tasks -B -I -T",
    "multi": "",
}

#: Remote commands, by kind.
REMOTE = {
    "inspect": (
        "active active_queues clock conf hello memdump memsample objgraph ping query_task registered report reserved "
        "revoked scheduled stats"
    ),
    "control": (
        "add_consumer autoscale cancel_consumer disable_events election enable_events heartbeat pool_grow "
        "pool_restart pool_shrink rate_limit revoke revoke_by_stamped_headers shutdown terminate time_limit"
    ),
}

#: Public members of documented classes, under the names that projects use.
MEMBERS = {
    "Celery": (
        "AsyncResult Beat GroupResult IS_WINDOWS IS_macOS Pickler ResultSet SYSTEM Task WorkController Worker "
        "add_defaults add_periodic_task amqp amqp_cls annotations autodiscover_tasks backend backend_cls "
        "broker_connection bugreport builtin_fixups close conf config_from_cmdline config_from_envvar "
        "config_from_object connection connection_for_read connection_for_write connection_or_acquire control "
        "control_cls create_task_cls current_task current_worker_task default_connection default_producer either "
        "events events_cls finalize gen_task_name loader loader_cls log log_cls main now oid on_after_configure "
        "on_after_finalize on_after_fork on_configure on_init pool prepare_config producer_or_acquire producer_pool "
        "register_task registry_cls select_queues send_task set_current set_default setup_security signature start "
        "steps subclass_with_self task task_cls tasks thread_oid timezone type_checker user_options "
        "uses_utc_timezone worker_main"
    ),
    "app.log": (
        "already_setup colored get_default_logger redirect_stdouts redirect_stdouts_to_logger setup setup_handlers "
        "setup_logging_subsystem setup_task_loggers supports_color"
    ),
    "app.events": "Dispatcher Receiver State default_dispatcher dispatcher_cls receiver_cls state_cls",
    "app.amqp": (
        "BrokerConnection Connection Consumer Producer Queues Router TaskConsumer argsrepr_maxsize as_task_v1 "
        "as_task_v2 autoexchange create_task_message default_exchange default_queue flush_routes kwargsrepr_maxsize "
        "producer_pool publisher_pool queues queues_cls router routes send_task_message utc"
    ),
    "app.amqp.queues": "add add_compat consume_from deselect format new_missing select select_add",
    "app.tasks": "NotRegistered filter_types periodic register regular unregister",
    "app.conf": (
        "add_defaults bind_to broker_read_url broker_url broker_write_url changes defaults finalize find_option "
        "find_value_for_key first get_by_parts humanize iteritems iterkeys itervalues key_t maps "
        "maybe_warn_deprecated_settings result_backend swap_with table task_default_exchange "
        "task_default_routing_key timezone value_set_for without_defaults"
    ),
    "app.backend": (
        "EXCEPTION_STATES READY_STATES TimeoutError UNREADY_STATES add_to_chord apply_chord as_uri "
        "chord_error_from_stack cleanup current_task_children decode decode_result delete_group encode encode_result "
        "ensure_chords_allowed exception_safe_to_retry exception_to_python fail_from_current_stack "
        "fallback_chord_unlock forget get_children get_group_meta get_result get_state get_status get_task_meta "
        "get_traceback is_cached mark_as_done mark_as_failure mark_as_retry mark_as_revoked mark_as_started "
        "meta_from_decoded on_backend_retryable_error on_chord_part_return on_task_call persistent prepare_exception "
        "prepare_expires prepare_persistent prepare_value process_cleanup reload_group_result reload_task_result "
        "restore_group retry_policy save_group set_chord_size store_result subpolling_interval supports_autoexpire "
        "supports_native_join task_result_exists"
    ),
    "Task": (
        "AsyncResult MaxRetriesExceededError OperationalError Request Strategy abstract acks_late acks_on_failure "
        "acks_on_failure_or_timeout acks_on_timeout add_around add_to_chord add_trail after_return annotate app "
        "apply apply_async backend before_start bind chunks default_retry_delay delay expires from_config "
        "ignore_result map max_retries name on_bound on_failure on_replace on_retry on_success pop_request priority "
        "push_request rate_limit reject_on_worker_lost replace request request_stack resultrepr_maxsize retry run s "
        "send_event send_events serializer shadow_name si signature signature_from_request soft_time_limit starmap "
        "start_strategy store_errors_even_if_ignored subtask subtask_from_request throws time_limit track_started "
        "trail typing update_state"
    ),
    "request": (
        "args as_execution_options callbacks called_directly chain children chord correlation_id delivery_info "
        "errbacks eta expires group group_index headers hostname id ignore_result is_eager kwargs logfile loglevel "
        "origin parent_id properties replaced_task_nesting reply_to retries root_id shadow soft_time_limit "
        "stamped_headers stamps taskset time_limit timelimit utc"
    ),
    "Signature": (
        "AsyncResult TYPES app append_to_list_option apply apply_async args clone delay election extend_list_option "
        "flatten_links freeze from_dict id immutable kwargs link link_error name on_error options parent_id partial "
        "register_type replace reprcall root_id set set_immutable stamp stamp_links subtask_type task type"
    ),
    "chain": "app apply apply_async clone freeze from_dict prepare_steps run stamp tasks unchain_tasks",
    "group": "app apply apply_async freeze from_dict link link_error set_immutable skew stamp tasks",
    "chord": ("app apply apply_async body clone freeze from_dict link link_error run set_immutable stamp tasks"),
    "chunks": "apply_async apply_chunks from_dict group",
    "StampingVisitor": (
        "on_callback on_chain_end on_chain_start on_chord_body on_chord_header_end on_chord_header_start on_errback "
        "on_group_end on_group_start on_signature"
    ),
    "AsyncResult": (
        "TimeoutError app args as_list as_tuple backend build_graph children collect date_done exists failed forget "
        "get_leaf graph id ignored info iterdeps kwargs maybe_reraise maybe_throw name parent queue ready result "
        "retries revoke revoke_by_stamped_headers state status successful supports_native_join task_id then throw "
        "traceback wait worker"
    ),
    "ResultSet": (
        "add app backend completed_count discard failed forget iter_native join join_native maybe_reraise "
        "maybe_throw parent ready remove results revoke successful supports_native_join then waiting"
    ),
    "GroupResult": "as_tuple children delete id restore save",
    "schedule": (
        "app human_seconds is_due maybe_make_aware now relative remaining_estimate seconds to_local tz utc_enabled"
    ),
    "crontab": "from_string remaining_delta",
    "Scheduler": (
        "Entry add adjust apply_async apply_entry close connection get_schedule info install_default_entries is_due "
        "logger max_interval merge_inplace populate_heap producer reserve schedule schedules_equal send_task "
        "set_schedule setup_schedule should_sync sync sync_every sync_every_tasks tick update_from_dict"
    ),
    "PersistentScheduler": "known_suffixes persistence",
    "ScheduleEntry": (
        "args default_now editable_fields_equal is_due kwargs last_run_at name next options schedule total_run_count"
    ),
    "Service": "get_scheduler scheduler scheduler_cls start stop sync",
    "app.events.State": (
        "Task Worker alive_workers clear_tasks event event_count freeze_while get_or_create_task "
        "get_or_create_worker heap_multiplier itertasks rebuild_taskheap task_count task_event task_types "
        "tasks_by_time tasks_by_timestamp worker_event"
    ),
    "events.state.Worker": (
        "active alive clock event expire_window freq heartbeat_expires heartbeat_max heartbeats hostname id loadavg "
        "pid processed status_string sw_ident sw_sys sw_ver"
    ),
    "events.state.Task": (
        "args as_dict client clock eta event exception exchange expires failed id info kwargs merge_rules name "
        "origin parent parent_id ready received rejected result retried retries revoked root root_id routing_key "
        "runtime sent started state succeeded timestamp traceback worker"
    ),
    "app.events.Receiver": (
        "Consumer app capture channel_errors connect_max_retries connection connection_errors consume "
        "consumer_context create_connection establish_connection event_from_message extra_context get_consumers "
        "itercapture maybe_conn_error on_connection_error on_connection_revived on_consume_end on_consume_ready "
        "on_decode_error on_iteration process restart_limit run should_stop wakeup_workers"
    ),
    "app.events.Dispatcher": (
        "DISABLED_TRANSPORTS app close disable enable extend_buffer flush on_disabled on_enabled publish publisher send"
    ),
    "Polaroid": (
        "cancel capture cleanup cleanup_signal clear_after install on_cleanup on_shutter shutter shutter_signal timer"
    ),
    "Control": (
        "Mailbox add_consumer autoscale broadcast cancel_consumer disable_events discard_all election enable_events "
        "heartbeat inspect ping pool_grow pool_restart pool_shrink purge rate_limit revoke revoke_by_stamped_headers "
        "shutdown terminate time_limit"
    ),
    "Inspect": (
        "active active_queues app clock conf hello memdump memsample objgraph ping query_task registered "
        "registered_tasks report reserved revoked scheduled stats"
    ),
}
