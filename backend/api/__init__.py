"""The REST API: one router per noun. ``create_api`` is what the web server mounts at ``/api/v1``."""

from importlib.metadata import version

from fastapi import Depends, FastAPI

from backend.api import (
    audits,
    catalogue,
    corrections,
    datasets,
    draws,
    exports,
    generations,
    health,
    lab,
    loops,
    panels,
    sweeps,
    theory,
    users,
)
from backend.api.errors import ANSWERS, install_handlers
from backend.api.guard import Guard
from backend.api.roles import admitted
from backend.context import Backend

PREFIX = "/api/v1"
UPLOADS = ("/correct", "/datasets")
ROUTERS = (
    loops.router, sweeps.router, exports.router, generations.router, draws.router, panels.router, theory.router,
    lab.router, catalogue.router, corrections.router, audits.router, datasets.router, health.router,
    users.router,
)  # fmt: skip


def create_api(backend: Backend) -> FastAPI:
    """The API of one installation, as an application of its own: mount it at PREFIX.

    Its OpenAPI description is at ``openapi.json``; the usual pages for it load scripts from elsewhere and are off.
    """
    api = FastAPI(
        title="Loopscope",
        version=version("loopscope"),
        description="Self-consuming training loops: launch, watch, compare, correct.",
        docs_url=None,
        redoc_url=None,
        responses=ANSWERS,
        dependencies=[Depends(admitted)],
    )
    api.state.backend = backend
    install_handlers(api)
    api.add_middleware(Guard, upload_paths=UPLOADS, upload_limit_mb=backend.settings.upload_limit_mb)
    for router in ROUTERS:
        api.include_router(router)
    return api
