"""``loopscope lab ...``: published experiments from launch to verdict without a browser."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app import console
from app.options import Changes, Home, Json, Server, changes_of, settings_of, target_of
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.targets import Target
    from backend.lab import LabResult
    from backend.views import LoopView

lab_app = typer.Typer(no_args_is_help=True, help="Published experiments: theory beside measurement.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Key of an experiment; see `loopscope lab list`.")]
ENDED = ("done", "failed", "cancelled", "stopped")
POLL_S = 1.0


@lab_app.command("list")
def list_cards(as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """Experiments that can be run as they are, or with numbers changed."""
    with target_of(server, home) as target:
        found = target.cards()
    if as_json:
        console.print_json(found)
        return
    for card in found:
        seeds = f"{card.seeds} {'seed' if card.seeds == 1 else 'seeds'} per arm"
        console.print_text(
            f"{card.key}: {card.title} ({card.loops} loops, {seeds}, about {card.minutes:g} min on two CPU cores)\n"
            f"  {card.question}\n  {card.shows}\n  After: {card.paper}\n  Change by --set: {', '.join(card.edits)}\n"
        )


@lab_app.command("run")
def run(
    name: Name,
    changes: Changes = None,
    again: Annotated[bool, typer.Option("--again", help="Run it anew even if its loops are here already.")] = False,
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Run an experiment to its end; starts what it needs, or uses what is up. Exit status 1 if a loop failed."""
    edits = changes_of(changes)
    if server:
        with target_of(server, None) as target:
            found = _follow_there(target, name, target.launch_card(name, edits, again=again))
    else:
        found = _run_here(name, edits, again, home)
    console.print_json(found) if as_json else _print(found)
    raise typer.Exit(0 if found.state == "done" else 1)


@lab_app.command("result")
def result(
    name: Name,
    group: Annotated[str, typer.Option(help="Not the newest run, but the one of this group.")] = "",
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """What an experiment has measured so far, without running anything."""
    with target_of(server, home) as target:
        found = target.lab_result(name, group)
    console.print_json(found) if as_json else _print(found)


def _run_here(name: str, edits: dict[str, Any], again: bool, home: Path | None) -> "LabResult":
    from app.demo import run_here
    from backend import lab
    from backend.lab.launching import configured

    configured(lab.card(name), edits)  # what cannot be is said before anything starts
    settings = settings_of(home=home)
    with run_here(settings, lambda backend: lab.launch_card(backend, name, edits, again=again), "lab run") as (
        backend, launched, ended,
    ):  # fmt: skip
        _tell_errors(ended)
        return lab.result(backend, name, launched[0].group)


def _follow_there(target: "Target", name: str, launched: "Sequence[LoopView]") -> "LabResult":
    """Wait for a server's loops, a line per change of their state."""
    said: dict[str, str] = {}
    while True:
        views = [target.show_loop(view.id) for view in launched]
        for view in views:
            if said.get(view.id) != view.sentence:
                said[view.id] = view.sentence
                console.say(f"{view.name}: {view.sentence}")
        if all(view.state in ENDED for view in views):
            _tell_errors(views)
            return target.lab_result(name, views[0].group)
        time.sleep(POLL_S)


def _tell_errors(views: "Sequence[LoopView]") -> None:
    for view in views:
        if view.error:
            error = LoopscopeError(f"{view.name}: {view.error.message}", view.error.hint)
            console.print_error(error)


def _print(found: "LabResult") -> None:
    rows = []
    for arm in found.arms:
        last = len(arm.x) - 1
        if last < 0:
            rows.append((arm.label, "", "", "", arm.n_seeds, ""))
            continue
        theory = arm.theory[last] if arm.theory else None
        rows.append(
            (
                arm.label, str(arm.x[last]), console.number(arm.mean[last], 4), console.number(arm.std[last]),
                arm.n_seeds, console.number(theory, 4),
            )
        )  # fmt: skip
    columns = ("arm", "generation", found.metric, "std over seeds", "seeds", "theory")
    console.print_table(columns, rows, title=f"{found.group}, {found.seconds:.1f} s, {found.state}")
    for verdict in found.verdicts:
        word = {True: "agrees", False: "DOES NOT AGREE", None: "open"}[verdict.agrees]
        console.print_text(f"- {verdict.claim}: {verdict.measured} ({word})")
