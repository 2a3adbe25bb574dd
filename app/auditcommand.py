"""``loopscope audit``: what a corrector does to real, broken and generated motion."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app import console
from app.following import followed
from app.options import Home, Json, Server, changes_of, target_of
from core.errors import InvalidConfig, LoopscopeError

if TYPE_CHECKING:
    from app.targets import Target
    from backend.audits import AuditConfig, AuditView


def audit(
    data: Annotated[str, typer.Option(help="Data set (default: the loop's, else deepmimic).")] = "",
    data_options: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the data set.")
    ] = None,
    corrector: Annotated[str, typer.Option(help="Which corrector.")] = "physics",
    corrector_options: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the corrector.")
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Windows per input; FID depends on it.")] = 255,
    real: Annotated[int, typer.Option(help="Training windows for bounds and ceiling.")] = 256,
    perturbation: Annotated[
        list[str] | None, typer.Option(help="Only this way to break motion (default: all); none for none.")
    ] = None,
    loop: Annotated[str, typer.Option(metavar="ID", help="Also what this loop's models make.")] = "",
    generation: Annotated[list[int] | None, typer.Option(help="Of that loop; may be given again.")] = None,
    seed: Annotated[int, typer.Option(help="Of perturbations and samples.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Compute it anew even if it is here already.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a report with picture.")] = None,
    as_json: Json = False,
    server: Server = "",
    home: Home = None,
) -> None:
    """Measure what a corrector does to held-out real motion, to motion broken on purpose, and to a loop's samples."""
    from backend.audits import AuditConfig
    from core.config import parse

    wanted: dict[str, Any] = {
        "corrector": {"kind": corrector, "options": changes_of(corrector_options)},
        "n": n, "real": real, "loop": loop, "generations": generation or [], "seed": seed,
    }  # fmt: skip
    if data or data_options:
        wanted["data"] = {"kind": data or "deepmimic", "options": changes_of(data_options)}
    if perturbation:
        wanted["perturbations"] = [] if perturbation == ["none"] else perturbation
    if html is not None and not html.parent.is_dir():
        raise InvalidConfig(f"The folder {html.parent} is not there.", "Check --html.", "html")
    config = parse(AuditConfig, wanted)
    with target_of(server, home) as target:
        view = _ended(target, config, again)
    if view.state != "done":
        message = view.error.message if view.error is not None else view.sentence
        raise LoopscopeError(f"The audit is {view.state}: {message}", view.error.hint if view.error else "")
    if html is not None:
        _write(html, view)
    if as_json:
        console.print_json(view)
    else:
        _print(view, html)


def _ended(target: "Target", config: "AuditConfig", again: bool) -> "AuditView":
    """The audit once it is over: computed here on a data folder, followed on a server or another process."""
    from backend.local import Local

    if not isinstance(target, Local):
        return followed(target.start_audit(config, again=again), lambda view: target.show_audit(view.id))
    from backend import audits, auditwork

    backend = target.backend
    return followed(
        audits.start(backend, config, again=again, send=False),
        lambda view: audits.show(backend, view.id),
        lambda view, tick: auditwork.work(backend, view.id, worker="command line", also=tick),
    )


def _print(view: "AuditView", html: Path | None) -> None:
    from app import audittable
    from app.auditreport import subtitle, title

    assert view.result is not None
    console.print_text(f"{title(view)}: {subtitle(view)}.\n")
    console.print_table([name for name, _ in audittable.COLUMNS], [audittable.cells(e) for e in view.result.effects])
    console.print_text("")
    for sentence in view.result.findings:
        console.print_text(f"- {sentence}")
    console.print_text(f"\nKept as audit {view.id}" + (f"; report: {html}" if html is not None else "") + ".")


def _write(path: Path, view: "AuditView") -> None:
    from app.auditreport import page

    try:
        path.write_text(page(view), encoding="utf-8")
    except OSError as error:
        raise LoopscopeError(f"{path} cannot be written: {error.strerror}.", "Check --html.") from None
