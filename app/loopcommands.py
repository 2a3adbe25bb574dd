"""``loopscope loops ...``: launch loops, follow them, and work with what they leave."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app import console
from app.markup import size
from app.options import Changes, Home, Json, LoopId, Server, changes_of, settings_of, target_of
from app.targets import Target
from core.errors import InvalidConfig, LoopscopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backend.estimate import Estimate
    from backend.views import LoopView
    from core.config import LoopConfig

loops_app = typer.Typer(no_args_is_help=True, help="Launch loops, follow them, and work with what they leave.")


@loops_app.command("launch")
def launch(
    config: Annotated[Path | None, typer.Option(help="JSON file with a loop's configuration.")] = None,
    changes: Changes = None,
    preset: Annotated[str, typer.Option(help="Launch a preset's loops instead.")] = "",
    name: Annotated[str, typer.Option(help="What to call it.")] = "",
    group: Annotated[str, typer.Option(help="Loops of one comparison carry the same group.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Launch a preset anew even if its loops are here.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Launch a loop: defaults, then --config, then every --set; or a preset, whose choices --set makes."""
    if preset and config:
        raise InvalidConfig("A preset has its own configuration.", "Leave out --config, or clone its loops.", "preset")
    edits = changes_of(changes)
    wanted = None if preset else config_with(config, edits)
    with target_of(server, home) as target:
        if dry_run:
            answer = target.look_at_preset(preset, edits).estimate if wanted is None else target.estimate([wanted])
            console.print_json(answer) if as_json else console.print_text(estimated(answer))
            return
        if wanted is None:
            launched = target.launch_preset(preset, edits, again=again)
            if as_json:
                console.print_json(launched)
        else:
            launched = [target.launch(wanted, name=name, group=group)]
            if as_json:
                console.print_json(launched[0])
        if not as_json:
            for loop in launched:
                console.print_text(f"{loop.id}  {loop.name}: {loop.sentence}")
    if not server:
        tell_if_nothing_works(home)


@loops_app.command("list")
def list_loops(
    group: Annotated[str | None, typer.Option(help="Only this group.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted loops instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=5000)] = 100,
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """List loops, newest first."""
    with target_of(server, home) as target:
        found = target.list_loops(group=group, deleted=deleted, limit=limit)
    if as_json:
        console.print_json(found)
    elif not found:
        console.print_text("No loops yet. Start the demo with: loopscope up --demo")
    else:
        extra = _extra_columns(found)
        rows = [
            (v.id, v.name, v.group, v.arm, *(tell(v) for tell in extra.values()), v.state, _progress(v),
             console.number(v.latest.get("fid")), v.sentence)
            for v in found
        ]  # fmt: skip
        console.print_table(("id", "name", "group", "arm", *extra, "state", "generation", "FID", ""), rows)


@loops_app.command("show")
def show(loop_id: LoopId, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """State, metrics by generation and the last events of a loop."""
    with target_of(server, home) as target:
        loop = find(target, loop_id)
        generations, events = target.generations(loop.id), target.events(loop.id, limit=8)
    if as_json:
        console.print_json(console.plain(loop) | {"generations": console.plain(generations)})
        return
    console.print_text(f"{loop.name} ({loop.id}), {loop.arm}: {loop.sentence}")
    for told in (loop.error, loop.trouble):
        if told:
            console.print_text(f"{told.message} {told.hint}".strip())
    for rule in loop.config.get("tripwires", []):
        console.print_text(f"Stop rule: {rule}{' (no longer applies)' if rule in loop.disarmed else ''}")
    if generations:
        names = list(generations[-1].metrics)
        rows = [(g.index, *(console.number(g.metrics.get(n)) for n in names)) for g in generations]
        console.print_table(("generation", *names), rows)
    console.print_table(("", ""), [(f"{e.at:%Y-%m-%d %H:%M:%S}", e.sentence) for e in events], title="Last events")


@loops_app.command("drift")
def drift(loop_id: LoopId, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """What has drifted in a loop, generation by generation: artefacts or modes, and the cure."""
    with target_of(server, home) as target:
        found = target.drift(find(target, loop_id).id)
    if as_json:
        console.print_json(found)
    elif not found.generations:
        console.print_text(found.why)
    else:
        rows = [
            (each.generation, console.number(each.fid), console.number(each.fid_snapped), _percent(each.artefact_share),
             _percent(each.modes_in_use), each.verdict)
            for each in found.generations
        ]  # fmt: skip
        console.print_table(("generation", "FID", "snapped", "artefacts", "modes in use", "verdict"), rows)
        last, noise = found.generations[-1], found.noise["fid"]
        console.print_text(
            f"Noise of generation 0: FID {console.number(noise.low)} to {console.number(noise.high)}"
            + ("." if found.floor is None else f"; floor {console.number(found.floor)}.")
        )
        console.print_text(last.sentence)


@loops_app.command("cancel")
def cancel(loop_id: LoopId, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """Stop a loop; what it recorded stays."""
    with target_of(server, home) as target:
        _tell(target.cancel(find(target, loop_id).id), as_json)


@loops_app.command("resume")
def resume(loop_id: LoopId, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """Go on with a cancelled, stopped or failed loop."""
    with target_of(server, home) as target:
        _tell(target.resume(find(target, loop_id).id), as_json)


@loops_app.command("retry")
def retry(loop_id: LoopId, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """Try a failed loop again, with all attempts of every stage."""
    with target_of(server, home) as target:
        _tell(target.retry(find(target, loop_id).id), as_json)


@loops_app.command("rollback")
def rollback(
    loop_id: LoopId,
    to: Annotated[str, typer.Argument(metavar="GENERATION", help="The last generation to keep, or: best.")] = "best",
    metric: Annotated[str, typer.Option(help="Which metric is meant by best (default: the domain's first).")] = "",
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Forget what an ended loop made after a generation; resume goes on from there."""
    if to != "best" and not to.isdecimal():
        raise InvalidConfig(f"{to!r} is no generation.", "Give a whole number from 0, or: best.", "to")
    with target_of(server, home) as target:
        wanted: int | Literal["best"] = "best" if to == "best" else int(to)
        _tell(target.rollback(find(target, loop_id).id, wanted, metric=metric), as_json)


@loops_app.command("prioritize", context_settings={"ignore_unknown_options": True})
def prioritize(
    loop_id: LoopId,
    priority: Annotated[int, typer.Argument(help="-10 to 10; higher ones go first, 0 is usual.")],
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Let a loop go before others, or after them."""
    with target_of(server, home) as target:
        _tell(target.prioritize(find(target, loop_id).id, priority), as_json)


@loops_app.command("clone")
def clone(
    loop_id: LoopId,
    changes: Changes = None,
    name: Annotated[str, typer.Option(help="What to call the copy.")] = "",
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Launch a copy of a loop with edits."""
    with target_of(server, home) as target:
        _tell(target.clone(find(target, loop_id).id, changes_of(changes), name=name), as_json)


@loops_app.command("extend")
def extend(
    loop_id: LoopId,
    generations: Annotated[int, typer.Argument(min=1, help="How many more.")],
    seen: Annotated[int | None, typer.Option(help="Only if it has so many now.")] = None,
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Run more generations of a loop."""
    with target_of(server, home) as target:
        _tell(target.extend(find(target, loop_id).id, generations, seen=seen), as_json)


@loops_app.command("delete")
def delete(loop_id: LoopId, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """Delete a loop; it can be restored for a while."""
    with target_of(server, home) as target:
        _tell(target.delete(find(target, loop_id).id), as_json)


@loops_app.command("restore")
def restore(loop_id: LoopId, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """Bring a deleted loop back."""
    with target_of(server, home) as target:
        _tell(target.restore(find(target, loop_id, deleted=True).id), as_json)


@loops_app.command("export")
def export(
    loop_id: LoopId,
    form: Annotated[
        Literal["json", "csv"], typer.Option("--format", help="Everything, or a row per generation.")
    ] = "json",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write (default: stdout).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """A loop's configuration and metrics as a file."""
    with target_of(server, home) as target:
        content = target.export(find(target, loop_id).id, "json" if as_json else form)
    if output is None:
        console.print_text(content.decode().rstrip("\n"))
    else:
        _write(output, content)


def config_with(path: Path | None, edits: "dict[str, Any]") -> "LoopConfig":
    """Defaults, then a file, then edits (dotted paths).

    Raises:
        InvalidConfig: naming the field.
    """
    from backend.parts import read_config
    from core.config import with_changes

    plain = _read_config(path)
    if isinstance(plain, dict) and "domain" in edits:
        plain["domain"] = edits["domain"]  # first of all: it decides what the other options are
    return with_changes(read_config(plain), {name: value for name, value in edits.items() if name != "domain"})


def estimated(answer: "Estimate") -> str:
    from backend.views import in_words

    return f"About {in_words(answer.seconds)} and {size(1e6 * answer.megabytes)}. {answer.note}"


def _read_config(path: Path | None) -> Any:
    if path is None:
        return {}
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}.", "Check --config.", "config") from None
    except ValueError as error:
        raise InvalidConfig(
            f"{path} is no JSON: {error}.", "`loopscope loops export` shows the form.", "config"
        ) from None


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise LoopscopeError(f"{path} cannot be written: {error.strerror}.", "Check --output.") from None


def find(target: Target, loop_id: str, *, deleted: bool = False) -> "LoopView":
    """The loop of that id, or the only one whose id begins so."""
    from core.errors import Conflict, NotFound

    try:
        return target.show_loop(loop_id)
    except NotFound:
        found = [view for view in target.list_loops(deleted=deleted, limit=5000) if view.id.startswith(loop_id)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(view.id for view in found[:5])
            raise Conflict(f"{loop_id!r} begins {len(found)} ids: {ids}.", "Give more letters.") from None
        raise


def _extra_columns(found: "Sequence[LoopView]") -> "dict[str, Callable[[LoopView], str]]":
    """Columns that only some installations need: whose loops, and which go first."""
    columns: dict[str, Callable[[LoopView], str]] = {}
    if any(view.owner for view in found):
        columns["owner"] = lambda view: view.owner
    if any(view.priority for view in found):
        columns["priority"] = lambda view: f"{view.priority:+d}" if view.priority else ""
    return columns


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _progress(loop: "LoopView") -> str:
    return f"{max(loop.generation, 0)} of {loop.config['generations']}"


def _tell(loop: "LoopView", as_json: bool) -> None:
    console.print_json(loop) if as_json else console.print_text(f"{loop.id}  {loop.name}: {loop.sentence}")


def tell_if_nothing_works(home: Path | None) -> None:
    from app.home import is_up

    if not is_up(settings_of(home=home)):
        console.say("Nothing works on this data folder yet. Start it with: loopscope up")
