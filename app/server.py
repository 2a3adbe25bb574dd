"""The web server: REST under ``/api/v1``, the viewer's files, the dashboard at ``/``, all behind one door."""

import dataclasses
import ipaddress
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from fastapi import FastAPI, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from app.theme import HEAD, STATIC, stylesheet, theme
from backend.gate import NotSignedIn
from backend.settings import Settings, read_settings
from core.errors import InvalidConfig, LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend

log = logging.getLogger(__name__)

VIEWER = Path(__file__).parent / "viewer" / "dist"
PUBLIC_BIND = "LOOPSCOPE_ALLOW_PUBLIC"


def create_app(settings: Settings | None = None, *, backend: "Backend | None" = None) -> FastAPI:
    """The whole server over the installation that the settings name.

    Args:
        backend: an open one, instead of opening the settings'.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    import gradio as gr

    from app.dashboard import build_blocks, opened_at
    from app.door import Door
    from app.login import add_login
    from app.policy import MarkedScripts
    from backend.access.gate import SessionGate
    from backend.api import create_api
    from backend.context import open_backend
    from backend.observe import add_probes

    found = backend if backend is not None else open_backend(settings)
    settings = found.settings
    gate = SessionGate(found, may_be_open=may_be_open(settings.host))
    opened = dataclasses.replace(found, gate=gate)
    app = FastAPI(title="Loopscope", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_company_of(found))
    app.add_middleware(MarkedScripts, edit=opened_at)
    app.add_middleware(_NoForeignPages)
    app.mount("/api/v1", create_api(opened))
    app.mount("/viewer", StaticFiles(directory=VIEWER, check_dir=False))
    add_probes(app, opened)
    add_login(app, found, gate)
    _add_files(app, opened)
    app.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=2)
    app.add_middleware(Door, gate=gate, settings=settings)  # the outermost: added last

    def who(_: Request) -> str | None:
        """For Gradio: the name behind a request, empty where there is no log-in, None for nobody."""
        try:
            return gate.require("viewer").name
        except NotSignedIn:
            return None

    served: FastAPI = gr.mount_gradio_app(
        app,
        build_blocks(opened),
        path="/",
        auth_dependency=who,
        server_name=settings.host,
        server_port=settings.port,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=f"{settings.upload_limit_mb}mb",
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css=stylesheet(),
        head=HEAD,
    )
    return served


def _company_of(backend: "Backend") -> "Callable[[FastAPI], AbstractAsyncContextManager[None]]":
    """What works beside the pages while the server runs: lost stages are taken up again; it says that it is there."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        from backend.presence import Presence
        from backend.reconciler import Reconciler

        name = f"{socket.gethostname()}:{os.getpid()}"
        company = (Reconciler(backend, name), Presence(backend, name, "", "server"))
        for one in company:
            one.start()
        try:
            yield
        finally:
            for one in company:
                await run_in_threadpool(one.stop)

    return lifespan


class _NoForeignPages:
    """Gradio answers 500 to a ``page`` that it does not know; ours are tabs, so that is taken out of the address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET":
            asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            kept = [(name, value) for name, value in asked if name != "page"]
            if kept != asked:
                await RedirectResponse(f"/?{urlencode(kept)}" if kept else "/")(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _add_files(app: FastAPI, backend: "Backend") -> None:
    @app.get("/ui/plotly.min.js", include_in_schema=False)
    def plotly() -> Response:
        return FileResponse(plotly_file(), headers={"Cache-Control": "max-age=86400"})

    @app.get("/ui/curves.csv", include_in_schema=False)
    def curves(loops: str = "", seeds: str = "") -> Response:
        from app.curvesfile import curves_csv, seeds_csv

        ids = [bit for bit in loops.split(",") if bit][:5000]
        text = seeds_csv(backend, ids) if seeds == "1" else curves_csv(backend, ids)
        name = "loopscope-seeds.csv" if seeds == "1" else "loopscope-curves.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    @app.get("/ui/audit/{audit_id}.html", include_in_schema=False)
    def audit_report(audit_id: str) -> Response:
        return _audit_report(backend, audit_id)

    @app.get("/favicon.ico", include_in_schema=False)
    def favicon() -> Response:
        return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return RedirectResponse("/api/v1/openapi.json")

    app.mount("/ui", StaticFiles(directory=STATIC))


def plotly_file() -> Path:
    """The chart library that the ``plotly`` package brings along (found without importing the package)."""
    from importlib.util import find_spec

    found = find_spec("plotly")
    folder = Path((found.submodule_search_locations or ["."])[0]) if found is not None else Path(".")
    return folder / "package_data" / "plotly.min.js"


def _audit_report(backend: "Backend", audit_id: str) -> Response:
    """A finished audit as one HTML file; a sentence where there is none."""
    from app.auditreport import page
    from backend import audits

    try:
        view = audits.show(backend, audit_id)
    except LoopscopeError as error:
        return PlainTextResponse(str(error), 404)
    if view.result is None:
        return PlainTextResponse(f"This audit has no result: {view.sentence}.", 404)
    headers = {"Content-Disposition": f'attachment; filename="loopscope-audit-{view.id}.html"'}
    return Response(page(view), media_type="text/html; charset=utf-8", headers=headers)


def may_be_open(host: str) -> bool:
    """Whether nobody need log in: on loopback, or where a person vouches for who reaches the address."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    return loopback or os.environ.get(PUBLIC_BIND, "").lower() in ("1", "true", "yes")


def check_bind(settings: Settings) -> None:
    """Refuse to listen to a network by accident.

    Raises:
        InvalidConfig: for an address other than loopback while there are no users.
    """
    if may_be_open(settings.host):
        return
    from backend.access.users import has_users
    from backend.context import open_backend

    settings.home.mkdir(parents=True, exist_ok=True)
    backend = open_backend(settings)
    try:
        known = has_users(backend)
    finally:
        backend.close()
    if not known:
        raise InvalidConfig(
            f"LOOPSCOPE_HOST={settings.host} would open this server to the network, and it has no users.",
            "Add one: loopscope users add NAME --role admin. Or use 127.0.0.1; "
            f"{PUBLIC_BIND}=1 only where nobody else reaches the port.",
            "LOOPSCOPE_HOST",
        )
    if not settings.https and not settings.proxies:
        log.warning(
            "%s is no loopback address, and nothing says that browsers come by https: passwords cross the network in "
            "the clear. Put a proxy with TLS before it and set LOOPSCOPE_HTTPS=1.",
            settings.host,
        )


def serve(settings: Settings) -> None:
    """Serve in this process until interrupted."""
    import uvicorn

    from app.connections import PatientProtocol

    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=PatientProtocol,
        ws="none",
        log_config=None,  # logs are backend.logs' business
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies or None,
    )


def main() -> None:
    """Serve until interrupted; what prevents it is one line."""
    from backend.logs import configure

    try:
        settings = read_settings()
        configure(settings, "server")
        check_bind(settings)
        serve(settings)
    except LoopscopeError as error:
        sys.stderr.write(f"loopscope: {error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
