"""Markup of the Audit page: the state of one audit, what it found, and the list of all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app import audittable
from app.auditreport import subtitle, title
from app.markup import act, ago, download, esc

if TYPE_CHECKING:
    from backend.audits import AuditView
    from corrector.audit import Audit

PENDING = ("queued", "running", "cancelling", "interrupted")


def result(view: "AuditView") -> str:
    """State, findings and verbs of the chosen audit."""
    bits = []
    if view.state in ("queued", "running", "interrupted"):
        bits.append(act("Cancel", "cancel", audit=view.id, elem_id="audit-cancel"))
    if view.state in ("done", "cancelled", "failed"):
        bits.append(act("Run again", "again", audit=view.id, elem_id="audit-again"))
    if view.state == "done":
        bits.append(download("Report (HTML)", f"/ui/audit/{view.id}.html"))
        bits.append(download("JSON", f"/api/v1/audits/{view.id}"))
        bits.append('<button type="button" class="ls-button" data-copy-link>Copy link</button>')
    bar = (
        f'<div class="ls-bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{100 * view.fraction:.0f}"><i style="width:{100 * view.fraction:.1f}%"></i></div>'
        if view.state in PENDING
        else ""
    )
    error = ""
    if view.error is not None and view.state == "failed":
        trace = view.error.traceback
        folded = f"<details><summary>Traceback</summary><pre>{esc(trace)}</pre></details>" if trace else ""
        error = f'<div class="ls-error" role="alert">{esc(view.error.message)}<br>{esc(view.error.hint)}{folded}</div>'
    found = ""
    if view.result is not None:
        items = "".join(f"<li>{esc(audittable.sentence(words))}</li>" for words in view.result.findings)
        found = f'<ul class="ls-findings">{items}</ul>'
    return (
        f'<section class="ls-card" data-key="{esc(view.id)}"><h3>{esc(title(view))}</h3>'
        f'<p class="ls-soft">{esc(subtitle(view))}</p>'
        f'<p class="ls-state" data-state="{view.state}" style="white-space:normal;margin-top:4px" role="status">'
        f'{esc(view.sentence)}</p>{bar}{error}{found}<div class="ls-row" style="margin-top:10px">{"".join(bits)}</div>'
        "</section>"
    )


def table(found: "Audit") -> str:
    """All numbers of an audit."""
    return (
        f"{audittable.markup(found)}"
        '<p class="ls-soft" style="font-size:12.5px;margin-top:6px">Before → after. Point at a heading for what it '
        "means. FID and gamma are as the data set's frozen evaluator sees them; compare equal n only.</p>"
    )


def earlier(views: "Sequence[AuditView]", chosen: str) -> str:
    """Every audit of this data folder, newest first."""
    if not views or (len(views) == 1 and views[0].id == chosen):
        return ""
    rows = "".join(
        f'<tr data-key="{esc(v.id)}" data-act="choose" data-audit="{esc(v.id)}" tabindex="0" '
        f'aria-expanded="{str(v.id == chosen).lower()}"><td><b>{esc(title(v))}</b></td><td>{esc(subtitle(v))}</td>'
        f'<td><span class="ls-state" data-state="{v.state}" style="white-space:normal">{esc(v.sentence)}</span></td>'
        f'<td class="ls-soft">{ago(v.created_at)}</td></tr>'
        for v in views
    )
    return (
        '<h3 class="ls-section-title" style="margin-bottom:8px">All audits</h3><div class="ls-scroll">'
        '<table aria-label="Audits"><thead><tr><th>Audit</th><th>on</th><th>State</th><th>Asked for</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
