"""A Flask application that adds numbers in the background.

`create_app` makes one; `background_app` is what `ignitetasks worker -A web` runs.
"""

from background import init_background
from flask import Flask, current_app, jsonify, request

from ignitetasks import shared_task
from ignitetasks.result import AsyncResult


@shared_task(ignore_result=False)
def add(x: int, y: int) -> str:
    # The application context is there, as in a request.
    return f"{x} + {y} = {x + y}, says {current_app.config['SHOP']}"


def create_app() -> Flask:
    app = Flask("sums")
    app.config["SHOP"] = "the shop"
    app.config["BACKGROUND"] = {"task_ignore_result": True, "task_default_queue": "sums"}
    init_background(app)

    @app.post("/sums")
    def send():
        numbers = request.get_json()
        return jsonify(id=add.delay(numbers["x"], numbers["y"]).id), 202

    @app.get("/sums/<task_id>")
    def show(task_id: str):
        result = AsyncResult(task_id)
        ready = result.ready()
        return jsonify(ready=ready, successful=result.successful() if ready else None, value=result.result)

    return app


flask_app = create_app()
background_app = flask_app.extensions["background"]
