"""``loopscope loops draw``: new samples of a generation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import console
from app.following import followed
from app.loopcommands import find
from app.options import Home, Json, LoopId, Server, target_of
from core.config import parse
from core.errors import InvalidConfig, LoopscopeError

if TYPE_CHECKING:
    from app.targets import Target
    from backend.drawing import DrawRequest, DrawView


def draw(
    loop_id: LoopId,
    generation: Annotated[int | None, typer.Option(help="Which one (default: the last).")] = None,
    label: Annotated[str, typer.Option("--class", metavar="NAME", help="Draw samples of this class.")] = "",
    prompt: Annotated[str | None, typer.Option(help="Or of this sentence, where the model is told text.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale (default: the loop's evaluation).")] = None,
    count: Annotated[int, typer.Option(help="How many samples.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed is the same noise in every generation and loop.")] = 0,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Also write the motions there, as BVH.")] = None,
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Draw new samples of a generation, raw and corrected; the same request gives the same motions."""
    from backend.drawing import DrawRequest

    if out is not None and not out.parent.is_dir():
        raise InvalidConfig(f"The folder {out.parent} is not there.", "Check --out.", "out")
    with target_of(server, home) as target:
        loop = find(target, loop_id)
        asked = {
            "loop": loop.id, "generation": max(loop.generation, 0) if generation is None else generation,
            "label": label, "prompt": prompt, "guidance_scale": guidance, "count": count, "seed": seed,
        }  # fmt: skip
        view = _ended(target, parse(DrawRequest, asked))
        if view.state != "done":
            message = view.error.message if view.error is not None else view.sentence
            raise LoopscopeError(f"The draw is {view.state}: {message}", view.error.hint if view.error else "")
        if out is not None:
            _write(target, view, out)
    if as_json:
        console.print_json(view)
    else:
        _print(view, out)


def _ended(target: "Target", request: "DrawRequest") -> "DrawView":
    """The draw once it is over: drawn here on a data folder, followed on a server."""
    from backend.local import Local

    if not isinstance(target, Local):
        return followed(target.start_draw(request), lambda view: target.show_draw(view.loop_id, view.id))
    from backend import drawing, drawwork

    backend = target.backend
    return followed(
        drawing.start(backend, request, send=False),
        lambda view: drawing.show(backend, view.loop_id, view.id),
        lambda view, tick: drawwork.work(backend, view.id, worker="command line", also=tick),
    )


def _write(target: "Target", view: "DrawView", folder: Path) -> None:
    """Each sample's three forms, named by draw, position and form."""
    from backend.drawing import KINDS

    try:
        folder.mkdir(exist_ok=True)
        for sample in view.samples:
            for kind in KINDS:
                content = target.draw_file(view.loop_id, view.id, kind, sample.index, "bvh")
                (folder / f"draw-{view.id[:8]}-{sample.index}-{kind}.bvh").write_bytes(content)
    except OSError as error:
        raise LoopscopeError(f"{folder} cannot be written: {error.strerror}.", "Check --out.") from None


def _print(view: "DrawView", folder: Path | None) -> None:
    rows = [(s.index, s.label, s.outcome.get("status", ""), s.outcome.get("reason", "")) for s in view.samples]
    console.print_table(("sample", "asked by", "corrector", "reason"), rows)
    where = f"; motions: {folder}" if folder is not None else ""
    console.print_text(f"Kept as draw {view.id} of generation {view.generation}{where}.")
