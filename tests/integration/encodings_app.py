"""An application whose encodings its environment names; imported by tests and by their workers."""

from __future__ import annotations

import json
import os
from typing import Any

from ignitetasks import IgniteTasks
from ignitetasks.serializers import register


class Point:
    """Something only the encoding of this module, and pickle, know."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)


def dump(value: Any) -> str:
    return json.dumps(value, default=lambda point: {"point": [point.x, point.y]})


def load(text: str) -> Any:
    return json.loads(text, object_hook=lambda found: Point(*found["point"]) if "point" in found else found)


register("points", dump, load, content_type="application/x-points", content_encoding="utf-8")

app = IgniteTasks("encodings")
app.conf.accept_content = os.environ.get("ENCODINGS", "msgpack,json").split(",")
app.conf.task_serializer = app.conf.result_serializer = app.conf.accept_content[0]
app.conf.result_compression = os.environ.get("ENCODINGS_COMPRESSION") or None


@app.task
def echo(value: Any) -> Any:
    return value


@app.task
def pair(left: Any, right: Any = None) -> list[Any]:
    return [left, right]


@app.task
def kinds(value: Any) -> list[str]:
    return [type(one).__name__ for one in value]
