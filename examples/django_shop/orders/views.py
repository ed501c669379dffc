"""The shop's pages, as JSON."""

from django.db import transaction
from django.http import HttpRequest, JsonResponse

from orders.models import Order
from orders.tasks import confirm


@transaction.atomic
def create(request: HttpRequest) -> JsonResponse:
    order = Order.objects.create(article=request.GET["article"])
    confirm.delay_on_commit(order.pk)
    if "sold-out" in order.article:
        # The order was never there, and so the task is never sent.
        transaction.set_rollback(True)
        return JsonResponse({"error": "sold out"}, status=409)
    return JsonResponse({"number": order.pk}, status=202)


def show(request: HttpRequest, number: int) -> JsonResponse:
    order = Order.objects.get(pk=number)
    return JsonResponse({"number": order.pk, "article": order.article, "confirmed": order.confirmed})
