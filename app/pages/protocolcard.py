"""The card of the paper's protocol: its choices, what they would cost, and what was chosen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from app.choices import part_of, parts_offered
from app.forms import Choices
from app.markup import act, duration, esc, notice, size
from backend import parts, presets
from backend.presets import PROTOCOL
from backend.protocol import Kind, ProtocolChoices, Scale

if TYPE_CHECKING:
    from backend.context import Backend

LONG_S = 3600.0  # from here on the smaller version is offered
SMALL = {"scale": "small", "model": "latent-mlp"}
SCALES: Mapping[str, str] = {
    "auto": "By the device", "paper": "Paper's: 50 generations", "small": "Small: 10 generations"
}  # fmt: skip
MODELS: Mapping[str, str] = {
    "auto": "By the device", "transformer": "Transformer, MDM's size", "latent-mlp": "Latent MLP"
}  # fmt: skip
TYPED = {"n": "64", "lam": "1", "seeds": "0"}
HELP = {"n": "64, 128, 256 or all", "lam": ".25, .5, .75, 1", "seeds": "0, 1, 2"}


def data_offered(backend: "Backend") -> Choices:
    """The data sets to choose from."""
    return parts_offered(backend, parts.catalogue("motion")["data"])


def choices_form(buttons: str, data: Choices) -> str:
    """The controls; a change of any asks what it would cost."""
    fields = ProtocolChoices.model_fields
    boxes = _select("data", "Data set", {value: words for words, value in data})
    boxes += _box("place", "Its path", "", "if it needs one")
    boxes += "".join(_box(name, str(fields[name].title), value, HELP[name]) for name, value in TYPED.items())
    boxes += _select("scale", "Scale", {one: SCALES[one] for one in get_args(Scale)})
    boxes += _select("model", "Model", {one: MODELS[one] for one in get_args(Kind)})
    look = act("Estimate", "preset-look", preset=PROTOCOL, elem_id="look-paper-protocol")
    return (
        f'<div class="ls-labform" data-form data-look="preset-look" data-preset="{PROTOCOL}">{boxes}'
        f'<div class="ls-row">{buttons}{look}</div></div>'
    )


def choices_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the controls hold, as choices; the path goes to a data set that takes one."""
    known = parts.catalogue("motion")["data"]
    part = part_of(known, str(data.get("data", "deepmimic")))
    place = str(data.get("place", "")).strip()
    if place and part["kind"] in known and "path" in known[part["kind"]].options.model_fields:
        part["options"]["path"] = place
    chosen: dict[str, Any] = {name: str(data.get(name, usual)) for name, usual in TYPED.items()}
    chosen["data"] = part
    return chosen | {name: str(data.get(name, "auto")) for name in ("scale", "model")}


def looked_at(backend: "Backend", choices: Mapping[str, Any]) -> str:
    """What the choices would launch and cost, in words, with the smaller version where that would be long.

    Raises:
        InvalidConfig, DataMissing: when they cannot be.
    """
    found = presets.look(backend, PROTOCOL, choices)
    seconds, count = found.estimate.seconds, len(found.preset.loops)
    generations = found.preset.loops[0].config.generations
    words = (
        f"{found.preset.title}: {count} loops of {generations} generations, about {duration(seconds)} and "
        f"{size(1e6 * found.estimate.megabytes)}. {found.preset.sized} {found.estimate.note}"
    )
    if seconds > LONG_S and choices.get("scale") != "small":
        small = presets.look(backend, PROTOCOL, {**choices, **SMALL}).estimate
        words += f" Scaled down (10 generations, latent MLP): about {duration(small.seconds)}."
    return notice(words, kind="warn" if seconds > LONG_S else "info")


def _box(name: str, title: str, value: str, placeholder: str) -> str:
    return (
        f'<label>{esc(title)}<input type="text" name="{name}" value="{esc(value)}" placeholder="{esc(placeholder)}" '
        f'title="{esc(placeholder)}"></label>'
    )


def _select(name: str, title: str, choices: Mapping[str, str]) -> str:
    options = "".join(
        f'<option data-key="{esc(value)}" value="{esc(value)}">{esc(words)}</option>'
        for value, words in choices.items()
    )
    return f'<label>{esc(title)}<select name="{name}">{options}</select></label>'
