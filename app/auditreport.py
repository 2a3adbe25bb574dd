"""An audit as one HTML file that needs nothing else: findings, picture, table."""

import json
from typing import TYPE_CHECKING

from app import auditfigure, audittable
from app.markup import esc

if TYPE_CHECKING:
    from backend.audits import AuditView

STYLE = """
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: #1c2530; background: #f6f7f9;
  margin: 0 auto; max-width: 1360px; padding: 20px 24px 48px; }
h1 { font-size: 22px; margin: 0 0 4px; } p.soft { color: #55606e; margin: 0 0 12px; }
section { background: #fff; border: 1px solid #dfe3e8; border-radius: 12px; padding: 14px 20px; margin: 14px 0; }
li { margin: 4px 0; } .ls-scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th { text-align: left; color: #55606e; font-size: 12px; vertical-align: bottom; }
th, td { padding: 6px 8px; border-bottom: 1px solid #e7eaee; }
td { white-space: nowrap; } .ls-right { text-align: right; } .ls-num { font-variant-numeric: tabular-nums; }
pre { font-size: 12px; overflow-x: auto; }
"""


def page(view: "AuditView") -> str:
    """The report of a finished audit."""
    from app.server import plotly_file

    assert view.result is not None  # it is done
    found = view.result
    findings = "".join(f"<li>{esc(audittable.sentence(words))}</li>" for words in found.findings)
    picture = json.dumps(auditfigure.figure(found)).replace("</", "<\\/")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{esc(title(view))}</title>'
        f"<style>{STYLE}</style><script>{plotly_file().read_text(encoding='utf-8')}</script></head><body>"
        f'<h1>{esc(title(view))}</h1><p class="soft">{esc(subtitle(view))}</p>'
        f"<section><ul>{findings}</ul></section>"
        '<section><div id="picture"></div></section>'
        f"<section>{audittable.markup(found)}</section>"
        f"<section><details><summary>Settings</summary>"
        f"<pre>{esc(json.dumps(view.config.model_dump(mode='json'), indent=1))}</pre></details></section>"
        f'<script>Plotly.newPlot("picture", ...(({{data, layout}}) => [data, layout])({picture}), '
        "{displaylogo: false, responsive: true});</script></body></html>"
    )


def title(view: "AuditView") -> str:
    """``Audit of physics on deepmimic``."""
    data = view.config.data.kind if view.config.data is not None else "deepmimic"
    return f"Audit of {view.config.corrector.kind} on {data}"


def subtitle(view: "AuditView") -> str:
    """How many windows, of what."""
    config = view.config
    more = ""
    if config.loop:
        named = ", ".join(map(str, config.generations))
        more = f"; loop {config.loop}, generation{'s' if len(config.generations) > 1 else ''} {named}"
    return f"{config.n} windows per input; bounds and ceiling from {config.real} training windows{more}"
