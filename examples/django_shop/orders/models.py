"""What the shop keeps."""

from django.db import models


class Order(models.Model):
    """One order; `confirmed` is set by a background task."""

    article = models.CharField(max_length=100)
    confirmed = models.BooleanField(default=False)
