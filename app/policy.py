"""What browsers are told to forbid: headers of every answer, and the marks of the page's own scripts."""

import gzip
import re
import secrets
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BASE = "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

PLAIN = f"{BASE}; form-action 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""For everything that is no page: should a browser ever show it as one, it can do nothing."""

LOGIN = f"{BASE}; form-action 'self'; style-src 'self'; img-src 'self'"


def page_policy(nonce: str) -> str:
    """For the dashboard. Gradio compiles its templates (``unsafe-eval``) and sets styles in place; scripts in markup,
    and handlers in attributes, do not run."""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        "manifest-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), midi=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
YEAR_S = 365 * 24 * 3600
SCRIPT = re.compile(rb"<script(?=[\s>])")


def protect(message: Message, *, https: bool) -> None:
    """Add to the start of an answer what it lacks, and take away what would let other sites read it."""
    headers = MutableHeaders(scope=message)
    for name in [name for name in headers if name.lower().startswith("access-control-")]:
        del headers[name]
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("content-security-policy", PLAIN)
    headers.setdefault("cache-control", "private, no-cache")
    if https:
        headers["strict-transport-security"] = f"max-age={YEAR_S}"


class MarkedScripts:
    """ASGI middleware around the dashboard: the scripts of its one HTML page get a nonce, all others stay without.

    Args:
        edit: what else changes in that page, given its bytes and the query string that it was asked for with.
    """

    def __init__(self, app: ASGIApp, *, edit: Callable[[bytes, bytes], bytes]) -> None:
        self.app = app
        self.edit = edit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            await self.app(scope, receive, send)
            return
        zipped = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        kept = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._answer(start, self.edit(body, scope["query_string"]), zipped, send)

        await self.app({**scope, "headers": kept}, receive, collect)

    async def _answer(self, start: Message, body: bytes, zipped: bool, send: Send) -> None:
        headers = MutableHeaders(scope=start)
        if headers.get("content-type", "").startswith("text/html"):
            nonce = secrets.token_urlsafe(16)
            body = SCRIPT.sub(b'<script nonce="' + nonce.encode() + b'"', body)
            headers["content-security-policy"] = page_policy(nonce)
            headers["cache-control"] = "no-store"
            if zipped:
                body = gzip.compress(body, 5)
                headers["content-encoding"] = "gzip"
        if body:
            headers["content-length"] = str(len(body))
        await send(start)
        await send({"type": "http.response.body", "body": body})
