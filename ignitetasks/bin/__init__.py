"""The command line under Celery's module names."""
