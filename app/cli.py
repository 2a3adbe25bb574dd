"""The ``loopscope`` command. Heavy things load inside the commands, so that help and errors come at once."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from app import console, storecommands, sweepcommands
from app.auditcommand import audit
from app.datacommands import data_app
from app.drawcommand import draw
from app.labcommands import lab_app
from app.loopcommands import loops_app
from app.options import Changes, Home, Host, Json, Port, Server, changes_of, opened_home, settings_of, target_of
from app.usercommands import users_app
from core.errors import InvalidConfig, LoopscopeError


class Boundary(typer.core.TyperGroup):
    """Turns expected errors into two lines and exit status 2, wherever in a command they come up."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LoopscopeError as error:
            console.print_error(error)
            raise typer.Exit(2) from None
        except Exception as error:
            if type(error).__module__.startswith("sqlalchemy."):
                console.print_error(_database_error(error))
                raise typer.Exit(2) from None
            raise


app = typer.Typer(
    cls=Boundary,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
sweepcommands.register(loops_app)
app.add_typer(loops_app, name="loops")
app.add_typer(lab_app, name="lab")
app.add_typer(data_app, name="data")
app.add_typer(users_app, name="users")
storecommands.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.print_text(f"loopscope {version('loopscope')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run self-consuming training loops, correct their samples with physics, and see which loops collapse."""


# --- start ---


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo", help="Start the demo at once (unless it is there already).")] = False,
    host: Host = None,
    port: Port = None,
    home: Home = None,
) -> None:
    """Serve the page, with broker and workers, until Ctrl-C."""
    from app.up import run_up

    raise typer.Exit(run_up(settings_of(home=home, host=host, port=port), demo=demo))


@app.command()
def serve(host: Host = None, port: Port = None, home: Home = None) -> None:
    """Serve page and API only; broker and workers run elsewhere."""
    from app.up import run_server

    run_server(settings_of(home=home, host=host, port=port))


@app.command()
def worker(
    queues: Annotated[str, typer.Option(help="What to work on: gpu, cpu, or both as gpu,cpu.")] = "gpu,cpu",
    home: Home = None,
) -> None:
    """Work on stages of loops until stopped."""
    wanted = [part.strip() for part in queues.split(",") if part.strip()]
    if not wanted or not set(wanted) <= {"gpu", "cpu"}:
        raise InvalidConfig(f"--queues {queues!r} names no queues.", "Choose gpu, cpu, or gpu,cpu.", "queues")
    from app.up import run_worker

    raise typer.Exit(run_worker(settings_of(home=home), wanted))


@app.command()
def demo(
    as_json: Json = False,
    preset: Annotated[str, typer.Option(help="Which preset to run.")] = "demo",
    changes: Changes = None,
    again: Annotated[bool, typer.Option("--again", help="Run it anew even if its loops are here already.")] = False,
    home: Home = None,
) -> None:
    """Run a preset to its end without a browser; starts what it needs, or uses what is up."""
    from app.demo import run_demo

    raise typer.Exit(run_demo(settings_of(home=home), preset, changes_of(changes), again=again, as_json=as_json))


# --- motions, catalogue, machine ---


@app.command()
def correct(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A .bvh or .npz motion.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write the corrected one: .bvh or .npz.")],
    corrector: Annotated[str, typer.Option(help="Which corrector.")] = "physics",
    option: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the corrector.")] = None,
    unit: Annotated[
        Literal["auto", "m", "cm", "inch", "cmu"], typer.Option(help="Length unit of a BVH file, which states none.")
    ] = "auto",
    report_to: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Also write curves before and after: .html or .png."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Correct one motion file. Exit status: 0 corrected or unchanged, 1 rejected, 2 unreadable."""
    from backend.correctfile import correct_file
    from backend.outcomes import simulation_sentence

    report = correct_file(source, target, kind=corrector, options=changes_of(option), unit=unit, report_path=report_to)
    if as_json:
        console.print_json(report)
    else:
        for note in report.notes:
            console.say(note)
        console.print_text(
            f"{report.status.capitalize()}: {report.reason}" if report.reason else report.status.capitalize()
        )
        before, after = console.plain(report.before), console.plain(report.after) or {}
        rows = [(name, console.number(before[name]), console.number(after.get(name))) for name in before]
        console.print_table(("", "before", "after"), rows)
        if sentence := simulation_sentence(report.simulation):
            console.print_text(sentence)
        if report_to is not None:
            console.print_text(f"Report: {report_to}")
    raise typer.Exit(1 if report.status == "rejected" else 0)


app.command()(audit)
loops_app.command("draw")(draw)


@app.command()
def presets(as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """Experiments that can be launched as they are."""
    with target_of(server, home) as target:
        found = target.presets()
    if as_json:
        console.print_json(found)
        return
    for p in found:
        console.print_text(
            f"{p.key}: {p.title} ({len(p.loops)} loops, about {p.minutes:g} min on two CPU cores)\n"
            f"  {p.question}\n  Shows: {p.shows}\n  Does not show: {p.does_not_show}\n  After: {p.paper}\n"
        )


@app.command()
def doctor(
    data: Annotated[
        bool, typer.Option("--data", help="Look for damage in what is kept: rows and files, by name and size.")
    ] = False,
    deep: Annotated[bool, typer.Option("--deep", help="With --data: read and verify every byte.")] = False,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Check what this machine has: versions, device, rendering, browser, broker, database, artifacts, disk, viewer."""
    from app.doctor import examine, examine_data

    settings = settings_of(home=home)
    if data or deep:
        with storecommands.progress_bar() as tell:
            findings = examine_data(settings, deep, tell)
        if as_json:
            console.print_json({"ok": not findings, "findings": [finding.as_dict() for finding in findings]})
        elif findings:
            console.print_table(("", "", "", ""), [(f.kind, f.where, f.what, f.hint) for f in findings])
        else:
            console.print_text("Nothing is damaged." if deep else "Nothing is damaged, as far as names and sizes say.")
        raise typer.Exit(1 if findings else 0)
    checks = examine(settings)
    if as_json:
        console.print_json({"ok": all(c.ok or not c.needed for c in checks), "checks": [c.as_dict() for c in checks]})
    else:
        marks = {True: "ok", False: "MISSING"}
        rows = [(c.name, marks[c.ok] if c.needed or c.ok else "absent", c.detail, c.hint) for c in checks]
        console.print_table(("", "", "", ""), rows)
    raise typer.Exit(0 if all(c.ok or not c.needed for c in checks) else 1)


@app.command()
def system(as_json: Json = False, home: Home = None) -> None:
    """Show what works here now: processes, queues, disk, database, broker, last errors."""
    from app.systemcommand import lines
    from backend.observe.observer import Observer

    with opened_home(home) as backend:
        found = Observer(backend).system()
    if as_json:
        console.print_json(found.model_dump(mode="json"))
    else:
        for line in lines(found):
            console.print_text(line)


def _database_error(error: Exception) -> LoopscopeError:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return LoopscopeError(f"The database does not do as asked: {reason}.", "Check LOOPSCOPE_DATABASE_URL and the disk.")


def main() -> None:
    """Entry point of the ``loopscope`` command."""
    app()


if __name__ == "__main__":
    main()
