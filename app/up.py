"""``loopscope up``: everything that a person needs for the page, started and ended together."""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app import console
from app.home import check_home, is_up
from app.server import check_bind, serve
from core.errors import Conflict, LoopscopeError

if TYPE_CHECKING:
    from backend.processes import Supervisor
    from backend.settings import Settings

PAGE_TIMEOUT_S = 120.0
MOST_FALLS = 3  # of the server before its page is there


def run_up(settings: "Settings", *, demo: bool = False) -> int:
    """Serve page, broker and workers until Ctrl-C; returns the exit status.

    Raises:
        LoopscopeError: when it cannot start, in one sentence and a hint.
    """
    check_home(settings)
    check_bind(settings)
    if not settings.redis_url and is_up(settings):
        raise Conflict(
            f"Loopscope is up already for the data folder {settings.home}.",
            f"Its page is probably {url_of(settings)}; for a second one choose another --home and --port.",
        )
    from backend.processes import Supervisor

    supervisor = Supervisor(settings, server=[sys.executable, "-m", "app.cli", "serve"])
    failed = threading.Event()

    def ready() -> None:
        threading.Thread(target=_announce, args=(supervisor, demo, failed), name="announce", daemon=True).start()

    supervisor.run(ready)
    return 2 if failed.is_set() else 0


def run_server(settings: "Settings") -> None:
    """Serve page and API in this process until interrupted.

    Raises:
        LoopscopeError: when the address may not be listened on, or is taken.
    """
    from backend.logs import configure

    configure(settings, "server")
    check_home(settings)
    check_bind(settings)
    from backend.processes import check_port

    check_port(settings)
    serve(settings)


def run_worker(settings: "Settings", queues: Sequence[str]) -> int:
    """Become a worker. A program of its own, because pages and workers know nothing of each other."""
    check_home(settings)
    command = [sys.executable, "-m", "worker", "--queues", ",".join(queues)]
    os.execve(sys.executable, command, os.environ | settings.environment())


def url_of(settings: "Settings") -> str:
    """Where the page is."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _announce(supervisor: "Supervisor", demo: bool, failed: threading.Event) -> None:
    """Start the demo, wait for the page, print where it is; end everything when that does not work out."""
    settings = supervisor.settings
    try:
        told = _start_demo(settings) if demo else ""
        _wait_for_page(supervisor)
    except LoopscopeError as error:
        console.print_error(error)
        failed.set()
        os.kill(os.getpid(), signal.SIGTERM)  # Supervisor.run ends on it, children first
        return
    console.print_text(f"Loopscope is at {url_of(settings)} (Ctrl-C ends it; data in {settings.home})")
    if told:
        console.print_text(told)


def _start_demo(settings: "Settings") -> str:
    """Launch the demo's loops unless this data folder has them; says where to look."""
    from backend.context import open_backend
    from backend.presets import launch_preset

    backend = open_backend(settings, migrate=False)
    try:
        loops = launch_preset(backend, "demo")
    finally:
        backend.close()
    if all(loop.state == "done" for loop in loops):
        return "The demo is finished: look at Compare and Inspect."
    return (
        "The demo runs: follow it under Loops; Inspect has the first raw and corrected motions within about a minute."
    )


def _wait_for_page(supervisor: "Supervisor") -> None:
    import httpx

    settings, server = supervisor.settings, supervisor.child("server")
    limit = time.monotonic() + PAGE_TIMEOUT_S
    while time.monotonic() < limit and server.restarts < MOST_FALLS:
        try:
            if httpx.get(f"{url_of(settings)}/healthz", timeout=5.0).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise LoopscopeError("The page does not come up.", f"The reason is in {settings.logs / 'server.log'}.")
