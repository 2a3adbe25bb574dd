"""The report as one HTML file that needs nothing else: no network, no library, no other file."""

import base64
import json
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from backend.correctreport.canvas import DARK_INKS, INKS, Svg
from backend.correctreport.curves import Row, legend_of
from backend.correctreport.film import Film
from backend.correctreport.plot import LEFT_PX, RIGHT_PX, Layout, draw, layout_of
from backend.correctreport.trial import Trial

WIDTH_PX = 960.0
MOST_READINGS = 1200  # values per curve that the page carries for its read-out


def page_of(trial: Trial, rows: list[Row], film: Film) -> str:
    """The whole document."""
    title = f"Correction of {trial.file}"
    mark = trial.rejected_frame
    layout = layout_of(rows, len(trial.before), trial.before.fps, WIDTH_PX, marked=mark is not None)
    svg = Svg()
    draw(svg, layout, mark=mark, mark_words=f"rejected: frame {mark}")
    chart = svg.markup(layout.width, layout.height, f"Curves over time: {', '.join(row.title for row in rows)}")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="verdict {trial.outcome.status}">{escape(trial.verdict)}</p>
{"".join(f"<p>{escape(sentence)}</p>" for sentence in trial.sentences())}
</header>
<section class="sides">
<div><h2>What was corrected</h2><table><tbody>{_rows(trial.facts(), heads=1)}</tbody></table>
<details><summary>All options of the corrector</summary>
<table><tbody>{_rows(trial.all_options(), heads=1)}</tbody></table></details></div>
<div><h2>Measures</h2>{_measures(trial)}</div>
</section>
<section><h2>Poses</h2>{_film(film)}</section>
<section><h2>Over time</h2>
<p class="legend">{_legend(rows)}</p>
<div id="chart" role="group" tabindex="0" aria-label="Curves; the arrow keys read values frame by frame">{chart}</div>
<p class="soft" id="reading">Move over the curves to read values.</p>
</section>
<footer>Floor: height 0. A foot stands where a bar is drawn below its height: it is low and slow there. Skate
counts every sole within 5 cm of the floor, in passing too. Written by Loopscope.</footer>
<script type="application/json" id="data">{_data(layout, trial.before.fps)}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _rows(rows: Iterable[tuple[str, ...]], *, heads: int = 0) -> str:
    def cell(i: int, text: str) -> str:
        return f"<th scope=row>{escape(text)}</th>" if i < heads else f"<td>{escape(text)}</td>"

    return "".join(f"<tr>{''.join(cell(i, text) for i, text in enumerate(row))}</tr>" for row in rows)


def _measures(trial: Trial) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(title)} ({escape(unit)})</th><td class=n>{escape(before)}</td>"
        f"<td class=n>{escape(after)}</td></tr>"
        for title, unit, before, after in trial.measures()
    )
    head = "<thead><tr><th></th><th class=n>before</th><th class=n>after</th></tr></thead>"
    return f"<table>{head}<tbody>{rows}</tbody></table>"


def _film(film: Film) -> str:
    if not film.png:
        return f'<p class="soft">{escape(film.absent)}</p>'
    data = base64.b64encode(film.png).decode()
    words = "Poses of the motion at equal steps of time, before and after"
    return f'<img alt="{words}" src="data:image/png;base64,{data}">'


def _legend(rows: list[Row]) -> str:
    return "".join(f'<span><i class="{ink}"></i>{words}</span>' for ink, words in legend_of(rows))


def _data(layout: Layout, fps: float) -> str:
    """What the read-out needs: every frame, or evenly chosen ones of long motions."""
    count = min(layout.frames, MOST_READINGS)
    frames = np.unique(np.linspace(0, layout.frames - 1, count).round().astype(int))
    rows: list[dict[str, Any]] = [
        {
            "top": placed.top,
            "unit": placed.row.unit,
            "curves": [[curve.ink, _readings(curve.values[frames])] for curve in placed.row.curves],
        }
        for placed in layout.placed
    ]
    data = {
        "width": layout.width, "left": LEFT_PX, "right": RIGHT_PX, "last": max(layout.frames - 1, 1), "fps": fps,
        "bottom": layout.placed[-1].bottom, "frames": frames.tolist(), "rows": rows,
    }  # fmt: skip
    # Inside a script element only "<" could end it.
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _readings(values: np.ndarray) -> list[float | None]:
    return [float(f"{v:.3g}") if np.isfinite(v) else None for v in values]


def _properties(inks: dict[str, str]) -> str:
    return "".join(f"--{name}:{color};" for name, color in inks.items())


def _classes() -> str:
    """Fills, lines and legend marks in each ink."""
    return "".join(
        f".f.{ink} {{ fill: var(--{ink}); }} .l.{ink} {{ stroke: var(--{ink}); }} "
        f"i.{ink} {{ background: var(--{ink}); }}\n"
        for ink in INKS
    )


STYLE = f"""
:root {{ {_properties(INKS)} --paper:#FFFFFF; color-scheme: light dark; }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_properties(DARK_INKS)} --paper:#12161C; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 24px 28px 40px; max-width: 1040px; background: var(--paper); color: var(--text);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }}
h1 {{ font-size: 21px; margin: 0 0 6px; overflow-wrap: anywhere; }}
h2 {{ font-size: 15px; margin: 22px 0 6px; }}
p {{ margin: 4px 0; overflow-wrap: anywhere; }}
.verdict {{ font-weight: 600; }}
.verdict.rejected {{ color: var(--alarm); }}
.soft, footer {{ color: var(--soft); }}
footer {{ margin-top: 22px; font-size: 13px; }}
.sides {{ display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 32px; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; vertical-align: top; padding: 3px 10px 3px 0; border-bottom: 1px solid var(--grid);
  font-weight: 400; overflow-wrap: anywhere; }}
tbody th {{ color: var(--soft); }}
thead th {{ color: var(--soft); }}
.n {{ text-align: right; white-space: nowrap; padding: 3px 0 3px 12px; }}
img {{ display: block; width: 100%; height: auto; border: 1px solid var(--grid); border-radius: 4px; }}
svg {{ display: block; width: 100%; height: auto; font-family: inherit; font-variant-numeric: tabular-nums; }}
#chart {{ outline-offset: 4px; }}
.legend {{ display: flex; flex-wrap: wrap; gap: 2px 20px; color: var(--soft); }}
.legend i {{ display: inline-block; width: 18px; height: 3px; margin-right: 7px; vertical-align: middle; }}
{_classes()}
.l {{ fill: none; stroke-linejoin: round; }}
details {{ margin-top: 8px; }}
summary {{ cursor: pointer; color: var(--soft); }}
@media screen and (max-width: 760px) {{ .sides {{ grid-template-columns: minmax(0, 1fr); }} }}
@media print {{ body {{ padding: 0; max-width: none; font-size: 11px; }}
  h1 {{ font-size: 17px; }} h2 {{ font-size: 13px; }} #reading, details {{ display: none; }}
  section, svg {{ break-inside: avoid; }} i, svg, .verdict {{ print-color-adjust: exact; }} }}
"""

SCRIPT = """
const data = JSON.parse(document.getElementById("data").textContent);
const box = document.getElementById("chart"), svg = box.firstElementChild;
const told = document.getElementById("reading");
const make = (name, set) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(set)) node.setAttribute(key, value);
  svg.append(node);
  return node;
};
const line = make("path", { class: "l text", "stroke-width": 1, visibility: "hidden" });
const words = data.rows.map((row) => make("text", {
  class: "f text", x: data.width - data.right, y: row.top - 7, "text-anchor": "end", "font-size": 12 }));
const names = { before: "before", after: "after", help: "" };
let at = 0;
const read = (index) => {
  at = Math.min(Math.max(index, 0), data.frames.length - 1);
  const frame = data.frames[at];
  const x = data.left + (frame / data.last) * (data.width - data.left - data.right);
  line.setAttribute("d", `M${x} 0V${data.bottom + 24}`);
  line.setAttribute("visibility", "visible");
  data.rows.forEach((row, i) => {
    const values = row.curves.map(([ink, values]) => `${names[ink]} ${values[at] ?? "no value"}`.trim());
    words[i].textContent = `${values.join(", ")} ${row.unit}`;
  });
  told.textContent = `Frame ${frame}, ${(frame / data.fps).toFixed(2)} s`;
};
box.addEventListener("pointermove", (event) => {
  const { left, width } = svg.getBoundingClientRect();
  const x = ((event.clientX - left) / width) * data.width;
  const share = (x - data.left) / (data.width - data.left - data.right);
  read(Math.round(share * (data.frames.length - 1)));
});
box.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step === undefined) return;
  read(at + step);
  event.preventDefault();
});
"""
