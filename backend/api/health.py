"""Whether the server, its database and its broker answer, and everything else that the System page shows."""

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from backend import loops
from backend.api.context import Context
from backend.observe.observer import Observer
from backend.observe.views import SystemView
from backend.queue import CPU, GPU

router = APIRouter(tags=["system"])


class HealthView(BaseModel):
    """``degraded``: it answers, but the database or the broker does not. ``waiting``: messages per queue."""

    status: Literal["ok", "degraded"]
    version: str
    database: bool
    broker: bool
    revision: int
    waiting: dict[str, int]


@router.get("/health", summary="Whether server, database and broker answer")
def health(backend: Context) -> HealthView:
    try:
        revision, database = loops.revision(backend), True
    except SQLAlchemyError:
        revision, database = -1, False
    waiting: dict[str, int] = {}
    for name in (GPU, CPU):
        count = backend.queue.waiting(name)
        if count is None:
            break  # a broker that is away makes every question slow
        waiting[name] = count
    broker = CPU in waiting
    return HealthView(
        status="ok" if database and broker else "degraded",
        version=version("loopscope"),
        database=database,
        broker=broker,
        revision=revision,
        waiting=waiting,
    )


@router.get("/system", summary="Workers, queues, memory, disk, versions, last errors")
def system(backend: Context, request: Request) -> SystemView:
    state = request.app.state
    if getattr(state, "observer", None) is None:
        state.observer = Observer(backend)  # of this application, as its backend is
    observer: Observer = state.observer
    return observer.system()
