"""Settings in the way of Django projects."""

import os

CELERY_TASK_DEFAULT_QUEUE = os.environ.get("SHOP_QUEUE", "shop")
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_TASK_ROUTES = {"shop_project.orders.tasks.*": {"priority": 3}}
CELERY_TASK_ANNOTATIONS = {"shop_project.orders.tasks.divide": {"max_retries": 1}}
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_RESULT_COMPRESSION = "gzip"
CELERY_TIMEZONE = "Europe/Berlin"
CELERY_BROKER_POOL_LIMIT = 5
DEBUG = True
