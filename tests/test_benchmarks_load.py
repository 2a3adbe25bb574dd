"""The load benchmark counts right; how fast things are is measured by running it, not here."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from backend import measures
from backend.context import open_backend
from backend.queue import ListQueue
from backend.settings import read_settings
from benchmarks._loadpages import Browser, Clock, percentile
from benchmarks._loadseed import Size, fill, values_of

ROOT = Path(__file__).resolve().parents[1]


def alone(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it in a thread: a browser of other tests may have an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(work())).result()


PAGE = {
    "components": [
        {"id": 1, "props": {"value": "a", "elem_id": "one"}}, {"id": 2, "props": {"value": 3, "elem_id": "two"}},
    ],
    "dependencies": [
        {"id": 7, "targets": [[9, "load"]], "inputs": [], "outputs": [1, 2]},
        {"id": 8, "targets": [[4, "tick"]], "inputs": [1, 2], "outputs": [1, 2]},
    ],
}  # fmt: skip


def test_percentiles_are_values_that_were_there() -> None:
    seconds = [k / 1000 for k in range(1, 101)]
    assert [percentile(seconds, share) for share in (0, 50, 95, 99, 100)] == [1.0, 51.0, 96.0, 100.0, 100.0]


def test_a_browser_posts_what_its_components_hold() -> None:
    posted: list[dict[str, object]] = []
    answers = [["b", {"__type__": "update"}], [{"__type__": "update", "value": "c"}, {"__type__": "update"}],
               [{"__type__": "update"}, {"__type__": "update"}]]  # fmt: skip

    def serve(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, text=f"<script>window.gradio_config = {json.dumps(PAGE)};</script>")
        posted.append(json.loads(request.content))
        return httpx.Response(200, json={"data": answers[len(posted) - 1]})

    clock = Clock()

    async def look() -> None:
        transport = httpx.MockTransport(serve)
        async with httpx.AsyncClient(base_url="http://there", transport=transport) as client:
            browser = Browser(client, clock)
            assert await browser.open("loops")
            await browser.tick("loops")
            await browser.tick("loops")

    alone(look)
    assert [(body["fn_index"], body["data"]) for body in posted] == [(7, []), (8, ["b", 3]), (8, ["c", 3])]
    told = clock.summary()
    assert clock.errors == [] and {kind: row["n"] for kind, row in told.items() if row["n"]} == {
        "page": 1, "open loops": 1, "poll loops": 1, "poll, nothing new": 1,
    }  # fmt: skip


def test_an_answer_that_is_none_is_an_error() -> None:
    clock = Clock()

    async def ask() -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(503, text="away"))
        async with httpx.AsyncClient(base_url="http://there", transport=transport) as client:
            assert not await Browser(client, clock).open("loops")

    alone(ask)
    assert clock.errors == ["page: 503 away"]


def test_the_seed_is_what_it_says(tmp_path: Path) -> None:
    size = Size(loops=4, generations=2, metrics=3, settings=2)
    backend = open_backend(read_settings(home=tmp_path), queue=ListQueue())
    try:
        found = measures.points(backend, fill(backend, size), size.names)
    finally:
        backend.close()
    values = np.array([[of[name][1] for name in size.names] for of in found.values()]).transpose(0, 2, 1)
    assert values.size == size.values == 4 * 3 * 3
    np.testing.assert_array_equal(np.sort(values, axis=None), np.sort(values_of(size), axis=None))


@pytest.mark.parametrize("wrong", [["--only", "magic"], ["--database", "magic"]])
def test_nonsense_is_refused(wrong: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.load", *wrong]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 2 and "magic" in ended.stderr and "Traceback" not in ended.stderr
