"""``loopscope data ...``: import motion capture, look at data sets, delete them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import console
from app.options import Home, Json, Server, target_of
from app.storecommands import progress_bar
from core.config import parse

if TYPE_CHECKING:
    from backend.datasets import DatasetView

data_app = typer.Typer(no_args_is_help=True, help="The data sets that loops learn from.")

Which = Annotated[str, typer.Argument(metavar="ID", help="Id or name of an imported data set.")]
STEPS = 1000


@data_app.command("import")
def import_data(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, a folder, or a zip of motion files.")],
    kind: Annotated[
        str,
        typer.Option(
            help="auto, npz, humanml3d (also KIT-ML), amass, bvh, motion (own npz of one motion) or deepmimic."
        ),
    ] = "auto",
    name: Annotated[str, typer.Option(help="What to call it (default: as the file or folder).")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the data, kept with them.")] = "",
    source: Annotated[str, typer.Option(help="Where the data are from; whom to cite.")] = "",
    labels: Annotated[
        str, typer.Option(help="Classes: auto, folder, file, none, or a CSV file (file,label,subject,split,text).")
    ] = "auto",
    unit: Annotated[
        str, typer.Option(help="Length unit of BVH files, which state none: auto, m, cm, inch...")
    ] = "auto",
    fps: Annotated[float, typer.Option(help="Frames per second to keep; 0 = as the files, at most 30.")] = 0.0,
    keep_floor: Annotated[bool, typer.Option("--keep-floor", help="Leave feet that are off the floor there.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out files that cannot be read.")] = False,
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Import motion capture as a data set: all of it or nothing. The same files give the same data set."""
    from backend.importing.work import ImportOptions

    given = {
        "kind": kind, "name": name, "licence": licence, "source": source, "labels": labels, "unit": unit, "fps": fps,
        "floor": not keep_floor, "skip_bad": skip_bad,
    }  # fmt: skip
    options = parse(ImportOptions, given)
    with target_of(server, home) as target, progress_bar() as tell:

        def told(part: float, sentence: str) -> None:
            del sentence  # the bar has one line for all files
            tell("Importing", round(STEPS * part), STEPS)

        view = target.import_data(path, options, told)
    if as_json:
        console.print_json(view)
        return
    for note in [*view.card["notes"], *(f"Left out: {bad}" for bad in view.card["left_out"])]:
        console.say(note)
    console.print_text(f"Imported {view.name!r} as {view.id}: {_content(view)}.")
    if view.usable:
        named = f"--set data.kind=stored --set data.options.id={view.id}"
        console.print_text(f"Learn from it: loopscope loops launch {named}")


@data_app.command("list")
def list_data(
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones that can still be brought back.")] = False,
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Data sets: imported ones, and what is built in."""
    with target_of(server, home) as target:
        imported, known = target.list_datasets(deleted=deleted), [] if deleted else target.data()
    if as_json:
        console.print_json([*({"kind": "stored"} | console.plain(view) for view in imported), *console.plain(known)])
        return
    if imported:
        console.print_table(
            ("id", "name", "", "licence"), [(v.id, v.name, _content(v), v.card["licence"]) for v in imported]
        )
    elif deleted:
        console.print_text("No data set was deleted.")
    else:
        console.print_text("Nothing was imported yet: loopscope data import FOLDER.")
    if known:
        rows = [(v.kind, v.title, v.description, v.needs or (v.card or {}).get("licence", "")) for v in known]
        console.print_table(("data.kind", "title", "", "licence, or what is missing"), rows)


@data_app.command("show")
def show_data(which: Which, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """What is known of an imported data set."""
    with target_of(server, home) as target:
        view = target.show_dataset(which)
    if as_json:
        console.print_json(view)
        return
    card = view.card
    skeleton = card["skeleton"]
    rows = [
        ("id", view.id), ("name", view.name), ("format", card["format"]), ("content", _content(view)),
        ("skeleton", f"{skeleton['joints']} joints, {skeleton['stature_m']:.2f} m tall"),
        ("subjects", ", ".join(card["subjects"]) or "not named"), ("texts", str(card["texts"])),
        ("split", card["split"]), ("classes from", card["labels"]), ("licence", card["licence"]),
        ("source", card["source"]), ("used by", f"{view.loops} loops"), ("digest", view.digest),
    ]  # fmt: skip
    console.print_table(("", ""), rows)
    console.print_table(
        ("class", "clips", "seconds", "m/s", "penetration mm", "skate m/s", "jerk m/s³"), _classes(view)
    )
    for note in card["notes"]:
        console.print_text(note)


@data_app.command("delete")
def delete_data(which: Which, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """Delete an imported data set. Loops that learn from it go on; `data restore` brings it back for a while."""
    with target_of(server, home) as target:
        view = target.delete_dataset(which)
    if as_json:
        console.print_json(view)
    else:
        console.print_text(f"Deleted {view.name!r}. Bring it back: loopscope data restore {view.id}")


@data_app.command("restore")
def restore_data(which: Which, as_json: Json = False, server: Server = "", home: Home = None) -> None:
    """Bring a deleted data set back, by its id."""
    with target_of(server, home) as target:
        view = target.restore_dataset(which)
    console.print_json(view) if as_json else console.print_text(f"{view.name!r} is back.")


def _content(view: "DatasetView") -> str:
    card = view.card
    return f"{card['clips']} clips, {card['seconds']:.0f} s at {card['fps']:g} fps, {len(card['classes'])} classes"


def _classes(view: "DatasetView") -> Sequence[tuple[str, ...]]:
    names = ("seconds", "speed_m_s", "penetration_mm", "skate_m_s", "jerk_m_s3")
    return [
        (label, str(found["clips"]), *(console.number(found[name]) for name in names))
        for label, found in view.card["statistics"].items()
    ]
