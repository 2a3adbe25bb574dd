"""What the pictures component shows: panes and tails with the addresses of their numbers, by generation.

``{g}`` in an address stands for the generation: the page steps through them without asking the server what to show.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app.theme import ARM_COLOURS
from app.variation import varied_option
from app.viewer_embed import MOST_PANES, Kind, pane_colours
from model.domains import DOMAINS

if TYPE_CHECKING:
    from backend.views import LoopView

CLOUDS = ("points", "curve")  # views that show real data behind the samples
TITLES: dict[Kind, str] = {"real": "Real", "raw": "Raw", "corrected": "Corrected"}


def view_of(view: "LoopView") -> str:
    """How a loop's panels are shown: ``motion``, ``points``, ``curve``, ``images`` or ``text``."""
    part = DOMAINS.get(str(view.config.get("domain", "motion")))
    return part.view if part is not None else "points"


def one_loop(view: "LoopView", generation: int, *, last: int) -> dict[str, Any]:
    """Real, raw and, where anything corrects, corrected form of one generation's panel."""
    kinds: tuple[Kind, ...] = ("real", "raw", "corrected") if shows_corrected(view) else ("real", "raw")
    panes = [
        {
            **_pane(view, kind, last), "id": kind, "title": TITLES[kind], "subtitle": _subtitle(view, kind),
            "color": ARM_COLOURS[kind],
        }
        for kind in kinds
    ]  # fmt: skip
    tail: dict[str, Any] = {"title": view.name, "color": ARM_COLOURS["raw" if view.arm != "corrected" else "corrected"]}
    tail |= {"url": _tails_url(view), "last": max(view.generation, 0)}  # measured later than the panel is drawn
    return spec(view_of(view), generation, last, panes, [tail])


def across_loops(chosen: "Sequence[tuple[LoopView, Kind]]", generation: int, *, last: int) -> dict[str, Any]:
    """The panels of several loops at one generation, and their tails in one chart."""
    chosen = chosen[:MOST_PANES]
    colours, names = pane_colours(chosen), _names([view for view, _ in chosen])
    panes = [
        {
            **_pane(view, kind, max(view.generation, 0)), "id": f"{view.id}:{kind}", "title": names[view.id],
            "subtitle": TITLES[kind].lower(), "color": colour,
        }
        for (view, kind), colour in zip(chosen, colours, strict=True)
    ]  # fmt: skip
    tails, seen = [], set()
    for (view, _), colour in zip(chosen, colours, strict=True):
        if view.id not in seen:
            last_here = max(view.generation, 0)
            tails.append({"title": names[view.id], "color": colour, "url": _tails_url(view), "last": last_here})
        seen.add(view.id)
    views = [name for view, _ in chosen if (name := view_of(view)) != "motion"]
    return spec(views[0] if views else "points", generation, last, panes, tails)


def _names(views: "Sequence[LoopView]") -> dict[str, str]:
    """What loops are called beside each other: by the number that they differ in, where they share a name."""
    by_id = {view.id: view for view in views}
    names = {loop_id: view.name for loop_id, view in by_id.items()}
    found = varied_option([[view.config] for view in by_id.values()])
    if found is not None and len(set(names.values())) < len(names):
        return {loop_id: f"{names[loop_id]}, {words}" for loop_id, words in zip(by_id, found.words, strict=True)}
    return names


def tails_of(views: "Sequence[LoopView]", colours: Sequence[str], generation: int, *, last: int) -> dict[str, Any]:
    """Tails alone: what stands below motions, which have a viewer of their own."""
    tails = [
        {"title": view.name, "color": colour, "url": _tails_url(view), "last": max(view.generation, 0)}
        for view, colour in zip(views, colours, strict=True)
    ]
    return spec("motion", generation, last, [], tails)


def nothing(message: str = "") -> dict[str, Any]:
    """No picture; a sentence instead, where there is one."""
    return spec("points", 0, 0, [], [], message=message)


def spec(
    view: str, generation: int, last: int, panes: Sequence[Any], tails: Sequence[Any], *, message: str = ""
) -> dict[str, Any]:
    """Value of the component."""
    return {
        "view": view, "generation": generation, "last": max(last, 0), "panes": list(panes), "tails": list(tails),
        "message": message,
    }  # fmt: skip


def shows_corrected(view: "LoopView") -> bool:
    """Whether the corrected panel differs from the raw one: the loop corrects, or its panel does."""
    panel = view.config.get("evaluation", {}).get("panel_corrector", {}).get("kind", "none")
    return view.arm == "corrected" or panel != "none"


def values_url(loop_id: str, generation: int | str) -> str:
    return f"/api/v1/loops/{loop_id}/generations/{generation}/panel/values"


def _tails_url(view: "LoopView") -> str:
    return f"/api/v1/loops/{view.id}/generations/{{g}}/tails"


def _pane(view: "LoopView", kind: Kind, last: int) -> dict[str, Any]:
    part = DOMAINS.get(str(view.config.get("domain")))
    cloud = part is not None and part.light and view_of(view) in CLOUDS
    real = f"/api/v1/loops/{view.id}/real" if cloud else None
    note = "Shows motions: choose loops of one kind of data." if view_of(view) == "motion" else ""
    return {"kind": kind, "url": values_url(view.id, "{g}"), "real": real, "last": last, "note": note}


def _subtitle(view: "LoopView", kind: Kind) -> str:
    seeds = int(view.config.get("replicates", 1))
    of_seed = f", first of {seeds} seeds" if seeds > 1 else ""
    if kind == "real":
        return ("training data" if view_of(view) in CLOUDS else "nearest real samples") + of_seed
    if kind == "raw":
        return "as the model makes them" + of_seed
    return "what the loop learns from" if view.arm == "corrected" else "for the eye only: this loop corrects nothing"
