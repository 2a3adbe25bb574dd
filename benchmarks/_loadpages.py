"""Browsers as the server sees them: what one posts when it opens a page, looks on, and goes to another tab."""

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.dashboard import POLL_S

MARK = "window.gradio_config = "
TAB_AFTER = 6  # polls


@dataclass
class Clock:
    """Seconds of answers by kind, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    async def ask(self, client: httpx.AsyncClient, kind: str, method: str, path: str, **more: Any) -> Any:
        """The answer, or None where there was none that helps."""
        began = time.perf_counter()
        try:
            answer = await client.request(method, path, **more)
        except httpx.HTTPError as error:
            self.errors.append(f"{kind}: {type(error).__name__} {error}")
            return None
        self.seconds.setdefault(kind, []).append(time.perf_counter() - began)
        self.sizes[kind] = max(self.sizes.get(kind, 0), len(answer.content))
        if answer.status_code != 200:
            self.errors.append(f"{kind}: {answer.status_code} {answer.text[:120]}")
            return None
        return answer

    def summary(self) -> dict[str, dict[str, float]]:
        """Milliseconds by kind: how many, median, 95th and 99th percentile; bytes of the largest answer."""
        return {
            kind: {
                "n": len(found), "p50_ms": percentile(found, 50), "p95_ms": percentile(found, 95),
                "p99_ms": percentile(found, 99), "largest_kb": round(self.sizes[kind] / 1000, 1),
            }
            for kind, found in sorted(self.seconds.items())
            if found
        }  # fmt: skip


def percentile(seconds: Sequence[float], share: float) -> float:
    """In milliseconds; the smallest value that so many percent do not exceed."""
    ordered = sorted(seconds)
    return round(1e3 * ordered[min(int(share / 100 * len(ordered)), len(ordered) - 1)], 1)


class Browser:
    """One session: the page's configuration, and the values that its components hold."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock) -> None:
        self.client, self.clock = client, clock
        self.session = secrets.token_hex(5)
        self.values: dict[int, Any] = {}
        self.listeners: list[dict[str, Any]] = []
        self.ids: dict[str, int] = {}

    async def open(self, tab: str) -> bool:
        """Get the page, then say that it is loaded."""
        answer = await self.clock.ask(self.client, "page", "GET", f"/?tab={tab}")
        if answer is None:
            return False
        config, _ = json.JSONDecoder().raw_decode(answer.text, answer.text.index(MARK) + len(MARK))
        self.listeners = config["dependencies"]
        for component in config["components"]:
            self.values[component["id"]] = component["props"].get("value")
            self.ids[component["props"].get("elem_id") or ""] = component["id"]
        await self.post(f"open {tab}", tab, self.listener("load"), None)
        return True

    async def tick(self, tab: str) -> None:
        """The poll: cheap where nothing changed."""
        await self.post(f"poll {tab}", tab, self.listener("tick"), None, idle="poll, nothing new")

    async def select(self, tab: str) -> None:
        """Go to another tab."""
        await self.post(f"go to {tab}", tab, self.listener("select", self.ids[f"page-{tab}"]), {"value": tab})

    def listener(self, event: str, source: int | None = None) -> dict[str, Any]:
        """That hears an event of a component (any, where None)."""
        return next(
            one for one in self.listeners for at, name in one["targets"] if name == event and source in (None, at)
        )

    async def post(self, kind: str, tab: str, listener: dict[str, Any], event: Any, idle: str = "") -> None:
        body = {
            "data": [self.values.get(at) for at in listener["inputs"]], "event_data": event,
            "fn_index": listener["id"], "trigger_id": listener["targets"][0][0], "session_hash": self.session,
        }  # fmt: skip
        seen = self.clock.seconds.setdefault(kind, [])
        answer = await self.clock.ask(
            self.client, kind, "POST", f"/gradio_api/run/predict?tab={tab}", json=body,
            headers={"x-gradio-user": "app", "sec-fetch-site": "same-origin"},
        )  # fmt: skip
        if answer is None:
            return
        updates = answer.json()["data"]
        skips = [isinstance(one, dict) and one.get("__type__") == "update" and len(one) == 1 for one in updates]
        if idle and all(skips):
            self.clock.seconds.setdefault(idle, []).append(seen.pop())
            self.clock.sizes[idle] = max(self.clock.sizes.get(idle, 0), len(answer.content))
        for at, update in zip(listener["outputs"], updates, strict=True):
            if isinstance(update, dict) and update.get("__type__") == "update":
                if "value" in update:
                    self.values[at] = update["value"]
            else:
                self.values[at] = update


async def look(url: str, tabs: Sequence[str], start_s: float, until: float, clock: Clock) -> None:
    """One person: opens the first tab, looks on, goes to the next one and back; programs ask the API in between."""
    await asyncio.sleep(start_s)
    limits = httpx.Limits(max_connections=6)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        browser, polls = Browser(client, clock), 0
        if not await browser.open(tabs[0]):
            return
        while time.monotonic() < until:
            began = time.monotonic()
            tab = tabs[polls // TAB_AFTER % len(tabs)]
            if polls and polls % TAB_AFTER == 0:
                await browser.select(tab)
                await clock.ask(client, "API, list of 200", "GET", "/api/v1/loops?limit=200")
            else:
                await browser.tick(tab)
            polls += 1
            await asyncio.sleep(max(POLL_S - (time.monotonic() - began), 0.0))
