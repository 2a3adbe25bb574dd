"""Counts requests and how long their answers take to begin, by route template."""

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MOST_ROUTES = 200
OTHER = "other"


class RequestCounts:
    """The numbers. Labels are templates of routes that exist, so that there are only so many."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._routes: set[str] = set()
        self._count = Counter(
            "loopscope_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "loopscope_http_request_seconds", "Seconds until an answer begins.", ("route",), buckets=BUCKETS_S,
            registry=registry,
        )  # fmt: skip

    def add(self, scope: Scope, status: int, seconds: float) -> None:
        route = self._label(scope)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._count.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def _label(self, scope: Scope) -> str:
        """``/api/v1/loops/{loop_id}``; "other" for files and for addresses that lead nowhere."""
        path: Any = getattr(scope.get("route"), "path", None)
        if not isinstance(path, str):
            return OTHER
        found = f"{scope.get('root_path', '')}{path}"
        if found not in self._routes and len(self._routes) >= MOST_ROUTES:
            return OTHER
        self._routes.add(found)
        return found


class CountRequests:
    """ASGI middleware around the whole server."""

    def __init__(self, app: ASGIApp, *, counts: RequestCounts) -> None:
        self.app, self.counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, told = time.perf_counter(), False

        async def watched(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.start" and not told:
                told = True
                self.counts.add(scope, int(message["status"]), time.perf_counter() - began)
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            if not told:
                self.counts.add(scope, 500, time.perf_counter() - began)
            raise
