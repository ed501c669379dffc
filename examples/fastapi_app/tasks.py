"""The application and its task, imported by the web service and by the worker."""

import asyncio

from ignitetasks import IgniteTasks

app = IgniteTasks("thumbnails")


@app.task
async def shrink(width: int, height: int) -> list[int]:
    await asyncio.sleep(0.05)  # a picture service answers
    return [width // 2, height // 2]
