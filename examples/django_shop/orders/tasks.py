"""Background tasks of the orders; found by `autodiscover_tasks`, and bound to the project's app."""

from ignitetasks import shared_task
from orders.models import Order


@shared_task
def confirm(number: int) -> str:
    # The order is in the database: this was sent after the commit that wrote it.
    order = Order.objects.get(pk=number)
    order.confirmed = True
    order.save(update_fields=["confirmed"])
    return f"order {number}: {order.article} confirmed"
