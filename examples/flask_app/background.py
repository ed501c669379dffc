"""Ties an app of background tasks to a Flask application: tasks run inside its application context."""

from typing import Any

from flask import Flask

from ignitetasks import IgniteTasks, Task


def init_background(flask_app: Flask) -> IgniteTasks:
    class ContextTask(Task):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with flask_app.app_context():
                return self.run(*args, **kwargs)

    app = IgniteTasks(flask_app.name, task_cls=ContextTask)
    app.config_from_object(flask_app.config["BACKGROUND"])
    app.set_default()
    flask_app.extensions["background"] = app
    return app
