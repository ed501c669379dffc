"""The Django application ``ignitetasks.contrib.django``: it brings the management command, and no models."""

from __future__ import annotations

from django.apps import AppConfig


class IgniteTasksConfig(AppConfig):  # type: ignore[misc]  # Django has no type information
    """Lets ``manage.py`` find the command ``ignitetasks``."""

    name = "ignitetasks.contrib.django"
    label = "ignitetasks"
    verbose_name = "Background tasks"
