"""Many browsers, many loops: what pages, queries and the queue take.

python -m benchmarks.load [--json] [--database sqlite|postgresql|both] [--quick] [--only queries,pages,overhead]

queries: a thousand loops of 50 generations and 20 metrics in SQL; comparing one metric of all of them.
pages: 50 browsers (as the server sees them) on a server with those loops, while its workers run 200 queued ones.
overhead: seconds per generation that queue, SQL and artifacts add to the same loop run in process.
All in temporary folders, on 127.0.0.1.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.console import print_table, print_text
from backend import loops
from backend.context import Backend
from backend.parts import build_run, check, read_config
from backend.processes import embedded
from backend.settings import read_settings
from backend.stages import in_blocks
from benchmarks._loadpages import Clock, look
from benchmarks._loadqueries import filled, measure
from benchmarks._loadseed import Size
from core.config import LoopConfig
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("queries", "pages", "overhead")
WALKS = (("loops", "compare"), ("compare", "loops"), ("loops", "launch"), ("launch", "compare"), ("loops", "system"))
LIGHT: dict[str, Any] = {"domain": "gaussian", "n": 100, "generations": 50}
MOTION: dict[str, Any] = {
    "domain": "motion", "n": 32, "training": {"initial_steps": 30, "steps": 10, "batch_size": 16}, "generations": 5,
    "sampling": {"steps": 3}, "evaluation": {"samples": 32, "panel": 2, "panel_corrector": {"kind": "none"}},
}  # fmt: skip
LIMIT_S = 420.0  # of waiting for a loop
START_S = 120.0


def queries(databases: Sequence[str], size: Size, quick: bool) -> dict[str, Any]:
    """By database; None for one that is not here."""
    found: dict[str, Any] = {}
    for database in databases:
        with tempfile.TemporaryDirectory() as folder, filled(Path(folder), database, size) as there:
            found[database] = None if there is None else measure(*there, size, 4 if quick else 40)
    return found


def pages(size: Size, sessions: int, queued: int, seconds: float) -> dict[str, Any]:
    """Milliseconds by what was asked, while loops run."""
    with tempfile.TemporaryDirectory() as folder:
        with filled(Path(folder), "sqlite", size):
            pass
        with serving(Path(folder) / "sqlite") as url:
            with httpx.Client(base_url=url, timeout=60) as client:
                for seed in range(queued):
                    answer = client.post("/api/v1/loops", json={"config": LIGHT | {"seed": seed}, "group": "queued"})
                    answer.raise_for_status()
            clock = Clock()
            asyncio.run(_crowd(url, sessions, seconds, clock))
            with httpx.Client(base_url=url, timeout=60) as client:
                states = [one["state"] for one in client.get("/api/v1/loops?group=queued&limit=5000").json()]
    return {
        "sessions": sessions, "seconds": seconds, "queued": queued, "done_by_then": states.count("done"),
        "failed": states.count("failed"), "errors": len(clock.errors), "first_errors": clock.errors[:5],
        "answers": clock.summary(),
    }  # fmt: skip


async def _crowd(url: str, sessions: int, seconds: float, clock: Clock) -> None:
    until = time.monotonic() + seconds
    spread = min(10.0, seconds / 4)  # nobody opens fifty browsers in one moment
    await asyncio.gather(
        *(look(url, WALKS[k % len(WALKS)], spread * k / sessions, until, clock) for k in range(sessions))
    )


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """``loopscope up`` on a free port: server, broker and workers in processes of their own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOOPSCOPE_")}
    environment = {**kept, "LOOPSCOPE_HOME": str(home), "LOOPSCOPE_PORT": str(port)}
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "up"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            url, limit = f"http://127.0.0.1:{port}", time.monotonic() + START_S
            while not _answers(url):
                if process.poll() is not None or time.monotonic() > limit:
                    raise SystemExit(f"The server did not start: {(home / 'up.log').read_text()[-800:]}")
                time.sleep(0.3)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def overhead(cases: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """By case: seconds per generation, through the queue and in process."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, embedded(read_settings(home=Path(folder) / "home")) as backend:
        for name, plain in cases.items():
            config = check(read_config(plain))
            _queued(backend, config)  # imports, data and what the evaluator learns once
            queue_s = _queued(backend, config.model_copy(update={"seed": 1}))
            memo = MemoryMemo()
            _alone(config, memo)
            alone_s = _alone(config.model_copy(update={"seed": 1}), memo)
            added = None if queue_s is None else round(queue_s - alone_s, 4)
            found[name] = {
                "generations": config.generations, "in_process_s": round(alone_s, 4),
                "queue_s": None if queue_s is None else round(queue_s, 4), "added_s": added,
            }  # fmt: skip
    return found


def _queued(backend: Backend, config: LoopConfig) -> float | None:
    """Seconds per generation; None where it did not end in time. A loop that runs in blocks counts whole, another one
    from the record of generation 0 to the last."""
    began = time.monotonic()
    view = loops.launch(backend, config)
    while view.state not in ("done", "failed", "cancelled", "stopped"):
        if time.monotonic() - began > LIMIT_S:
            loops.cancel(backend, view.id)
            return None
        time.sleep(0.1)
        view = loops.show_loop(backend, view.id)
    records = loops.generations(backend, view.id)
    if view.state != "done":
        return None
    if in_blocks(config) and view.finished_at is not None and view.started_at is not None:
        return (view.finished_at - view.started_at).total_seconds() / (config.generations + 1)
    at = [record.recorded_at for record in records]
    return (at[-1] - at[0]).total_seconds() / config.generations


def _alone(config: LoopConfig, memo: MemoryMemo) -> float:
    """The same in this process."""
    began = time.perf_counter()
    at = [time.perf_counter() for _ in run_loop(build_run(config, shelf=MemoryShelf(), memo=memo))]
    if in_blocks(config):
        return (at[-1] - began) / (config.generations + 1)
    return (at[-1] - at[0]) / config.generations


def run(parts: Sequence[str], databases: Sequence[str], quick: bool) -> dict[str, Any]:
    """The whole document."""
    size = Size(loops=40, generations=10, metrics=5, settings=4) if quick else Size()
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}
    if "queries" in parts:
        found["queries"] = queries(databases, size, quick)
    if "pages" in parts:
        found["pages"] = pages(size, *((4, 6, 8.0) if quick else (50, 200, 60.0)))
    if "overhead" in parts:
        light = {"light": LIGHT | ({"generations": 5} if quick else {})}
        found["overhead"] = overhead(light if quick else light | {"motion": MOTION})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, and nothing else")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--only", default="", metavar="PARTS", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="few of everything: tests the program only")
    arguments = parser.parse_args()
    parts = [name.strip() for name in arguments.only.split(",") if name.strip()] or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"There is no part {sorted(unknown)[0]!r}; choose from {', '.join(PARTS)}.")
    databases = ("sqlite", "postgresql") if arguments.database == "both" else (arguments.database,)
    found = run(parts, databases, arguments.quick)
    if arguments.json:
        print(json.dumps(found, indent=1, allow_nan=False))
        return
    for database, row in (found.get("queries") or {}).items():
        rows = [(key, *value.values()) for key, value in (row or {}).items() if isinstance(value, dict)]
        print_table(("", "p50 ms", "p95 ms", "CPU ms"), rows, title=f"Queries, {database}")
    if "pages" in found:
        rows = [(kind, *row.values()) for kind, row in found["pages"]["answers"].items()]
        print_table(("", "n", "p50 ms", "p95 ms", "p99 ms", "largest kB"), rows, title="Answers")
        print_text(f"{found['pages']['errors']} errors; {found['pages']['done_by_then']} queued loops done.")
    for name, row in (found.get("overhead") or {}).items():
        print_text(f"{name}: {row['added_s']} s per generation added by queue, SQL and artifacts.")


if __name__ == "__main__":
    main()
