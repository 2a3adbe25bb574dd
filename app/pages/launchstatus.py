"""What the launch form says as it is typed: what is wrong with which field, or what will be launched and how long."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import forms, formvalues
from app.domainwords import samples_words
from app.groups import corrector_words
from app.markup import duration, esc, link, notice, size
from app.pages.cards import motions_query
from app.pages.sweeprow import axes_typed, words_of
from backend import datasets, parts, roster
from backend import loops as verbs
from backend.axisvalues import seeds_of
from backend.estimate import estimate
from backend.paths import confined
from backend.sweep import Sweep, launch_sweep, look, sweep_of, symbol
from core.config import LoopConfig
from core.errors import InvalidConfig, LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView


MOST_NAMED = 64  # loops that an address names one by one; a larger group is named whole


@dataclass(frozen=True)
class Typed:
    """What the form holds.

    Attributes:
        base: JSON of the config that the form was filled from; "" for none.
        seeds: as typed.
        values: of the form's fields.
        varied: of the sweep's row: a field and its values for each axis.
    """

    form: forms.Form
    base: str
    seeds: str
    values: Sequence[Any]
    varied: Sequence[Any] = ()

    def data(self, seed: int = 0) -> dict[str, Any]:
        """A config, not checked yet.

        Raises:
            InvalidConfig: for text that is none of what its field takes.
        """
        base = json.loads(self.base) if self.base else None
        return formvalues.config_of(self.form, self.values, seed=seed, base=base)

    def configs(self, backend: "Backend") -> list[LoopConfig]:
        """One checked config per seed.

        Raises:
            InvalidConfig: naming the field.
        """
        seeds = seeds_of(self.seeds)
        first = parts.check(confined(backend, parts.read_config(self.data(seeds[0]))))
        datasets.check_not_deleted(backend, [first])
        return [first, *(first.model_copy(update={"seed": seed}) for seed in seeds[1:])]

    def sweep(self, backend: "Backend") -> Sweep | None:
        """The grid that is asked for; None where no field is varied.

        Raises:
            InvalidConfig: naming the field, or the axis by its path.
        """
        axes = axes_typed(self.varied)
        if not axes:
            return None
        seeds = seeds_of(self.seeds)
        vary = {path: text for _, path, text in axes}
        if len(vary) < len(axes):
            raise InvalidConfig(f"{axes[0][1]} is varied twice.", "Give all its values at once.", axes[0][1])
        wanted = sweep_of(parts.read_config(self.data(seeds[0])), vary, seeds)
        for _, config in wanted.combinations():
            confined(backend, config)
        return wanted


def status(backend: "Backend", typed: Typed) -> list[Any]:
    """The line under the form, and the button."""
    try:
        wanted = typed.sweep(backend)
        if wanted is not None:
            return _sweep_status(backend, wanted)
        configs = typed.configs(backend)
        guess = estimate(backend, configs)
    except InvalidConfig as error:
        return [_wrong(typed, error), gr.update(value="Launch", interactive=False)]
    except LoopscopeError as error:
        return [_line(str(error), state="invalid"), gr.update(value="Launch", interactive=False)]
    count = len(configs)
    same = verbs.find_same(backend, configs[0]) if count == 1 else None
    what = f"{count} loops" if count > 1 else "1 loop"
    at_once = f", {configs[0].replicates} seeds at once" if configs[0].replicates > 1 else ""
    cost = f"about {duration(guess.seconds)}, {size(1e6 * guess.megabytes)}"
    words = f"{what} of {configs[0].generations} generations{at_once}{limits_words(configs[0])}: {cost}."
    more = f" {esc(guess.note)}" if guess.note else ""
    if same is not None:
        opened = link(f"Open {same.name!r}", tab="loops", loop=same.id)
        more = f" This very loop has finished already: {opened}, or run it again."
    label = f"Launch {what}, about {duration(guess.seconds)}" if same is None else "Launch it again"
    return [_line(words, more=more), gr.update(value=label, interactive=True)]


def _sweep_status(backend: "Backend", wanted: Sweep) -> list[Any]:
    """The same for a sweep: how many loops it makes, what they cost, and whether they may be launched now."""
    found = look(backend, wanted)
    if found.refused:
        return [_line(found.refused, state="invalid"), gr.update(value="Launch", interactive=False)]
    count, cost = len(found.loops), f"about {duration(found.estimate.seconds)}, {size(1e6 * found.estimate.megabytes)}"
    grid = words_of({symbol(axis.path): len(axis.values) for axis in wanted.axes}, len(wanted.seeds))
    generations = sorted({loop.config.generations for loop in found.loops})
    spread = f"{generations[0]}" if len(generations) == 1 else f"{generations[0]} to {generations[-1]}"
    words = f"Sweep: {grid} = {count} loops of {spread} generations: {cost}."
    more = f" {esc(found.estimate.note)}" if found.estimate.note else ""
    label = f"Launch {count} loops, about {duration(found.estimate.seconds)}"
    return [_line(words, more=more), gr.update(value=label, interactive=True)]


def limits_words(config: LoopConfig) -> str:
    """What bounds a loop beside its generations: its stop rules, and the cap on the synthetic share."""
    rules = len(config.tripwires)
    words = f", {rules} stop rule{'s' if rules > 1 else ''}" if rules else ""
    cap = config.policy.options.get("synthetic_cap")
    return words + (f", at most {100 * cap:.3g} % synthetic" if isinstance(cap, int | float) and cap < 1 else "")


def _line(text: str, *, state: str = "ready", field: str = "", message: str = "", more: str = "") -> str:
    return (
        f'<div class="ls-status" data-status data-state="{state}" data-invalid="{esc(field)}" '
        f'data-message="{esc(message)}" role="status" aria-live="polite">{esc(text)}{more}</div>'
    )


def _wrong(typed: Typed, error: InvalidConfig) -> str:
    """The error in the field's own words; the markup tells the page which field to mark."""
    if error.field == "seed":
        return _line(str(error), state="invalid", field="field-seed", message=str(error))
    for i, path, _ in axes_typed(typed.varied):
        if error.field == path:
            return _line(str(error), state="invalid", field=f"field-sweep-{i}-values", message=str(error))
    try:
        config: dict[str, Any] | None = typed.data()
    except InvalidConfig:
        config = None
    field = formvalues.field_at(typed.form, error.field, config)
    if field is None:
        return _line(str(error), state="invalid")
    text = str(error).removeprefix(f"{error.field}: ")
    words = text if field.title in text else f"{field.title}: {text[:1].lower() + text[1:]}"
    return _line(words, state="invalid", field=field.elem_id, message=text)


def default_name(backend: "Backend", config: LoopConfig) -> str:
    """``augment, physics, deepmimic 256``; imported data by their name."""
    stored = config.data.options.get("id") if config.data.kind == "stored" else None
    data = datasets.show(backend, str(stored)).name if stored else config.data.kind
    corrector = corrector_words(config.corrector.model_dump(mode="json"))
    bits = [config.policy.kind, *([] if corrector == "none" else [corrector]), f"{data} {config.n}"]
    return ", ".join(bits)


def launch_typed(backend: "Backend", typed: Typed, title: str) -> "list[LoopView]":
    """Launch one loop, one per seed as a group, or a sweep.

    Raises:
        InvalidConfig: naming the field.
    """
    wanted = typed.sweep(backend)
    if wanted is not None:
        return launch_sweep(backend, wanted, (title or "").strip())
    configs = typed.configs(backend)
    name = (title or "").strip() or default_name(backend, configs[0])
    if len(configs) == 1:
        return [verbs.launch(backend, configs[0], name=name)]
    taken = {entry.group for entry in roster.entries(backend)}
    group, number = name, 1
    while group in taken:
        number += 1
        group = f"{name} {number}"
    return verbs.launch_all(backend, [(f"{name}, seed {c.seed}", c) for c in configs], group=group)


def launched(views: "Sequence[LoopView]") -> str:
    """The line that says so, with ways on."""
    ids = ",".join(view.id for view in views)
    whose = {"loops": ids} if len(views) <= MOST_NAMED else {"group": views[0].group}
    what = f"{len(views)} loops are" if len(views) > 1 else f"{views[0].name!r} is"
    state = "done already" if all(view.state == "done" for view in views) else "under way"
    links = link("Watch the curves", button=True, query={"tab": "compare", **whose})
    links += link("See the stages", button=True, tab="loops", loop=views[0].id)
    if any(view.generation >= 0 for view in views):
        links += link(f"Look at the {samples_words(views[0].config)}", button=True, query=motions_query(views))
    return notice(f"{what} {state}.", kind="good", more=f'<span class="ls-row">{links}</span>')
