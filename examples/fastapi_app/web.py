"""A FastAPI service that sends tasks and waits for them without blocking its event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from tasks import app as background
from tasks import shrink

from ignitetasks.result import AsyncResult


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    # Before the first request: the first call starts a node where none runs.
    await asyncio.to_thread(background.transport.call, "ping")
    yield
    background.close()


service = FastAPI(lifespan=lifespan)


@service.post("/pictures")
async def send(width: int, height: int) -> dict[str, str]:
    handle = await shrink.adelay(width, height)
    return {"id": handle.id}


@service.get("/pictures/{task_id}")
async def show(task_id: str) -> dict[str, list[int]]:
    return {"size": await AsyncResult(task_id)}
