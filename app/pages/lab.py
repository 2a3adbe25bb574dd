"""Lab: published experiments as cards, run by one button, theory beside measurement."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from app import widgets
from app.groups import group_loops
from app.labplot import MANY, Line
from app.pages.labcards import lab_page
from app.pages.labedits import changes_of, differences, edits_of
from app.pages.labview import Lab, Said, Shown
from app.pages.page import Page, Query, quiet
from backend import loops as verbs
from backend.presets import PRESETS
from core.errors import InvalidConfig, LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.lab.card import Card
    from backend.lab.results import LabResult
    from backend.theory import Refusal, TheoryView
    from backend.views import LoopView
    from core.config import LoopConfig

EMPTY = '<div class="ls-empty">No experiment is registered. Start a loop of your own on the Launch page.</div>'
MOST_LOOPS = 5000


def build(backend: "Backend", address: Any, cards: "Mapping[str, Card] | None" = None) -> Page:
    from backend import lab

    known = lab.CARDS if cards is None else cards
    seen = Seen(backend)
    chosen = gr.Textbox("", visible="hidden", elem_id="lab-chosen")
    told = gr.Textbox("", visible="hidden", elem_id="lab-said")
    of = gr.Textbox("", visible="hidden", elem_id="lab-of")  # what the cards are of
    box = widgets.live(elem_id="lab-cards")

    def show(key: str, text: str) -> list[str]:
        """What the cards are of, and the cards."""
        said = said_of(text)
        drawn = lab_page(Lab(seen.all(known, {said.card: said.run}), PRESETS), key, said) if known else EMPTY
        return [key_of(key, text), drawn]

    def acted(event: gr.EventData, key: str) -> list[Any]:
        data = widgets.data_of(event)
        card = str(data.get("card", ""))
        said = act_on(backend, known, card, str(data.get("act", "")), data)
        key = card if said.kind == "error" and said.field and card in known else key
        text = json.dumps(asdict(said))
        return [key, text, *show(key, text), urlencode({"tab": "lab", **query(key, text)})]

    box.click(acted, [chosen], [chosen, told, of, box, address], **quiet(trigger_mode="once"))

    def open_(asked: Query) -> list[Any]:
        key = asked.get("card", "")
        key = key if key in known else ""
        said = Said(card=key, run=asked.get("run", "") if key else "")
        text = json.dumps(asdict(said))
        return [key, text, *show(key, text)]

    def refresh(key: str, said: str, _: str) -> list[Any]:
        return [gr.skip(), gr.skip(), *show(key, said)]

    def query(key: str, said: str, *_: str) -> Query:
        told = said_of(said)
        run = {"run": told.run} if told.run and told.card == key else {}
        return {"card": key, **run} if key else {}

    def behind(key: str, said: str, shown_of: str) -> bool:
        return shown_of != key_of(key, said)

    return Page("lab", [chosen, told, of], [chosen, told, of, box], open_, refresh, query, behind=behind)


def key_of(key: str, said: str) -> str:
    """Stands for what the page shows: the chosen card, and what was said last."""
    return f"{key} {said}"


def said_of(text: str) -> Said:
    """What the hidden box holds; nothing for what is no such thing."""
    try:
        plain = json.loads(text or "{}")
        return Said(**{k: str(v) for k, v in plain.items()})
    except (ValueError, TypeError, AttributeError):
        return Said()


def act_on(backend: "Backend", cards: "Mapping[str, Card]", key: str, action: str, data: Mapping[str, Any]) -> Said:
    """Do what a button of a card asks for, and say what became of it."""
    from backend.lab.launching import launch

    if key not in cards:
        return Said(key, "error", f"There is no experiment {key!r}.")
    card = cards[key]
    try:
        if action in ("lab-run", "lab-again"):
            return launched(key, launch(backend, card, again=action == "lab-again"))
        if action == "lab-change":
            changes = changes_of(card, data)
            return launched(key, launch(backend, card, changes), changed=bool(changes))
        runs = runs_of(verbs.list_loops(backend, limit=MOST_LOOPS), card)
        run = str(data.get("run", ""))
        views = runs.get(run, [])
        if action == "lab-stop":
            for view in views:
                if view.state in ("queued", "running", "interrupted"):
                    verbs.cancel(backend, view.id)
            return Said(key, "info", "Asked its loops to stop; what they measured is kept.", run=run)
        if action == "lab-resume":
            for view in views:
                if view.state in ("cancelled", "stopped", "failed"):
                    verbs.resume(backend, view.id)
            return Said(key, "info", "Its loops go on.", run=run)
    except InvalidConfig as error:
        return Said(key, "error", str(error), error.field)
    except LoopscopeError as error:
        return Said(key, "error", str(error))
    return Said(key, "error", f"There is no verb {action!r}.")


def launched(key: str, views: "Sequence[LoopView]", *, changed: bool = False) -> Said:
    """The line under the buttons after a launch."""
    run = views[0].group
    if all(view.state == "done" for view in views):
        same = "with these numbers " if changed else ""
        return Said(key, "info", f"This has run {same}already: the curves are those. Run again does it anew.", run=run)
    return Said(key, run=run)  # the card's own progress says the rest


def runs_of(views: "Sequence[LoopView]", card: "Card") -> "dict[str, list[LoopView]]":
    """The card's runs by the name of their group, newest first, each with its loops in drawing order.

    Args:
        views: newest first.
    """
    mine = re.compile(rf"{re.escape(card.title)}( \d+)?")
    found: dict[str, list[LoopView]] = {}
    for view in views:
        if mine.fullmatch(view.group):
            found.setdefault(view.group, []).append(view)
    order = {label: i for i, (label, _) in enumerate(card.arms)}
    return {
        group: sorted(members, key=lambda view: (view.created_at, order.get(view.name, len(order))))
        for group, members in found.items()
    }


class Seen:
    """What was read of the cards' runs, so that a finished one is read and drawn once."""

    def __init__(self, backend: "Backend") -> None:
        self._backend = backend
        self._of: dict[str, tuple[Any, Shown]] = {}
        self._reading = Lock()  # a page that opens asks twice at once

    def all(self, cards: "Mapping[str, Card]", wanted: Mapping[str, str] | None = None) -> dict[str, Shown]:
        """What is to be shown of every card.

        Args:
            wanted: by card, the run to show where it is not the newest.
        """
        every = verbs.list_loops(self._backend, limit=MOST_LOOPS)
        shown = {}
        for key, card in cards.items():
            runs = runs_of(every, card)
            run = (wanted or {}).get(key, "")
            views = runs[run] if run in runs else next(iter(runs.values()), [])
            stamp = tuple((view.id, view.generation, view.state) for view in views)
            with self._reading:
                if key not in self._of or self._of[key][0] != stamp:
                    self._of[key] = (stamp, self._read(key, card, views))
            # Sentences and times left change more often than curves.
            shown[key] = replace(self._of[key][1], views=views, runs=tuple(runs))
        return shown

    def _read(self, key: str, card: "Card", views: "Sequence[LoopView]") -> Shown:
        from backend.lab.results import result
        from model.domains import all_metrics

        metric = all_metrics().get(card.metric)
        trouble, answer = "", None
        configs: dict[str, LoopConfig] = {}
        try:
            configs = dict(card.arms)
            if views:
                answer = result(self._backend, key, card, views[0].group)
                configs |= _configs_of(answer, views)
            theory, refusals = theories(configs.values())
            edits = edits_of(card)
        except LoopscopeError as error:
            theory, refusals, edits, trouble = [], [], [], str(error)
        lines = lines_of(card, views, answer, configs) if not trouble else []
        changed = differences(card, edits, views)
        return Shown(card, metric, views, answer, lines, theory, refusals, edits, changed, trouble)


def _configs_of(answer: "LabResult", views: "Sequence[LoopView]") -> "dict[str, LoopConfig]":
    """The config of each arm's first loop: that of the run, which may have other numbers than the card."""
    from core.config import LoopConfig

    by_id = {view.id: view for view in views}
    return {
        label: LoopConfig.model_validate(by_id[ids[0]].config)
        for label, ids in answer.loops.items()
        if ids and ids[0] in by_id
    }


def theories(configs: "Any") -> "tuple[list[TheoryView], list[Refusal]]":
    """Closed forms that hold for any of the configs, and those that hold for none, each once."""
    from backend import theory

    lines: dict[str, TheoryView] = {}
    refused: dict[str, Refusal] = {}
    for config in configs:
        for line in theory.lines(config, 1):
            lines.setdefault(line.key, line)
        for refusal in theory.refusals(config):
            refused.setdefault(refusal.key, refusal)
    return list(lines.values()), [refusal for key, refusal in refused.items() if key not in lines]


def lines_of(
    card: "Card", views: "Sequence[LoopView]", answer: "LabResult | None", configs: "Mapping[str, LoopConfig]"
) -> list[Line]:
    """What the card's picture shows: measured means and bands, and each arm's closed forms of the card's metric."""
    from backend import theory

    colours = {view.id: group.colour for group in group_loops(views) for view in group.loops} if views else {}
    measured = {arm.label: arm for arm in answer.arms} if answer is not None else {}
    lines = []
    for label, config in configs.items():
        predicted = [
            (line.kind, line.points) for line in theory.lines(config, config.generations) if line.metric == card.metric
        ]
        arm = measured.get(label)
        colour = colours.get(answer.loops[label][0], "") if answer is not None and label in answer.loops else ""
        points = [(float(x), m) for x, m in zip(arm.x, arm.mean, strict=True) if m is not None] if arm else []
        share = arm.n_seeds**-0.5 if arm and len(card.arms) > MANY else 1.0
        band = [(s or 0.0) * share for s, m in zip(arm.std, arm.mean, strict=True) if m is not None] if arm else []
        lines.append(Line(label, colour or "var(--ls-soft)", points, band, predicted))
    return lines
