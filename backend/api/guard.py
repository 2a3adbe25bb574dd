"""What is refused before a route sees it: bodies too large or too slow, and requests of another site's page."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.errors import Refused, TooLarge, TooSlow, answer, answer_to
from backend.api.roles import SAFE_METHODS
from core.errors import LoopscopeError

JSON_LIMIT_BYTES = 1_000_000
SLOWEST_S = 20.0  # for a whole body
SLOWEST_UPLOAD_S = 600.0
RAISE_LIMIT = "Send less, or raise LOOPSCOPE_UPLOAD_LIMIT_MB."


class Guard:
    """ASGI middleware.

    Args:
        upload_paths: ends of the routes that take files; all others take JSON of at most JSON_LIMIT_BYTES.
        upload_limit_mb: for those routes.
    """

    def __init__(self, app: ASGIApp, *, upload_paths: tuple[str, ...], upload_limit_mb: float) -> None:
        self.app = app
        self.upload_paths = upload_paths
        self.upload_limit_bytes = int(upload_limit_mb * 1e6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] not in SAFE_METHODS and headers.get("sec-fetch-site") == "cross-site":
            refused = answer(403, "cross_site", "Another site's page may not change anything here.")
            await refused(scope, receive, send)
            return
        upload = scope["path"].endswith(self.upload_paths)
        limit, seconds = (self.upload_limit_bytes, SLOWEST_UPLOAD_S) if upload else (JSON_LIMIT_BYTES, SLOWEST_S)
        error = too_large(headers, limit)
        if error is not None:
            await answer_to(error, 413)(scope, receive, send)
            return
        await self.app(scope, bounded(receive, limit, seconds), send)


def too_large(headers: Headers, limit: int) -> LoopscopeError | None:
    """What is wrong with the length that a request announces, in bytes, if anything is."""
    length = headers.get("content-length", "0")
    # No length has so many digits; and int() of very many takes long.
    fits = length.isascii() and length.isdigit() and len(length) <= 15 and int(length) <= limit
    return None if fits else _over(limit)


def bounded(receive: Receive, limit: int, seconds: float) -> Receive:
    """A receiver that gives up on a body of more than ``limit`` bytes, or one that is not there after ``seconds``.

    Raises (when called):
        Refused: 413 or 408.
    """
    received, ended = 0, False
    deadline: float | None = None

    async def counted() -> Message:
        nonlocal received, ended, deadline
        if ended:
            return await receive()  # says when the other side hangs up
        now = asyncio.get_running_loop().time()
        deadline = deadline if deadline is not None else now + seconds
        try:
            message = await asyncio.wait_for(receive(), max(deadline - now, 0.0))
        except TimeoutError:
            slow = TooSlow(f"The request did not arrive within {seconds:g} s.", "Check the connection and send again.")
            raise Refused(408, slow) from None
        received += len(message.get("body", b""))
        ended = not message.get("more_body", False)
        if received > limit:
            raise Refused(413, _over(limit))
        return message

    return counted


def _over(limit: int) -> TooLarge:
    return TooLarge(f"The request is larger than {limit / 1e6:g} MB.", RAISE_LIMIT)
