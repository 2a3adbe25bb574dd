"""``loopscope backup``, ``restore`` and ``gc``: what an installation keeps, saved, brought back, cleaned up."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import console
from app.options import Home, Json, opened_home

if TYPE_CHECKING:
    pass

Told = Callable[[str, int, int], None]


def register(app: typer.Typer) -> None:
    """Give the command line these commands."""
    app.command()(backup)
    app.command()(restore)
    app.command()(gc)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it, e.g. loopscope.tar.")],
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Save database, artifacts and users to one file, while loops run. Keep it safe: it holds password hashes."""
    from backend.keeping.backup import backup as save

    with opened_home(home) as backend, progress_bar() as tell:
        report = save(backend, file, tell)
    if as_json:
        console.print_json(asdict(report))
        return
    console.print_text(
        f"Saved {_count(report.loops, 'loop')} and {_count(report.artifacts, 'artifact')} to {report.path} "
        f"({_mb(report.size)} MB)."
    )
    _tell_missing(report.missing)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `loopscope backup` has written.")],
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Bring a backup back into an empty installation: all of it or nothing. Loops that ran go on."""
    from backend.keeping.restore import restore as bring_back

    with opened_home(home) as backend, progress_bar() as tell:
        report = bring_back(file, backend, tell)
    if as_json:
        console.print_json(asdict(report))
        return
    console.print_text(
        f"Brought back {_count(report.loops, 'loop')} and {_count(report.artifacts, 'artifact')}, as of "
        f"{report.created_at[:16]} UTC."
    )
    if report.resuming:
        console.print_text(f"{_count(report.resuming, 'loop')} will go on as soon as workers run: loopscope up.")
    _tell_missing(report.missing)


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    grace_hours: Annotated[
        float, typer.Option(min=0.0, help="Spare files younger than this; an hour at least while stages run.")
    ] = 24.0,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Remove deleted loops and data sets past their time, files that nothing refers to, unused caches and old logs."""
    from backend.keeping.gc import gc as clean_up

    with opened_home(home, make_room=True) as backend:
        report = clean_up(backend, dry_run=dry_run, grace_hours=grace_hours)
    if as_json:
        console.print_json(asdict(report) | {"size": report.size})
        return
    rows = [
        ("deleted loops", str(report.loops), ""),
        ("deleted data sets", str(report.datasets), ""),
    ] + [
        (title, str(removed.count), _mb(removed.size))
        for title, removed in (
            ("artifacts of no loop", report.artifacts),
            ("half-written results", report.memo),
            ("unused caches", report.caches),
            ("old logs", report.logs),
        )
    ]
    console.print_table(("would be removed" if dry_run else "removed", "", "MB"), rows)


@contextmanager
def progress_bar() -> Iterator[Told]:
    """How far something long is, with the time that is left; on a terminal's stderr only."""
    if not sys.stderr.isatty():
        from backend.keeping.backup import quiet

        yield quiet
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, object] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for task in bar.task_ids:
                    bar.remove_task(task)
                tasks.clear()
                tasks[what] = bar.add_task(what, total=max(total, 1))
            bar.update(bar.task_ids[0], completed=done if total else 1)

        yield tell


def _tell_missing(digests: list[str]) -> None:
    if digests:
        names = ", ".join(digest[:12] for digest in digests[:5]) + ("..." if len(digests) > 5 else "")
        console.say(f"{_count(len(digests), 'artifact')} could not be read: {names}.")
        console.say("`loopscope doctor --data` says whose they are.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f}"
