"""Markup below the panes: what the corrector did to a sample, its measures before and after, and its files."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.markup import arm_mark, change, colour_mark, download, esc, measured
from app.viewer_embed import KINDS, Kind, motion_at, motion_url, outcome_of, pane_colours, panel_url
from backend.outcomes import help_sentence, simulation_rows

if TYPE_CHECKING:
    from backend.views import LoopView, PanelView

UNITS = (("_m_s3", "m/s³"), ("_m_s2", "m/s²"), ("_m_s", "m/s"), ("_mm", "mm"), ("_bw", "body weights"), ("_m", "m"))
TITLES = {"penetration": "Floor penetration", "float": "Floating", "skate": "Foot skate", "jerk": "Jerk"}
STATUS_WORDS = {
    "corrected": "Corrected.",
    "unchanged": "Left unchanged: nothing to correct beyond what real motion shows.",
    "rejected": "Rejected; the pane shows the raw sample.",
}


def measure_title(name: str) -> tuple[str, str]:
    """``penetration_mm`` -> (Floor penetration, mm)."""
    for suffix, unit in UNITS:
        if name.endswith(suffix):
            stem = name.removesuffix(suffix)
            return TITLES.get(stem, stem.replace("_", " ").capitalize()), unit
    return TITLES.get(name, name.replace("_", " ").capitalize()), ""


def one_loop_detail(view: "LoopView", panel: "PanelView", index: int) -> str:
    """Outcome and measures of one sample of a panel, and downloads of its three forms."""
    return sample_detail(outcome_of(panel, index), panel_url(view.id, panel.generation), index)


def sample_detail(outcome: Mapping[str, Any], base: str, index: int) -> str:
    """The same of a sample whose motions lie at ``base``."""
    return (
        f'<div class="ls-inspect-below"><section class="ls-card"><h3>What the corrector did</h3>'
        f"{outcome_words(outcome)}{_measures(outcome)}</section>"
        f'<section class="ls-card"><h3>Take it away</h3>{_downloads(base, index)}</section></div>'
    )


def outcome_words(outcome: Mapping[str, Any]) -> str:
    status = str(outcome.get("status", ""))
    if not status:
        return '<p class="ls-soft">No corrector has looked at this sample.</p>'
    words = STATUS_WORDS.get(status, status)
    reason = str(outcome.get("reason") or "")
    facts = ""
    if status == "corrected":
        facts = f" Moved {1000 * float(outcome.get('moved_m') or 0):.0f} mm on average."
    because = f' <span class="ls-soft">({esc(reason)})</span>' if reason else ""
    state = "failed" if status == "rejected" else ""
    told = f"{esc(facts)}{because} {esc(help_sentence(outcome))}".rstrip()
    return f'<p style="margin:6px 0"><span data-state="{state}">{esc(words)}</span>{told}</p>'


def _measures(outcome: Mapping[str, Any]) -> str:
    before, after = outcome.get("before") or {}, outcome.get("after") or {}
    names = [name for name in before if isinstance(before[name], int | float)]
    simulated = simulation_rows(outcome.get("simulation") or {})
    if not names and not simulated:
        return ""
    rows = ""
    for name in names:
        title, unit = measure_title(name)
        now = after.get(name)
        moved = change(now - before[name]) if isinstance(now, int | float) else "-"
        rows += (
            f"<tr><td>{esc(title)}{f' ({esc(unit)})' if unit else ''}</td>"
            f'<td class="ls-right ls-num">{measured(before[name])}</td>'
            f'<td class="ls-right ls-num">{measured(now)}</td><td class="ls-right ls-num ls-soft">{moved}</td></tr>'
        )
    for title, unit, value in simulated:
        rows += (
            f"<tr><td>{esc(title)} ({esc(unit)})</td><td></td>"
            f'<td class="ls-right ls-num">{measured(value)}</td><td></td></tr>'
        )
    return (
        '<table aria-label="Measures of this motion"><thead><tr><th>This motion</th><th class="ls-right">raw</th>'
        f'<th class="ls-right">corrected</th><th class="ls-right">change</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _downloads(base: str, index: int) -> str:
    rows = "".join(
        f'<div class="ls-row" style="margin-top:6px"><span style="width:96px">{arm_mark(kind)}{kind}</span>'
        f"{download('BVH', motion_at(base, kind, index, 'bvh'))}"
        f"{download('NPZ', motion_at(base, kind, index, 'npz'))}</div>"
        for kind in KINDS
    )
    media = (
        f'<div class="ls-row" style="margin-top:10px"><span style="width:96px">side by side</span>'
        f"{download('MP4', f'{base}/{index}/side-by-side.mp4')}"
        f"{download('PNG contact sheet', f'{base}/{index}/contact-sheet.png')}</div>"
        '<p class="ls-soft" style="font-size:12.5px;margin-top:8px">BVH and NPZ: metres, y up. '
        "MP4 and PNG are rendered when asked for; that takes some seconds.</p>"
    )
    return rows + media


def across_detail(
    rows: "Sequence[tuple[LoopView, Kind, PanelView | None]]", t: int, index: int, fids: Mapping[str, float]
) -> str:
    """The same sample of several loops in numbers; ``fids`` are the loops' at generation t, as far as measured."""
    colours = pane_colours([(view, kind) for view, kind, _ in rows])
    names: list[str] = []
    taken: list[dict[str, Any]] = []
    for _, kind, panel in rows:
        outcome = outcome_of(panel, index) if panel is not None else {}
        values = outcome.get("after" if kind == "corrected" else "before") or {}
        taken.append({k: v for k, v in values.items() if isinstance(v, int | float)})
        names += [name for name in taken[-1] if name not in names]
    heads = ""
    for name in names:
        title, unit = measure_title(name)
        heads += f'<th class="ls-right">{esc(title)}{f" ({esc(unit)})" if unit else ""}</th>'
    body = ""
    for (view, kind, panel), colour, values in zip(rows, colours, taken, strict=False):
        cells = "".join(f'<td class="ls-right ls-num">{measured(values.get(name))}</td>' for name in names)
        files = (
            download("BVH", motion_url(view.id, t, kind, index, "bvh"), button=False)
            + " &nbsp; "
            + download("NPZ", motion_url(view.id, t, kind, index, "npz"), button=False)
            if panel is not None
            else '<span class="ls-soft">not there yet</span>'
        )
        body += (
            f"<tr><td>{colour_mark(colour)}{esc(view.name)}</td><td>{esc(kind)}</td>{cells}"
            f'<td class="ls-right ls-num">{measured(fids.get(view.id))}</td><td>{files}</td></tr>'
        )
    return (
        f'<div class="ls-scroll"><table aria-label="The same sample across loops"><thead><tr><th>Loop</th>'
        f'<th>shown</th>{heads}<th class="ls-right" title="Of the whole generation">FID of generation {t}</th>'
        "<th>motion</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )
