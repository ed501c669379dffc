"""What happens in clients, workers and beats, to connect functions to.

    from ignitetasks.signals import task_failure

    @task_failure.connect
    def tell_somebody(sender, task_id, exception, **kwargs): ...

Which process sends a signal, and when, is in docs/signals.md. This file must not send anything.
"""

from __future__ import annotations

from ignitetasks.utils.dispatch import Group, Signal

#: Receivers of the signals around a task's run; a worker's loop looks here before it does anything for them.
running = Group()

# In the process that sends a task.
before_task_publish = Signal(
    name="before_task_publish",
    providing_args={"body", "exchange", "routing_key", "headers", "properties", "declare", "retry_policy"},
)
after_task_publish = Signal(name="after_task_publish", providing_args={"body", "exchange", "routing_key", "headers"})

# In the worker's parent process, before a task begins.
task_received = Signal(name="task_received", providing_args={"request"})
# In the process that runs it.
task_prerun = Signal(name="task_prerun", providing_args={"task_id", "task", "args", "kwargs"}, group=running)
task_postrun = Signal(
    name="task_postrun",
    providing_args={"task_id", "task", "args", "kwargs", "retval", "state"},
    group=running,
)
task_success = Signal(name="task_success", providing_args={"result", "runtime"}, group=running)
task_retry = Signal(name="task_retry", providing_args={"request", "reason", "einfo"}, group=running)
task_failure = Signal(
    name="task_failure",
    providing_args={"task_id", "exception", "args", "kwargs", "traceback", "einfo"},
    group=running,
)
task_rejected = Signal(name="task_rejected", providing_args={"message", "exc"}, group=running)
task_internal_error = Signal(
    name="task_internal_error",
    providing_args={"task_id", "args", "kwargs", "request", "exception", "traceback", "einfo"},
)
task_unknown = Signal(name="task_unknown", providing_args={"message", "exc", "name", "id"})
# In the worker's parent process.
task_revoked = Signal(name="task_revoked", providing_args={"request", "terminated", "signum", "expired"})

celeryd_init = Signal(name="celeryd_init", providing_args={"instance", "conf", "options"})
celeryd_after_setup = Signal(name="celeryd_after_setup", providing_args={"instance", "conf"})
import_modules = Signal(name="import_modules")
worker_init = Signal(name="worker_init")
worker_before_create_process = Signal(name="worker_before_create_process")
worker_ready = Signal(name="worker_ready")
worker_shutting_down = Signal(name="worker_shutting_down", providing_args={"sig", "how", "exitcode"})
worker_shutdown = Signal(name="worker_shutdown")
heartbeat_sent = Signal(name="heartbeat_sent")
# In its children.
worker_process_init = Signal(name="worker_process_init")
worker_process_shutdown = Signal(name="worker_process_shutdown", providing_args={"pid", "exitcode"})

# Wherever a program sets up logging.
setup_logging = Signal(name="setup_logging", providing_args={"loglevel", "logfile", "format", "colorize"})
after_setup_logger = Signal(
    name="after_setup_logger", providing_args={"logger", "loglevel", "logfile", "format", "colorize"}
)
after_setup_task_logger = Signal(
    name="after_setup_task_logger", providing_args={"logger", "loglevel", "logfile", "format", "colorize"}
)

beat_init = Signal(name="beat_init")
beat_embedded_init = Signal(name="beat_embedded_init")

user_preload_options = Signal(name="user_preload_options", providing_args={"app", "options"})

__all__ = [
    "after_setup_logger",
    "after_setup_task_logger",
    "after_task_publish",
    "beat_embedded_init",
    "beat_init",
    "before_task_publish",
    "celeryd_after_setup",
    "celeryd_init",
    "heartbeat_sent",
    "import_modules",
    "setup_logging",
    "task_failure",
    "task_internal_error",
    "task_postrun",
    "task_prerun",
    "task_received",
    "task_rejected",
    "task_retry",
    "task_revoked",
    "task_success",
    "task_unknown",
    "user_preload_options",
    "worker_before_create_process",
    "worker_init",
    "worker_process_init",
    "worker_process_shutdown",
    "worker_ready",
    "worker_shutdown",
    "worker_shutting_down",
]
