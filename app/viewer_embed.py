"""What the 3-D viewer shows: panes with the addresses of their motions, by loop, generation and sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from app.theme import ARM_COLOURS, FURTHER_COLOURS
from backend.outcomes import help_sentence

if TYPE_CHECKING:
    from backend.drawing import DrawView
    from backend.views import LoopView, PanelView

Kind = Literal["real", "raw", "corrected"]
KINDS: tuple[Kind, ...] = ("real", "raw", "corrected")
MOST_PANES = 4
FOR_THE_EYE = "for the eye only: this loop corrects nothing"


@dataclass(frozen=True)
class Start:
    """Where the viewer begins: a frame, and a camera (position and target, metres)."""

    frame: int | None = None
    camera: tuple[float, ...] | None = None

    @classmethod
    def of(cls, text: str | None) -> "Start":
        """From ``frame;x,y,z,x,y,z`` of an address; what cannot be read is left out."""
        frame, _, camera = (text or "").partition(";")
        try:
            numbers = tuple(float(bit) for bit in camera.split(",")) if camera else ()
        except ValueError:
            numbers = ()
        return cls(int(frame) if frame.isdigit() else None, numbers if len(numbers) == 6 else None)


@dataclass(frozen=True)
class Choice:
    """One pane of a comparison: which loop, and which form of its sample."""

    loop_id: str
    kind: Kind

    @property
    def key(self) -> str:
        return f"{self.loop_id}:{self.kind}"

    @classmethod
    def of(cls, key: str) -> "Choice | None":
        """From ``loop:kind``; None for anything else."""
        loop_id, _, kind = key.rpartition(":")
        return next((cls(loop_id, k) for k in KINDS if k == kind and loop_id), None)


START = Start()


def panel_url(loop_id: str, generation: int) -> str:
    return f"/api/v1/loops/{loop_id}/generations/{generation}/panel"


def draw_url(loop_id: str, draw_id: str) -> str:
    return f"/api/v1/loops/{loop_id}/draws/{draw_id}"


def motion_at(base: str, kind: str, index: int, suffix: str = "lsm") -> str:
    """Address of one motion of a panel or draw, in the viewer's format or another."""
    return f"{base}/{kind}/{index}/motion.{suffix}"


def motion_url(loop_id: str, generation: int, kind: str, index: int, suffix: str = "lsm") -> str:
    """The same of a panel."""
    return motion_at(panel_url(loop_id, generation), kind, index, suffix)


def outcome_of(panel: "PanelView", index: int) -> dict[str, Any]:
    """What the corrector did to a sample of a panel; empty when it is not said."""
    sample = next((s for s in panel.samples if s.index == index), None)
    return dict(sample.outcome or {}) if sample is not None else {}


def one_loop(view: "LoopView", panel: "PanelView", index: int, *, last: int, start: Start = START) -> dict[str, Any]:
    """Real, raw and corrected form of one sample; the raw one as a ghost inside the corrected one."""
    t = panel.generation
    outcome = outcome_of(panel, index)
    where = "what the loop learns from" if view.arm == "corrected" else FOR_THE_EYE
    prompts = view.config["evaluation"].get("prompts", ())  # the last samples are theirs
    subtitles: dict[Kind, str] = {
        "real": _nearest_words(of_class=index < len(panel.samples) - len(prompts)),
        "raw": f"generation {t}, as the model makes it",
        "corrected": _corrected_words(outcome, where),
    }
    prefetch = [motion_url(view.id, n, kind, index) for n in _neighbours(t, last) for kind in KINDS]
    return spec(_three(panel_url(view.id, t), index, subtitles, outcome), prefetch=prefetch, start=start)


def drawn(view: "LoopView", draw: "DrawView", index: int, *, start: Start = START) -> dict[str, Any]:
    """The same of a sample that was drawn on demand."""
    sample = draw.samples[index]
    where = "as this loop corrects" if view.arm == "corrected" else FOR_THE_EYE
    subtitles: dict[Kind, str] = {
        "real": _nearest_words(of_class=draw.request.prompt is None and bool(draw.request.label)),
        "raw": f"drawn from generation {draw.generation}" + (f": {sample.label}" if sample.label else ""),
        "corrected": _corrected_words(sample.outcome, where),
    }
    return spec(_three(draw_url(view.id, draw.id), index, subtitles, sample.outcome), start=start)


def _nearest_words(*, of_class: bool) -> str:
    return f"nearest real motion of {'the' if of_class else 'any'} class"


def _three(base: str, index: int, subtitles: Mapping[Kind, str], outcome: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Panes of a sample's three forms, which lie at ``base``."""
    return [
        {
            "id": kind,
            "title": kind.capitalize(),
            "subtitle": subtitles[kind],
            "color": ARM_COLOURS[kind],
            "url": motion_at(base, kind, index),
            "ghost_url": motion_at(base, "raw", index) if kind == "corrected" else None,
            "ghost_color": ARM_COLOURS["raw"],
            "note": None,
            "facts": facts_of(outcome) if kind == "corrected" else None,
        }
        for kind in KINDS
    ]


def across_loops(
    chosen: "Sequence[tuple[LoopView, Kind, PanelView | None]]",
    generation: int,
    index: int,
    *,
    last: int,
    start: Start = START,
) -> dict[str, Any]:
    """The same sample (label and noise) of several loops at one generation."""
    panes, prefetch = [], []
    colours = pane_colours([(view, kind) for view, kind, _ in chosen[:MOST_PANES]])
    for (view, kind, panel), colour in zip(chosen[:MOST_PANES], colours, strict=True):
        there = panel is not None
        note = None if there else f"Generation {generation} is not there yet."
        panes.append(
            {
                "id": f"{view.id}:{kind}",
                "title": view.name,
                "subtitle": f"{kind}, generation {generation}",
                "color": colour,
                "url": motion_url(view.id, generation, kind, index) if there else None,
                "ghost_url": motion_url(view.id, generation, "raw", index) if there and kind == "corrected" else None,
                "ghost_color": ARM_COLOURS["raw"],
                "note": note,
                "facts": facts_of(outcome_of(panel, index)) if panel is not None and kind == "corrected" else None,
            }
        )
        prefetch += [
            motion_url(view.id, n, kind, index) for n in _neighbours(generation, min(last, view.generation)) if there
        ]
    return spec(panes, prefetch=prefetch, start=start)


def spec(
    panes: Sequence[dict[str, Any]] = (),
    *,
    message: str = "",
    prefetch: Sequence[str] = (),
    start: Start = START,
) -> dict[str, Any]:
    """The viewer's input; ``message`` is the sentence of an empty state."""
    return {
        "panes": list(panes),
        "message": message,
        "theme": "auto",
        "prefetch": list(prefetch),
        "frame": start.frame,
        "camera": list(start.camera) if start.camera else None,
    }


def pane_colours(chosen: "Sequence[tuple[LoopView, Kind]]") -> list[str]:
    """An arm's colour for the loop of that arm that was launched first, then the further ones (as in the charts)."""
    further = iter(FURTHER_COLOURS * 2)
    used: set[str] = set()
    colours = [""] * len(chosen)
    for i in sorted(range(len(chosen)), key=lambda i: (chosen[i][0].created_at, i)):
        view, kind = chosen[i]
        arm = "real" if kind == "real" or view.arm == "real" else view.arm
        colour = ARM_COLOURS[arm]
        if colour in used:
            colour = next(further)
        used.add(colour)
        colours[i] = colour
    return colours


def facts_of(outcome: Mapping[str, Any]) -> str:
    """Sentences below a corrected motion: what was done, and how much help a simulation needed."""
    status, reason = outcome.get("status"), str(outcome.get("reason") or "").rstrip(".")
    if not status:
        return "No corrector has looked at this sample."
    # The reason of a rejection stands across the pane.
    done = f"{reason[0].upper()}{reason[1:]}." if reason and status != "rejected" else ""
    return " ".join(part for part in (done, help_sentence(outcome) or "Nothing was simulated.") if part)


def _corrected_words(outcome: Mapping[str, Any], where: str) -> str:
    status = outcome.get("status")
    if status == "unchanged":
        return f"left unchanged; {where}"
    if status == "corrected":
        return f"moved {1000 * float(outcome.get('moved_m', 0.0)):.0f} mm on average; {where}"
    return where


def _neighbours(t: int, last: int) -> list[int]:
    return [n for n in (t + 1, t - 1) if 0 <= n <= last]
