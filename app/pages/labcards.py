"""Markup of the Lab: a tile per published experiment, and the chosen one opened in full."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.domainwords import told_options
from app.labplot import key_of, picture
from app.markup import act, duration, esc, link
from app.pages.labtheory import theory_fold
from app.pages.labview import Lab, Said, Shown

if TYPE_CHECKING:
    from backend.preset import Preset
    from backend.views import LoopView

TOPICS = {
    "theory": ("Theory", "Models so simple that the theory can be checked: closed forms are drawn beside the runs."),
    "images": ("Images", "Handwritten digits, generated and learned from again."),
    "text": ("Text", "A small language model that reads its own writing."),
}
ORDER = {"real": 0, "raw": 1, "corrected": 2}


def lab_page(lab: Lab, chosen: str, said: Said) -> str:
    """All topics; the chosen card stands open among its neighbours."""
    sections = []
    for topic, (title, words) in TOPICS.items():
        mine = {key: shown for key, shown in lab.cards.items() if shown.card.topic == topic}
        if mine:
            tiles = "".join(
                open_card(key, shown, said) if key == chosen else tile(key, shown, said) for key, shown in mine.items()
            )
            sections.append(_section(topic, title, words, tiles))
    if lab.motion:
        tiles = "".join(_motion_tile(key, preset) for key, preset in lab.motion.items())
        sections.append(
            _section("motion", "Motion", "Figures that move; they are launched from their own page.", tiles)
        )
    return f'<div class="ls-stack">{"".join(sections)}</div>'


def _section(key: str, title: str, words: str, tiles: str) -> str:
    return (
        f'<section data-key="topic-{key}"><h2 class="ls-section-title">{title}</h2>'
        f'<p class="ls-soft ls-labwords">{words}</p><div class="ls-labgrid">{tiles}</div></section>'
    )


def _motion_tile(key: str, preset: "Preset") -> str:
    return (
        f'<article class="ls-card ls-labtile" data-key="motion-{esc(key)}"><h3>{link(preset.title, tab="launch")}</h3>'
        f'<p class="ls-question">{esc(preset.question)}</p>'
        f'<p class="ls-soft ls-labpaper">{esc(preset.paper)}. {duration(preset.minutes * 60)} on 2 cores.</p></article>'
    )


def tile(key: str, shown: Shown, said: Said) -> str:
    """A card, closed: its question, its curve once there is one, and the button that runs it."""
    drawn = picture(shown.lines, _metric_title(shown))
    waits = "" if shown.measured or not drawn else '<p class="ls-labkey">Not run yet: this is what theory predicts.</p>'
    words = "" if drawn else f'<p class="ls-soft ls-labshows">{esc(shown.card.shows)}</p>'
    return (
        f'<article class="ls-card ls-labtile" data-key="{esc(key)}" id="lab-{esc(key)}">'
        f"<h3>{link(shown.card.title, tab='lab', card=key)}</h3>"
        f'<p class="ls-question">{esc(shown.card.question)}</p>{_caption(shown) if drawn else ""}{drawn}{waits}{words}'
        f"{_verdict_count(shown)}{_said(key, said)}{_progress(shown)}"
        f'<div class="ls-row ls-labfoot">{_buttons(key, shown)}{link("Details", button=True, tab="lab", card=key)}'
        f"</div></article>"
    )


def open_card(key: str, shown: Shown, said: Said) -> str:
    """A card with everything that there is to know of it."""
    card = shown.card
    drawn = picture(shown.lines, _metric_title(shown), width=560, height=300)
    seeds = max((arm.n_seeds for arm in shown.result.arms), default=1) if shown.result is not None else 1
    if drawn:
        waits = "" if shown.measured else '<p class="ls-labkey">Not run yet: this is what theory predicts.</p>'
        figure = f"{_caption(shown)}{drawn}{waits}{key_of(shown.lines, seeds)}"
    else:
        words = "The first generation is on its way." if shown.busy else (
            f"Not run yet. The curves of {len(card.arms)} arms appear here after about {duration(card.minutes * 60)}."
        )  # fmt: skip
        figure = f'<div class="ls-empty">{words}</div>'
    left = (
        f'<p class="ls-question">{esc(card.question)}</p>{_said(key, said)}{_progress(shown)}'
        f'<div class="ls-row">{_buttons(key, shown, "ls-primary")}</div>{_edit_form(key, shown, said)}'
        f"{_runs(key, shown)}{_shows(card.shows)}{_verdicts(shown)}"
        f'<p class="ls-soft ls-labpaper">{esc(card.paper)}</p>'
    )
    return (
        f'<article class="ls-card ls-labopen" data-key="{esc(key)}" id="lab-{esc(key)}" data-reveal="{esc(key)}">'
        f'<div class="ls-labhead"><h2>{esc(card.title)}</h2>{link("Close", button=True, tab="lab")}</div>'
        f'<div class="ls-labbody"><div>{left}</div><div>{figure}</div></div>'
        f"{theory_fold(shown.theory, shown.refusals)}{_arms(shown)}</article>"
    )


def _shows(words: str) -> str:
    return f"<h4>What you will see</h4><p>{esc(words)}</p>" if words else ""


def _metric_title(shown: Shown) -> str:
    return shown.metric.title if shown.metric is not None else shown.card.metric


def _caption(shown: Shown) -> str:
    metric = shown.metric
    hint = f' title="{esc(metric.description)}"' if metric is not None else ""
    unit = f", {metric.unit}" if metric is not None and metric.unit else ""
    ways = {"lower": "lower is better", "higher": "higher is better", "real": "closer to real data is better"}
    way = f" ({ways[metric.direction]})" if metric is not None else ""
    return f'<p class="ls-labcaption"{hint}><b>{esc(_metric_title(shown))}{esc(unit)}</b>{way}</p>'


def _buttons(key: str, shown: Shown, kind: str = "") -> str:
    """What can be done with a card now. ``kind``: of the button that runs it."""
    minutes = duration(shown.card.minutes * 60)
    if not shown.views:
        return act(f"Run, about {minutes}", "lab-run", kind=kind, elem_id=f"lab-run-{key}", card=key)
    ids = ",".join(view.id for view in shown.views)
    bits = []
    if shown.busy:
        bits.append(act("Stop", "lab-stop", card=key, run=shown.views[0].group))
    elif any(view.state != "done" for view in shown.views):
        bits.append(act("Go on", "lab-resume", kind=kind, card=key, run=shown.views[0].group))
    if shown.measured:
        bits.append(link("Compare", button=True, primary=bool(kind) and not shown.busy, tab="compare", loops=ids,
                         metrics=shown.card.metric))  # fmt: skip
        bits.append(link("Inspect", button=True, query=inspect_query(shown.views)))
    if not shown.busy:
        bits.append(act("Run again", "lab-again", elem_id=f"lab-again-{key}", card=key))
    return "".join(bits)


def inspect_query(views: "Sequence[LoopView]") -> dict[str, str | int]:
    """Address of the samples of the first loops at their latest common generation."""
    chosen = [view for view in views if view.generation >= 0][:3]
    chosen.sort(key=lambda view: ORDER[view.arm])
    return {
        "tab": "inspect", "mode": "loops", "loops": ",".join(f"{view.id}:raw" for view in chosen),
        "generation": min((view.generation for view in chosen), default=0),
    }  # fmt: skip


def _progress(shown: Shown) -> str:
    """What runs, in words, with a bar and the time left; what broke; how long it took."""
    if not shown.views:
        return ""
    total = len(shown.views)
    done = sum(view.state == "done" for view in shown.views)
    broken = [view for view in shown.views if view.state in ("failed", "cancelled", "stopped")]
    bits = []
    if shown.busy:
        working = [view for view in shown.busy if view.state == "running"] or shown.busy
        share = sum(view.fraction for view in shown.views) / total
        left = max((view.eta_s for view in working if view.eta_s is not None), default=None)
        told = working[0]
        words = f"{done} of {total} loops done. {told.name}: {told.sentence}."
        if left is not None and "left" not in told.sentence:
            words += f" About {duration(left)} left."
        bits.append(
            f'<p class="ls-labstate" role="status">{esc(words)}</p><div class="ls-bar" role="progressbar" '
            f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{round(100 * share)}">'
            f'<i style="width:{100 * share:.1f}%"></i></div>'
        )
    if broken:
        told = broken[0]
        bits.append(f'<p class="ls-error" role="alert">{esc(told.name)}: {esc(told.sentence)}. '
                    f'{link("See the loop", tab="loops", loop=told.id)}</p>')  # fmt: skip
    if not shown.busy and not broken and shown.result is not None:
        loops = f"{total} loops" if total > 1 else "1 loop"
        bits.append(f'<p class="ls-soft ls-labstate">{loops} done in {duration(shown.result.seconds)}.</p>')
    if shown.changed:
        bits.append(f'<p class="ls-labstate">{esc(shown.changed)}</p>')
    if shown.trouble:
        bits.append(f'<p class="ls-error" role="alert">{esc(shown.trouble)}</p>')
    return "".join(bits)


def _said(key: str, said: Said) -> str:
    if said.card != key or not said.text:
        return ""
    if said.kind == "error":
        return f'<p class="ls-error" role="alert" data-said>{esc(said.text)}</p>'
    return f'<p class="ls-labstate" role="status" data-said>{esc(said.text)}</p>'


def _edit_form(key: str, shown: Shown, said: Said) -> str:
    if not shown.edits:
        return ""
    wrong = said.field if said.card == key and said.kind == "error" else ""
    boxes = []
    for edit in shown.edits:
        invalid = ' aria-invalid="true"' if edit.path == wrong else ""
        hint = f'<span class="ls-soft">{esc(edit.info)}</span>' if edit.info else ""
        boxes.append(
            f'<label><b>{esc(edit.title)}</b>{hint}<input name="{esc(edit.path)}" value="{esc(edit.value)}" '
            f'inputmode="decimal" autocomplete="off"{invalid}></label>'
        )
    button = act("Run with these numbers", "lab-change", elem_id=f"lab-change-{key}", card=key)
    opened = " open" if wrong else ""
    return (
        f'<details class="ls-labedit" data-key="edit"{opened}><summary>Change a number and run</summary>'
        f'<div class="ls-labform" data-form>{"".join(boxes)}<div class="ls-row">{button}</div></div></details>'
    )


def _runs(key: str, shown: Shown) -> str:
    """Ways to the card's other runs."""
    if len(shown.runs) < 2:
        return ""
    here = shown.views[0].group
    bits = [f"<b>{esc(run)}</b>" if run == here else link(run, tab="lab", card=key, run=run) for run in shown.runs]
    return f'<p class="ls-labstate ls-soft">Runs: {", ".join(bits)}</p>'


def _verdicts(shown: Shown) -> str:
    if shown.result is None or not shown.result.verdicts:
        return ""
    rows = "".join(
        f'<li data-agrees="{_agreement(v.agrees)}"><b>{MARKS[_agreement(v.agrees)]}</b>'
        f'<span>{esc(v.claim)}. <span class="ls-soft">Measured: {esc(v.measured)}.</span></span></li>'
        for v in shown.result.verdicts
    )
    return f'<h4>Claims against this run</h4><ul class="ls-verdicts">{rows}</ul>'


MARKS = {"yes": "agrees", "no": "differs", "open": "open"}


def _agreement(agrees: bool | None) -> str:
    return "open" if agrees is None else "yes" if agrees else "no"


def _verdict_count(shown: Shown) -> str:
    judged = [v for v in shown.result.verdicts if v.agrees is not None] if shown.result is not None else []
    if not judged or shown.busy:
        return ""
    agree = sum(bool(v.agrees) for v in judged)
    state = "good" if agree == len(judged) else "mixed"
    claims = "claim agrees" if len(judged) == 1 else "claims agree"
    return f'<p class="ls-labstate" data-verdicts="{state}">{agree} of {len(judged)} {claims} with this run.</p>'


def _arms(shown: Shown) -> str:
    """The loops that it runs, with their settings in words."""
    by_label = dict(shown.result.loops) if shown.result is not None else {}
    rows = "".join(
        f"<tr><td>{esc(label)}</td><td>{esc(arm_words(config.model_dump(mode='json')))}</td>"
        f"<td>{_ways(by_label, label)}</td></tr>"
        for label, config in shown.card.arms
    )
    seeds = len(shown.card.seeds)
    more = f", each with {seeds} seeds" if seeds > 1 else ""
    return (
        f'<details data-key="arms"><summary>The {len(shown.card.arms)} loops that it runs{more}</summary>'
        f'<table class="ls-pairs"><tbody>{rows}</tbody></table></details>'
    )


def _ways(by_label: Mapping[str, Sequence[str]], label: str) -> str:
    ids = by_label.get(label) or ()
    return link("clone with edits", tab="launch", clone=ids[0]) if ids else ""


def arm_words(config: Mapping[str, Any]) -> str:
    """``replace; normal (d 10); gaussian-fit (estimator biased); n 100; 100 generations; 100 seeds at once``."""
    bits = [_part_words("policy", config)]
    if config["corrector"]["kind"] != "none":
        bits.append(f"corrector {_part_words('corrector', config)}")
    bits += [_part_words("data", config), _part_words("model", config)]
    bits += [f"n {config['n']}", f"{config['generations']} generations"]
    if config.get("replicates", 1) > 1:
        bits.append(f"{config['replicates']} seeds at once")
    return "; ".join(bits)


def _part_words(section: str, config: Mapping[str, Any]) -> str:
    """A part's kind, and its options that are not at their default."""
    part = config[section]
    options = told_options(section, part, always=("lam", "gamma"))
    simple = [f"{k.replace('lam', 'lambda').replace('_', ' ')} {v:g}" if isinstance(v, int | float) else
              f"{k.replace('_', ' ')} {v}" for k, v in options.items() if isinstance(v, int | float | str)]  # fmt: skip
    return f"{part['kind']} ({', '.join(simple)})" if simple else str(part["kind"])
