"""The loader of applications, under Celery's module name."""

from ignitetasks.loaders.base import BaseLoader

__all__ = ["AppLoader"]


class AppLoader(BaseLoader):
    """Imports the modules of an application; see `BaseLoader`."""
