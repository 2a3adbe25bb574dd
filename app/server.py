"""The web server: REST under ``/api/v1``, the viewer's files, the dashboard at ``/``."""

import ipaddress
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from app.theme import HEAD, STATIC, stylesheet, theme
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

    from app.dashboard import build_blocks
    from backend.api import create_api
    from backend.context import open_backend
    from backend.observe import add_probes

    opened = backend if backend is not None else open_backend(settings)
    app = FastAPI(title="Loopscope", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_NoForeignPages)
    app.mount("/api/v1", create_api(opened))
    app.mount("/viewer", StaticFiles(directory=VIEWER, check_dir=False))
    add_probes(app, opened)
    _add_files(app, opened)
    served: FastAPI = gr.mount_gradio_app(
        app,
        build_blocks(opened),
        path="/",
        server_name=opened.settings.host,
        server_port=opened.settings.port,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=f"{opened.settings.upload_limit_mb}mb",
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css=stylesheet(),
        head=HEAD,
    )
    return served


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

        ids = [bit for bit in loops.split(",") if bit][:256]
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


def check_bind(host: str) -> None:
    """Refuse to listen to the network by accident: there is no log-in.

    Raises:
        InvalidConfig: for an address other than loopback without explicit leave.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and os.environ.get(PUBLIC_BIND, "").lower() not in ("1", "true", "yes"):
        raise InvalidConfig(
            f"LOOPSCOPE_HOST={host} would open this server, which has no log-in, to the network.",
            f"Use 127.0.0.1, or set {PUBLIC_BIND}=1 where a proxy or firewall guards it.",
            "LOOPSCOPE_HOST",
        )


def main() -> None:
    """Serve until interrupted; what prevents it is one line."""
    try:
        settings = read_settings()
        check_bind(settings.host)
        app = create_app(settings)
    except LoopscopeError as error:
        sys.stderr.write(f"loopscope: {error}\n")
        raise SystemExit(2) from None
    import uvicorn

    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
