"""What ``app.amqp`` is made of, under Celery's module name: a view of the queues, without any AMQP behind it."""

from ignitetasks.app.queues import AMQP, Queue, Queues

__all__ = ["AMQP", "Queue", "Queues"]
