"""``/healthz``, ``/readyz`` and ``/metrics`` at the root of a server."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response

from backend.context import Backend
from backend.gate import Forbidden, NotSignedIn
from backend.observe.exposition import CONTENT_TYPE, Exposition
from backend.observe.observer import Observer
from backend.observe.requests import CountRequests

NEVER_KEPT = {"Cache-Control": "no-store"}


def add_probes(app: FastAPI, backend: Backend) -> None:
    """Add the routes, and count all requests of ``app``.

    ``/healthz`` says that the process lives and asks nobody. ``/readyz`` asks everything that the server needs and
    answers 503 when something is missing; what it found in words is for those who may look. ``/metrics`` is for them
    alone.
    """
    observer = Observer(backend)
    exposition = Exposition(backend, observer)
    app.add_middleware(CountRequests, counts=exposition.requests)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return JSONResponse({"status": "alive"}, headers=NEVER_KEPT)

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> Response:
        found = observer.checks()
        ready = all(check.ok for check in found)
        body: dict[str, Any] = {"status": "ready" if ready else "not ready"}
        if _may_look(backend):
            body["checks"] = {check.name: check.model_dump(exclude={"name"}) for check in found}
        return JSONResponse(body, 200 if ready else 503, headers=NEVER_KEPT)

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        try:
            backend.gate.require("viewer")
        except (NotSignedIn, Forbidden) as error:
            status = 401 if isinstance(error, NotSignedIn) else 403
            return JSONResponse({"error": {"code": error.code, "message": error.message, "hint": error.hint}}, status)
        return Response(exposition.text(), headers=NEVER_KEPT, media_type=CONTENT_TYPE)


def _may_look(backend: Backend) -> bool:
    try:
        backend.gate.require("viewer")
    except (NotSignedIn, Forbidden):
        return False
    return True
