"""The one way into the web server: which names, origins and paths it answers, and as whom a request comes in."""

import ipaddress
import logging
import re
import socket
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.policy import protect
from backend.access.gate import SessionGate, visiting
from backend.api import PREFIX
from backend.api.errors import AWAY, DatabaseAway, answer_to
from backend.api.guard import SLOWEST_S, bounded, too_large
from backend.api.roles import SAFE_METHODS
from backend.gate import Actor, Forbidden, NotSignedIn
from backend.settings import Settings
from core.errors import LoopscopeError, NotFound

log = logging.getLogger(__name__)

OPEN: Final = frozenset({"/login", "/ui/login.css", "/ui/icon.svg", "/favicon.ico", "/healthz", "/readyz"})
"""What nobody has to log in for."""

TELLS_MORE: Final = frozenset({"/login", "/readyz"})
"""Of those, what answers otherwise to who has."""

OURS = re.compile(rf"{PREFIX}/.*|/(viewer|ui)/.+|/(logout|metrics|docs)")
GRADIO = re.compile(r"/|/config|/theme\.css|/(assets|static)/.+|/gradio_api/run/predict")
"""All that the page asks of Gradio; its other routes (files, uploads, queues, proxies, recordings) are shut."""

PAGE_LIMIT_BYTES = 2_000_000


class WrongHost(LoopscopeError):
    """A name under which this server does not answer, so that no other site's name can be pointed at it."""

    code = "wrong_host"


class ForeignOrigin(Forbidden):
    """Another site's page asks for a change."""

    code = "cross_site"


class Door:
    """ASGI middleware around everything: checks, then lets the request in as whoever sent it."""

    def __init__(self, app: ASGIApp, *, gate: SessionGate, settings: Settings) -> None:
        self.app = app
        self.gate = gate
        self.settings = settings
        self.names = {name.strip().casefold() for name in settings.hosts.split(",") if name.strip()}
        self.own_names = {"localhost", socket.gethostname().casefold()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks over web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        https = is_https(self.settings, scope)

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                protect(message, https=https)
            await send(message)

        try:
            self._check_host(headers)
            self._check_path(scope)
            by_token = headers.get("authorization", "")[:7].casefold() == "bearer "
            token = headers["authorization"][7:].strip() if by_token else ""
            cookie = cookie_parser(headers.get("cookie", "")).get(cookie_name(self.settings, scope), "")
            self._check_origin(scope["method"], headers, needed=bool(cookie) and not by_token)
            actor = await self._actor(scope["path"], cookie, token)
            if actor is None and scope["path"] not in OPEN:
                raise _not_signed_in(by_token)
            if not scope["path"].startswith(f"{PREFIX}/"):  # the API has limits of its own
                error = too_large(headers, PAGE_LIMIT_BYTES)
                if error is not None:
                    await answer_to(error, 413)(scope, receive, protected)
                    return
                receive = bounded(receive, PAGE_LIMIT_BYTES, SLOWEST_S)
        except LoopscopeError as error:
            await _refuse(error, scope, headers, receive, protected)
            return
        except AWAY as error:
            log.warning("nobody can be let in: the database does not answer (%s)", type(error).__name__)
            await _refuse(DatabaseAway(), scope, headers, receive, protected)
            return
        with visiting(actor):
            await self.app({**scope, "headers": _believed(scope)}, receive, protected)

    async def _actor(self, path: str, cookie: str, token: str) -> Actor | None:
        """Who comes; nobody where that does not matter.

        Raises:
            SQLAlchemyError: when it matters and the database does not answer.
        """
        if path in OPEN and path not in TELLS_MORE:
            return None
        try:
            return await run_in_threadpool(self.gate.identify, cookie=cookie, token=token)
        except AWAY:
            if path in OPEN:
                return None
            raise

    def _check_host(self, headers: Headers) -> None:
        """
        Raises:
            WrongHost: for a name that is neither an address, nor this machine's, nor in the settings.
        """
        found = headers.getlist("host")
        name = host_of(found[0]) if len(found) == 1 else ""
        if name in self.own_names or name in self.names or _is_address(name):
            return
        raise WrongHost(
            f"This server does not answer under the name {name[:80]!r}.",
            f"If it is its name, start it with LOOPSCOPE_HOSTS={name[:80] or 'NAME'}.",
        )

    def _check_origin(self, method: str, headers: Headers, *, needed: bool) -> None:
        """
        Raises:
            ForeignOrigin: when a change is not asked for by this server's own page, or by a program.
        """
        if method in SAFE_METHODS:
            return
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is None and origin is None:
            if not needed:
                return
            raise ForeignOrigin("A log-in's cookie alone changes nothing.", "Programs send an API token instead.")
        place = (origin or "").partition("://")[2].casefold()
        own = origin is None or place == headers["host"].casefold() or host_of(place) in self.names
        if not own or site not in (None, "same-origin", "none"):
            raise ForeignOrigin(
                "Another site's page may not change anything here.",
                "Open Loopscope under its own address; behind a proxy, name that in LOOPSCOPE_HOSTS.",
            )

    def _check_path(self, scope: Scope) -> None:
        """
        Raises:
            NotFound: for what neither Loopscope has nor its page asks of Gradio.
        """
        path = scope["path"]
        known = path in OPEN or OURS.fullmatch(path) or GRADIO.fullmatch(path)
        if not known or "\\" in path or "\0" in path or ".." in path.split("/"):
            raise NotFound("There is nothing at this address.", "The page is at /, the API at /api/v1.")


def host_of(netloc: str) -> str:
    """The name or address of ``name:port``, lower-case; empty when it is none."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").rstrip(".").casefold()
    except ValueError:
        return ""


def is_https(settings: Settings, scope: Scope) -> bool:
    """Whether the browser speaks https: the settings say so, or a proxy that they trust."""
    return settings.https or scope.get("scheme") == "https"


def cookie_name(settings: Settings, scope: Scope) -> str:
    """Of the log-in. With the port, because browsers keep cookies per machine; ``__Host-`` where it is protected."""
    return f"{'__Host-' if is_https(settings, scope) else ''}loopscope-{settings.port}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _believed(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The headers without those that proxies write: whom to believe was decided before (LOOPSCOPE_PROXIES), and Gradio
    would take a stranger's word for its own address."""
    return [
        (name, value)
        for name, value in scope["headers"]
        if not name.startswith(b"x-forwarded-") and name != b"forwarded"
    ]


def _not_signed_in(by_token: bool) -> NotSignedIn:
    if by_token:
        return NotSignedIn("The API token is unknown, expired or revoked.", "Ask for a new one.")
    return NotSignedIn(
        "Nobody is logged in.",
        "Log in at /login; programs send an API token (Authorization: Bearer, or LOOPSCOPE_TOKEN).",
    )


async def _refuse(error: LoopscopeError, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
    """People get a page to log in or a sentence, programs JSON."""
    status = 421 if isinstance(error, WrongHost) else None
    person = scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")
    if isinstance(error, NotSignedIn) and scope["path"] == "/logout":
        await RedirectResponse("/login", 303)(scope, receive, send)
    elif isinstance(error, NotSignedIn) and scope["method"] in ("GET", "HEAD") and (person or scope["path"] == "/"):
        query = scope["query_string"].decode("latin-1")
        wanted = quote(f"{scope['path']}?{query}" if query else scope["path"], safe="")
        await RedirectResponse(f"/login?next={wanted}", 303)(scope, receive, send)
    elif person:
        again = {"refresh": "3"} if isinstance(error, DatabaseAway) else {}
        code = status or answer_to(error).status_code
        await PlainTextResponse(str(error), code, headers=again)(scope, receive, send)
    else:
        await answer_to(error, status)(scope, receive, send)
