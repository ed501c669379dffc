"""The application of the background tasks; its settings are those of Django that begin with CELERY_."""

import os

from ignitetasks import IgniteTasks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = IgniteTasks("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()  # looks for tasks.py in every application of INSTALLED_APPS
