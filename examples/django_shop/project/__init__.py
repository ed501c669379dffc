"""The project. The app is imported here, so that it exists wherever Django runs."""

from project.background import app

__all__ = ["app"]
