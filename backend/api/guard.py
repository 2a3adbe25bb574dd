"""What is refused before a route sees it: bodies that are too large, and requests that another site's page makes."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.errors import Refused, TooLarge, answer

JSON_LIMIT_BYTES = 1_000_000
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Guard:
    """ASGI middleware.

    Args:
        upload_path: the route that takes files; all others take JSON of at most JSON_LIMIT_BYTES.
        upload_limit_mb: for that route.
    """

    def __init__(self, app: ASGIApp, *, upload_path: str, upload_limit_mb: float) -> None:
        self.app = app
        self.upload_path = upload_path
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
        limit = self.upload_limit_bytes if scope["path"].endswith(self.upload_path) else JSON_LIMIT_BYTES
        error = TooLarge(
            f"The request is larger than {limit / 1e6:g} MB.", "Send less, or raise LOOPSCOPE_UPLOAD_LIMIT_MB."
        )
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            refused = answer(413, error.code, error.message, error.hint)
            await refused(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise Refused(413, error)
            return message

        await self.app(scope, counted, send)
