"""Tasks found by autodiscovery; they know no application."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from ignitetasks import Task, current_app, current_task, shared_task
from ignitetasks.utils.log import get_task_logger
from shop_project.main import note

logger = get_task_logger(__name__)


class Noted(Task):
    """Writes down which of its hooks were called."""

    def before_start(self, task_id, args, kwargs):
        note("before_start", task_id, args)

    def on_success(self, retval, task_id, args, kwargs):
        note("on_success", task_id, retval, self.request.id == task_id)

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        note("on_failure", task_id, exc)
        if args and args[0] == "bad hook":
            raise RuntimeError("the hook's own fault")

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        note("on_retry", task_id, exc)

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        note("after_return", task_id, status)


@shared_task
def total(prices: list[Decimal]) -> Decimal:
    logger.info("adding %s prices", len(prices))
    print("printed for", len(prices), "prices")
    return sum(prices, Decimal(0))


@shared_task(bind=True, base=Noted)
def divide(self, x: Any, by: int = 1) -> float:
    return x / by


@shared_task(bind=True, base=Noted, max_retries=2, default_retry_delay=0)
def flaky(self, label: str) -> int:
    try:
        if self.request.retries < 2:
            raise ConnectionError(f"try {self.request.retries}")
    except ConnectionError as error:
        raise self.retry(exc=error, countdown=0) from error
    return self.request.retries


@shared_task(bind=True)
def ask(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
    request = self.request
    return {
        "id": request.id, "root_id": request.root_id, "parent_id": request.parent_id, "args": request.args,
        "kwargs": request.kwargs, "hostname": request.hostname, "is_eager": request.is_eager,
        "called_directly": request.called_directly, "retries": request.retries, "headers": request.headers,
        "trace": request.get("trace"), "priority": request.delivery_info["priority"],
        "routing_key": request.delivery_info["routing_key"], "redelivered": request.delivery_info["redelivered"],
        "time_limit": request.time_limit, "soft_time_limit": request.soft_time_limit,
        "expires": bool(request.expires and datetime.fromisoformat(request.expires).tzinfo), "shadow": request.shadow,
        "current_task": current_task.name, "current_app": current_app.name,
    }  # fmt: skip


@shared_task(bind=True)
def parent(self) -> str:
    return ask.delay().id


@shared_task
def big(size: int) -> str:
    return "x" * size
