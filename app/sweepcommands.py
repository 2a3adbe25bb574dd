"""``loopscope loops sweep`` and ``loopscope loops group``: many loops launched, and dealt with, as one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import console
from app.loopcommands import config_with, estimated, tell_if_nothing_works
from app.options import Changes, Home, Json, Server, changes_of, target_of
from core.errors import InvalidConfig

if TYPE_CHECKING:
    from backend.grouped import GroupVerb
    from backend.sweep import SweepView

VERBS: "tuple[GroupVerb, ...]" = ("cancel", "resume", "retry", "delete", "restore")
MOST_NAMED = 12


def register(app: typer.Typer) -> None:
    """Add the commands to those of loops."""
    for command in (sweep, group):
        app.command()(command)


def sweep(
    vary: Annotated[list[str], typer.Option(metavar="PATH=VALUES", help="An axis, e.g. policy.options.lam=.25,.5,1.")],
    config: Annotated[Path | None, typer.Option(help="JSON file with what the loops have in common.")] = None,
    changes: Changes = None,
    seeds: Annotated[str, typer.Option(help="Each combination once per seed: 0,1,2 or 0-2.")] = "0",
    title: Annotated[str, typer.Option(help="What to call the group.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Launch anew even if its loops are here already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would launch and take.")] = False,
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Launch a grid over any fields, times seeds, as one group: all loops or none."""
    from backend.axisvalues import seeds_of
    from backend.sweep import sweep_of

    wanted = sweep_of(config_with(config, changes_of(changes)), axes_of(vary), seeds_of(seeds))
    with target_of(server, home) as target:
        if dry_run:
            look = target.look_at_sweep(wanted, title=title)
            console.print_json(look) if as_json else _print_look(look)
            return
        launched = target.launch_sweep(wanted, title=title, again=again)
    if as_json:
        console.print_json(launched)
    else:
        for loop in launched:
            console.print_text(f"{loop.id}  {loop.name}: {loop.sentence}")
        console.print_text(f"{len(launched)} loops in the group {launched[0].group!r}.")
    if not server:
        tell_if_nothing_works(home)


def group(
    verb: Annotated[str, typer.Argument(help=f"{', '.join(VERBS)}.")],
    name: Annotated[str, typer.Argument(metavar="GROUP", help="Name of the group, as `loops list` shows it.")],
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Do a verb to all loops of a group. Exit status 1 when one of them refuses."""
    wanted = next((known for known in VERBS if known == verb), None)
    if wanted is None:
        raise InvalidConfig(f"There is no verb {verb!r} for a group.", f"Choose one of: {', '.join(VERBS)}.", "verb")
    with target_of(server, home) as target:
        outcome = target.to_group(wanted, name)
    if as_json:
        console.print_json(outcome)
    else:
        console.print_text(outcome.sentence)
        for refusal in outcome.refused:
            console.say(f"{refusal.id}  {refusal.name}: {refusal.message}")
    raise typer.Exit(1 if outcome.refused else 0)


def axes_of(pairs: list[str]) -> dict[str, str]:
    """``["n=64,128"]`` -> ``{"n": "64,128"}``.

    Raises:
        InvalidConfig: for what is no axis, and for one that is given twice.
    """
    axes: dict[str, str] = {}
    for pair in pairs:
        path, equals, text = pair.partition("=")
        path = path.strip()
        if not equals or not path:
            raise InvalidConfig(f"{pair!r} varies nothing.", "Write it as PATH=VALUES, e.g. n=64,128.", "vary")
        if path in axes:
            raise InvalidConfig(f"{path} is varied twice.", "Give all its values at once.", path)
        axes[path] = text
    return axes


def _print_look(look: "SweepView") -> None:
    console.print_text(f"{look.title}: {len(look.loops)} loops")
    for loop in look.loops[:MOST_NAMED]:
        console.print_text(f"  {loop.name}")
    if len(look.loops) > MOST_NAMED:
        console.print_text(f"  and {len(look.loops) - MOST_NAMED} more")
    console.print_text(estimated(look.estimate))
    if look.refused:
        console.say(f"It would be refused now: {look.refused}")
