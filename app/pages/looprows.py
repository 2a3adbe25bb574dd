"""Markup of the Loops page: the table, and what a row opens."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app.domainwords import domain_title, metric_title, seeds_words, told_options
from app.groups import corrector_words
from app.markup import act, ago, arm_mark, duration, esc, link, measured, notice, spark_line
from app.pages.loopverbs import loop_verbs
from core.blocks import BLOCK
from core.config import LoopConfig
from core.loop import stages_of

if TYPE_CHECKING:
    from backend.drift import Drift
    from backend.views import ErrorView, EventView, GenerationView, LoopView, RunningStage

STATES = {
    "queued": "Queued", "running": "Running", "cancelling": "Cancelling", "cancelled": "Cancelled",
    "stopped": "Stopped", "interrupted": "Interrupted", "failed": "Failed", "done": "Done",
}  # fmt: skip
ACTIVE = ("queued", "running", "cancelling", "interrupted")
COLUMNS = ("Name", "Data", "Policy", "Corrector", "State", "Gen.", "Now", "So far", "Started")


def loop_table(
    views: "Sequence[LoopView]", chosen: str, detail: str = "", every: "Sequence[LoopView] | None" = None
) -> str:
    """The table, loops of one group together under its name; ``detail`` is opened below the chosen row.

    Args:
        every: all loops, where the table shows some of them: verbs of a group are for all of it.
    """
    if not views:
        return '<div class="ls-empty">No loop matches the filter.</div>'
    heads = "".join(f"<th scope=col>{name}</th>" for name in COLUMNS)
    rows, group = [], ""
    by_group: dict[str, list[LoopView]] = {}
    for view in views:
        by_group.setdefault(view.group or f"\0{view.id}", []).append(view)
    whole: dict[str, list[LoopView]] = {}
    for view in views if every is None else every:
        if view.group:
            whole.setdefault(view.group, []).append(view)
    for name, members in by_group.items():
        grouped = not name.startswith("\0")
        if grouped:
            compare = link("compare", tab="compare", group=name) + _group_verbs(name, whole[name])
            rows.append(
                f'<tr class="ls-group" data-key="group-{esc(name)}"><td colspan={len(COLUMNS)}>{esc(name)} '
                f"({_of_all(len(members), len(whole[name]))}) &nbsp;{compare}</td></tr>"
            )
        elif group:
            rows.append(f'<tr class="ls-group" data-key="no-group-{esc(name)}"><td colspan={len(COLUMNS)}></td></tr>')
        group = name if grouped else ""
        for view in sorted(members, key=lambda v: (v.created_at, v.id)):
            rows.append(_row(view, view.id == chosen))
            if view.id == chosen:
                rows.append(
                    f'<tr class="ls-open" data-key="open-{esc(view.id)}"><td colspan={len(COLUMNS)} id="loops-detail">'
                    f"{detail}</td></tr>"
                )
    return (
        f'<div class="ls-scroll"><table aria-label="Loops"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _of_all(shown: int, every: int) -> str:
    return str(shown) if shown == every else f"{shown} of {every:,}"


def _group_verbs(group: str, members: "Sequence[LoopView]") -> str:
    """What can be done to all loops of a group at once."""
    at_work = [view.id for view in members if view.state in ("queued", "running", "interrupted")]
    resting = [view.id for view in members if view.state in ("cancelled", "stopped", "failed")]
    bits = ""
    if len(at_work) > 1:
        bits += act(f"Cancel {len(at_work)}", "cancel-all", kind="ls-small", loops=",".join(at_work))
    if len(resting) > 1:
        bits += act(f"Resume {len(resting)}", "resume-all", kind="ls-small", loops=",".join(resting))
    if len(members) > 1:
        bits += act(f"Delete {len(members)}", "delete-all", kind="ls-small", group=group)
    return f'<span class="ls-groupverbs">{bits}</span>' if bits else ""


def _row(view: "LoopView", chosen: bool) -> str:
    config = view.config
    told = metric_title(view.headline) if view.headline else "FID"
    bar = (
        f'<div class="ls-bar" style="--arm:var(--ls-{view.arm})" role="progressbar" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{round(100 * view.fraction)}">'
        f'<i style="width:{100 * view.fraction:.1f}%"></i></div>'
        if view.state in ACTIVE
        else ""
    )
    reached = max(view.generation, 0) if view.generation >= 0 else "-"
    cells = (
        f"{arm_mark(view.arm)}<b>{esc(view.name)}</b>{_two_lines(', '.join(_whose(view)))}",
        f"{esc(view.data)}, {config['n']}{_two_lines(', '.join(_domain_words(config)))}",
        esc(_policy(config)),
        esc(corrector_words(config["corrector"])),
        f'<span class="ls-state" data-state="{view.state}" title="{esc(view.sentence)}">{STATES[view.state]}</span>'
        + bar,
        f'<span class="ls-num">{reached} / {config["generations"]}</span>',
        f'<span class="ls-num">{measured(view.latest.get(view.headline))}</span>{_two_lines(told)}',
        spark_line(view.history, view.arm, told),
        f'<span class="ls-soft" style="white-space:nowrap">{ago(view.started_at or view.created_at)}</span>',
    )
    return (
        f'<tr data-key="{esc(view.id)}" data-act="choose" data-loop="{esc(view.id)}" tabindex="0" '
        f'aria-expanded="{str(chosen).lower()}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
    )


def _whose(view: "LoopView") -> list[str]:
    """Owner and priority, where they are anything."""
    return [words for words in (view.owner, f"priority {view.priority:+d}" if view.priority else "") if words]


def _two_lines(words: str) -> str:
    """A second, quieter line of a cell."""
    return f'<br><span class="ls-soft ls-second">{esc(words)}</span>' if words else ""


def _domain_words(config: dict[str, Any]) -> list[str]:
    return [words for words in (domain_title(config), seeds_words(config)) if words]


def _policy(config: dict[str, Any]) -> str:
    options = told_options("policy", config["policy"], always=("lam",))
    told = (f"{name.replace('lam', 'λ').replace('_', ' ')}={_value(value)}" for name, value in options.items())
    return " ".join([config["policy"]["kind"], *told])


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def loop_detail(
    view: "LoopView",
    generations: "Sequence[GenerationView]",
    events: "Sequence[EventView]",
    drift: "Drift | None" = None,
) -> str:
    """What a chosen row opens; ``drift``: what its last generation says, where that is known."""
    t = max((stage.generation for stage in view.running), default=view.generation)
    error = _error(view.error) if view.error is not None and view.state == "failed" else ""
    if view.trouble is not None:
        said = view.trouble.message in view.sentence  # then what to do about it is left to say
        error += notice(f"{'' if said else view.trouble.message} {view.trouble.hint}".strip(), kind="warn")
    told = f'<p class="ls-soft" title="{esc(drift.detail)}">{esc(drift.sentence)}</p>' if drift is not None else ""
    left = (
        f'<section class="ls-card"><h3>{arm_mark(view.arm)}{esc(view.name)}</h3>'
        f'<p class="ls-state" data-state="{view.state}" style="white-space:normal;margin-top:4px" role="status">'
        f"{esc(view.sentence)}</p>{told}{error}{_strip(view, generations, t)}{loop_verbs(view)}{_rules(view)}"
        f"{_generations(generations, view.headline)}</section>"
    )
    right = (
        f'<section class="ls-card"><h3>Events</h3>{_events(events)}'
        f"<details style='margin-top:12px'><summary>Settings as JSON</summary>"
        f"<pre>{esc(json.dumps(view.config, indent=1))}</pre></details></section>"
    )
    return f'<div class="ls-detail" data-key="{esc(view.id)}">{left}{right}</div>'


def _strip(view: "LoopView", generations: "Sequence[GenerationView]", t: int) -> str:
    """Stages of the generation at work (or of the last one), with their seconds."""
    if t < 0:
        t = 0
    blocks = [stage for stage in view.running if stage.stage == BLOCK]
    if blocks:
        return _block(view, blocks[0])
    recorded = {g.index: g.seconds for g in generations}
    running = {stage.stage: stage for stage in view.running if stage.generation == t}
    config = LoopConfig.model_validate(view.config)
    order = list(stages_of(config, t))
    first_running = min((order.index(s) for s in running if s in order), default=len(order))
    boxes = []
    for i, stage in enumerate(order):
        if stage in running:
            now = running[stage]
            state, words = "running", f"{100 * now.part_fraction:.0f} %" + (f", {now.sentence}" if now.sentence else "")
        elif t in recorded:
            state, words = "done", _took(recorded[t].get(stage)) or "done"
        elif i < first_running and running:
            state, words = "done", "done"
        else:
            state, words = "waiting", "waits"
        boxes.append(f'<div class="ls-stage" data-state="{state}"><b>{esc(stage)}</b>{esc(words)}</div>')
    head = f"Generation {t} of {config.generations}"
    if view.eta_s is not None:
        head += f", about {duration(view.eta_s)} left in all"
    return f'<p class="ls-soft" style="margin-top:10px">{head}</p><div class="ls-strip">{"".join(boxes)}</div>'


def _block(view: "LoopView", block: "RunningStage") -> str:
    """A light loop at work: many generations in one go, so that no stage is worth a box."""
    last = view.config["generations"]
    done = max(view.generation, 0)
    left = f", about {duration(view.eta_s)} left in all" if view.eta_s is not None else ""
    now = f"{100 * block.part_fraction:.0f} % of the generations from {block.generation} on"
    return (
        f'<p class="ls-soft" style="margin-top:10px">Generation {done} of {last}{left}</p>'
        f'<div class="ls-strip"><div class="ls-stage" data-state="running"><b>Generations in one go</b>{esc(now)}'
        f"</div></div>"
    )


def _took(seconds: float | None) -> str:
    """As :func:`duration`, and milliseconds where a stage is that short."""
    return f"{1000 * seconds:.0f} ms" if seconds is not None and seconds < 0.95 else duration(seconds)


def _rules(view: "LoopView") -> str:
    """The loop's stop rules, each with what became of it."""
    rules = view.config.get("tripwires", [])
    if not rules:
        return ""
    items = ""
    for rule in rules:
        state, words = "armed", "armed"
        if rule in view.disarmed:
            state, words = "off", "resumed past it: no longer applies"
        if view.stop is not None and view.stop.rule == rule:
            state, words = "fired", f"fired at generation {view.stop.generation}"
        items += f'<li data-state="{state}"><code>{esc(rule)}</code> <span>{esc(words)}</span></li>'
    return f'<div class="ls-rules"><b>Stop rules</b><ul>{items}</ul></div>'


def _error(error: "ErrorView") -> str:
    where = f" in stage {error.stage}" if error.stage else ""
    where += f" of generation {error.generation}" if error.generation is not None else ""
    folded = (
        f"<details><summary>Traceback</summary><pre>{esc(error.traceback)}</pre></details>" if error.traceback else ""
    )
    return (
        f'<div class="ls-error" role="alert"><b>Failed{esc(where)}.</b> {esc(error.message)}'
        f"<br>{esc(error.hint)}{folded}</div>"
    )


def _events(events: "Sequence[EventView]") -> str:
    if not events:
        return '<p class="ls-soft">Nothing yet.</p>'
    items = "".join(
        f'<li><time class="ls-soft ls-num" datetime="{e.at.isoformat()}">{e.at.astimezone():%H:%M:%S}</time>'
        f"<span>{esc(e.sentence)}</span></li>"
        for e in reversed(events)
    )
    return f'<ul class="ls-events" tabindex="0" aria-label="Events, newest first">{items}</ul>'


MOST_ROWS = 60
PACES = {"steps_per_s": "steps/s", "samples_per_s": "samples/s", "peak_memory_mb": "peak MB"}
"""What a generation's training cost; unknown where the weights came from somewhere else."""


def _generations(generations: "Sequence[GenerationView]", headline: str) -> str:
    """What each generation learned from, and how long it took; of a long loop only some generations."""
    if not generations:
        return ""
    step = -(-len(generations) // MOST_ROWS)
    chosen = list(generations)[::-1][::step]
    few = f"; one in {step} of {len(generations)} generations" if step > 1 else ""
    names = ("real", "fresh", "synthetic", "corrected", "unchanged", "redrawn", "rejected", "dropped")
    shown = [n for n in names if any(n in g.counts for g in generations)]
    title = esc(metric_title(headline) if headline else "FID")
    paces = [name for name in PACES if any(name in g.training for g in generations)]
    heads = "".join(f'<th class="ls-right">{n}</th>' for n in shown)
    rows = "".join(
        f'<tr data-key="g{g.index}"><td class="ls-num">{g.index}</td>'
        + "".join(f'<td class="ls-right ls-num">{g.counts.get(n, 0)}</td>' for n in shown)
        + f'<td class="ls-right ls-num">{measured(g.training.get("loss"))}</td>'
        f'<td class="ls-right ls-num">{measured(g.metrics.get(headline or "fid"))}</td>'
        f'<td class="ls-right ls-num">{_took(sum(g.seconds.values()))}</td>'
        + "".join(f'<td class="ls-right ls-num">{measured(g.training.get(name))}</td>' for name in paces)
        + "</tr>"
        for g in chosen
    )
    return (
        f'<details style="margin-top:12px"><summary>Generations: training samples by origin, loss, {title}, time'
        f"{', pace of training' if paces else ''}{few}"
        f'</summary><table><thead><tr><th>gen.</th>{heads}<th class="ls-right">loss</th>'
        f'<th class="ls-right">{title}</th><th class="ls-right">time</th>'
        + "".join(f'<th class="ls-right">{PACES[name]}</th>' for name in paces)
        + f"</tr></thead><tbody>{rows}</tbody></table></details>"
    )
