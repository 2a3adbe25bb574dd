"""The log-in page: plain HTML that needs no script, and what its form does."""

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from app.door import cookie_name, is_https
from app.policy import LOGIN
from backend.access.gate import NOBODY, SessionGate
from backend.access.sessions import log_in, log_out
from backend.api.errors import AWAY, DatabaseAway, answer_to
from backend.gate import NotSignedIn
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend

LONGEST_FIELD = 4096

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in - Loopscope</title>
<link rel="icon" href="/ui/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/ui/login.css">
</head>
<body>
<main>
<h1>Loopscope</h1>
<p class="soft">self-consuming training loops of generative models</p>
{notice}<form method="post" action="/login">
<input type="hidden" name="next" value="{wanted}">
<label for="name">Name</label>
<input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false"
 maxlength="64" required{focus_name}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{focus_password}>
<button type="submit">Log in</button>
</form>
<p class="soft">An admin adds people with <code>loopscope users add NAME</code>.</p>
</main>
</body>
</html>
"""


def add_login(app: FastAPI, backend: "Backend", gate: SessionGate) -> None:
    """``/login`` and ``/logout``."""
    settings = backend.settings

    @app.get("/login", include_in_schema=False)
    def form(next: str = "/") -> Response:
        try:
            gate.require("viewer")
        except NotSignedIn:
            return _page(next)
        return RedirectResponse(local(next), 303)

    @app.post("/login", include_in_schema=False)
    async def enter(request: Request) -> Response:
        fields = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        wanted, name, password = (fields.get(field, "")[:LONGEST_FIELD] for field in ("next", "name", "password"))
        address = request.client.host if request.client is not None else ""
        try:
            secret = await run_in_threadpool(log_in, backend, name, password, address)
        except LoopscopeError as error:
            return _page(wanted, name=name, error=error)
        except AWAY:
            return _page(wanted, name=name, error=DatabaseAway())
        answer = RedirectResponse(local(wanted), 303)
        secure = is_https(settings, request.scope)
        answer.set_cookie(
            cookie_name(settings, request.scope), secret, max_age=int(settings.session_hours * 3600),
            path="/", secure=secure, httponly=True, samesite="lax",
        )  # fmt: skip
        return answer

    @app.post("/logout", include_in_schema=False)
    def leave(request: Request) -> Response:
        name = cookie_name(settings, request.scope)
        log_out(backend, request.cookies.get(name, ""))
        answer = RedirectResponse("/" if gate.require("viewer") == NOBODY else "/login", 303)
        answer.delete_cookie(name, path="/", secure=is_https(settings, request.scope), httponly=True, samesite="lax")
        return answer


def local(address: str) -> str:
    """The address if it is a view of this server's page, else the first view: a log-in leads nowhere else."""
    if not address.startswith("/?") or not address.isascii() or not address.isprintable():
        return "/"
    parts = urlsplit(address)
    return "/" if parts.scheme or parts.netloc else address


def _page(wanted: str, *, name: str = "", error: LoopscopeError | None = None) -> Response:
    told = answer_to(error) if error is not None else None
    notice = f'<p class="notice" role="alert">{escape(str(error))}</p>\n' if error is not None else ""
    text = PAGE.format(
        notice=notice,
        wanted=escape(local(wanted)),
        name=escape(name[:64]),
        focus_name="" if name else " autofocus",
        focus_password=" autofocus" if name else "",
    )
    headers = {"content-security-policy": LOGIN, "cache-control": "no-store"}
    if told is not None and "retry-after" in told.headers:
        headers["retry-after"] = told.headers["retry-after"]
    return HTMLResponse(text, 200 if told is None else told.status_code, headers=headers)
