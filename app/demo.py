"""``loopscope demo``: a preset from launch to end without a browser, through the real queue."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app import console
from app.home import check_home

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.settings import Settings
    from backend.views import LoopView

ENDED = ("done", "failed", "cancelled", "stopped")
TOLD = ("fid", "multimodality", "mode_share", "recall", "coverage", "penetration", "skate", "jerk")
"""Metrics of motion that a table in a terminal has room for; ``--json`` gives all."""
POLL_S = 0.5
SILENT_S = 60.0  # without any change before the person is told where the logs are


def run_demo(
    settings: "Settings", key: str, choices: "Mapping[str, Any] | None" = None, *, again: bool, as_json: bool
) -> int:
    """Run a preset to its end and print what came of it; returns the exit status, 1 if a loop did not get to its end.

    Raises:
        LoopscopeError: when nothing can be started.
    """
    from backend import presets
    from backend.drift import drift_of_loop

    title = presets.preset(key, choices).title  # what cannot be is said before anything starts
    began = time.perf_counter()
    with run_here(settings, lambda backend: presets.launch_preset(backend, key, choices, again=again), "demo") as (
        backend, _, ended,
    ):  # fmt: skip
        seconds = round(time.perf_counter() - began, 1)
        drifts = [(view.name, found.sentence) for view in ended if (found := drift_of_loop(backend, view)) is not None]
        answer = {"loops": [_told(backend, view) for view in ended], "seconds": seconds}
    if as_json:
        console.print_json(answer)
    else:
        _print_table(title, ended, seconds)
        for name, sentence in drifts:
            console.say(f"{name}: {sentence}")
    return 0 if all(view.state == "done" for view in ended) else 1


@contextmanager
def run_here(
    settings: "Settings", launch: "Callable[[Backend], Sequence[LoopView]]", command: str
) -> "Iterator[tuple[Backend, Sequence[LoopView], Sequence[LoopView]]]":
    """Launch loops on the data folder, with all that they need, and follow them to their end.

    Yields:
        The backend, the loops as launched, and as they ended.
    """
    from backend import loops
    from backend.processes import embedded

    check_home(settings)
    with embedded(settings) as backend:
        launched = launch(backend)
        for view in launched:
            if view.state in ("failed", "cancelled", "stopped"):
                loops.resume(backend, view.id)
        try:
            ended = follow(backend, [view.id for view in launched], settings)
        except KeyboardInterrupt:
            console.say(f"Stopped. The loops go on with the next `loopscope up` or `loopscope {command}`.")
            raise
        yield backend, launched, ended


def follow(backend: "Backend", loop_ids: Sequence[str], settings: "Settings") -> "list[LoopView]":
    """Show progress on stderr until every loop has ended; returns their last views."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from backend import loops

    screen = Console(stderr=True)
    columns = (TextColumn("{task.fields[name]}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
    recorded: dict[str, int] = {}
    revision, changed_at = -1, time.monotonic()
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        bars = {loop_id: progress.add_task("", total=1.0, name=loop_id, told="") for loop_id in loop_ids}
        while True:
            views = [loops.show_loop(backend, loop_id) for loop_id in loop_ids]
            for view in views:
                progress.update(
                    bars[view.id], completed=view.fraction, name=_escaped(view.name), told=_escaped(view.sentence)
                )
                if not screen.is_terminal and recorded.get(view.id, -1) != view.generation:
                    recorded[view.id] = view.generation
                    fid = view.latest.get("fid")
                    shown = f", FID {console.number(fid)}" if fid is not None else ""
                    console.say(f"{view.name}: generation {view.generation} of {view.config['generations']}{shown}")
            if all(view.state in ENDED for view in views):
                return views
            if (now := loops.revision(backend)) != revision:
                revision, changed_at = now, time.monotonic()
            elif time.monotonic() - changed_at > SILENT_S:
                console.say(f"Nothing has happened for {SILENT_S:.0f} s; what the workers say is in {settings.logs}.")
                changed_at = time.monotonic()
            time.sleep(POLL_S)


def _told(backend: "Backend", view: "LoopView") -> dict[str, Any]:
    from backend import loops

    generations = [
        generation.model_dump(mode="json", include={"index", "metrics", "counts", "seconds"})
        for generation in loops.generations(backend, view.id)
    ]
    told = {"id": view.id, "name": view.name, "state": view.state, "config": view.config, "generations": generations}
    return told | ({"error": view.error.model_dump(exclude={"traceback"})} if view.error else {})


def _print_table(title: str, views: "Sequence[LoopView]", seconds: float) -> None:
    measured = dict.fromkeys(name for view in views for name in view.latest)
    names = [name for name in measured if name in TOLD] or list(measured)
    rows = [
        (view.name, view.state, view.generation, *(console.number(view.latest.get(name)) for name in names))
        for view in views
    ]
    console.print_table(("loop", "state", "generation", *names), rows, title=f"{title}, {seconds:.0f} s")
    for view in views:
        if view.error:
            console.say(f"{view.name}: {view.error.message} {view.error.hint}".strip())


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
