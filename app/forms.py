"""The launch form, made from the options classes of every registered part: a new registry entry appears by itself.

A ``Form`` is plain data (fields in drawing order). ``config_of`` reads a config out of the controls' values,
``values_of`` writes one into them; ``component`` draws a field.
"""

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from core.config import (
    CorrectionConfig,
    EvaluationConfig,
    LoopConfig,
    Options,
    PartConfig,
    SamplingConfig,
    TrainingConfig,
)
from core.errors import InvalidConfig
from core.protocols import Part

Catalogue = Mapping[str, Mapping[str, Part]]
Control = Literal["part", "parts", "choice", "switch", "integer", "number", "text", "json"]

SECTIONS: dict[str, type[Options]] = {
    "correction": CorrectionConfig,
    "training": TrainingConfig,
    "sampling": SamplingConfig,
    "evaluation": EvaluationConfig,
}
SINGLE_PARTS = ("data", "policy", "model")


@dataclass(frozen=True)
class Field:
    """One control.

    Attributes:
        path: where its value goes: ``training.steps``; a part's option: ``policy/augment/lam``; a part: ``policy``.
        when: (part, kind) whose choice shows the field; None = always there.
        choices: (what is shown, value).
        optional: whether empty means None.
    """

    path: str
    title: str
    info: str
    control: Control
    default: Any
    choices: tuple[tuple[str, Any], ...] = ()
    when: tuple[str, str] | None = None
    optional: bool = False

    @property
    def elem_id(self) -> str:
        return "field-" + self.path.replace("/", "-").replace(".", "-").replace("_", "-")

    @property
    def section(self) -> str:
        """``training``...; the part's name for its selector and options; ``top`` otherwise."""
        head = self.path.split("/")[0].split(".")[0]
        return head if head != self.path or self.control in ("part", "parts") else "top"


@dataclass(frozen=True)
class Form:
    """All fields, and the name of the corrector that runs several in turn ("" where there is none)."""

    fields: tuple[Field, ...]
    chain: str

    def of_section(self, section: str) -> list[int]:
        """Indices of the fields that are always there."""
        return [i for i, f in enumerate(self.fields) if f.section == section and f.when is None]

    def of_kind(self, part: str, kind: str) -> list[int]:
        """Indices of a kind's options."""
        return [i for i, f in enumerate(self.fields) if f.when == (part, kind)]

    def kinds(self, part: str) -> list[str]:
        """Kinds of a part that have options, in drawing order."""
        return list(dict.fromkeys(f.when[1] for f in self.fields if f.when is not None and f.when[0] == part))

    def index(self, path: str) -> int:
        return next(i for i, f in enumerate(self.fields) if f.path == path)

    def defaults(self) -> list[Any]:
        return [f.default for f in self.fields]


def form_of(catalogue: Catalogue) -> Form:
    """The form of all registered parts."""
    fields = [field_of(name, LoopConfig.model_fields[name]) for name in ("n", "generations")]
    for part in SINGLE_PARTS:
        default = LoopConfig.model_fields[part].get_default(call_default_factory=True).kind
        fields.append(_selector(part, catalogue[part], default))
        for kind, entry in catalogue[part].items():
            fields += _options(part, kind, entry)
    chain = _chain_of(catalogue["corrector"])
    offered = {k: p for k, p in catalogue["corrector"].items() if k not in ("none", chain)}
    choices = tuple((p.title, k) for k, p in offered.items())
    fields.append(
        Field(
            "corrector", "Corrector", "None chosen = raw loop; several run in the order chosen.", "parts", [], choices
        )
    )
    for kind, entry in catalogue["corrector"].items():
        if kind != "none":
            fields += [
                f for f in _options("corrector", kind, entry) if not (kind == chain and f.path.endswith("/parts"))
            ]
    for section, cls in SECTIONS.items():
        for name, info in cls.model_fields.items():
            fields.append(field_of(f"{section}.{name}", info, parts=choices))
    return Form(tuple(fields), chain)


def _chain_of(correctors: Mapping[str, Part]) -> str:
    return next((kind for kind, entry in correctors.items() if "parts" in entry.options.model_fields), "")


def _selector(part: str, entries: Mapping[str, Part], default: str) -> Field:
    titles = {"data": "Data set", "policy": "Policy", "model": "Model"}
    infos = {
        "policy": "What the next generation learns from.",
        "data": "Real motion.",
        "model": "The generative model.",
    }
    choices = tuple((entry.title, kind) for kind, entry in entries.items())
    chosen = default if default in entries else next(iter(entries))
    return Field(part, titles[part], infos[part], "part", chosen, choices)


def _options(part: str, kind: str, entry: Part) -> list[Field]:
    return [
        field_of(f"{part}/{kind}/{name}", info, when=(part, kind)) for name, info in entry.options.model_fields.items()
    ]


def field_of(
    path: str,
    info: FieldInfo,
    *,
    when: tuple[str, str] | None = None,
    parts: tuple[tuple[str, Any], ...] = (),
) -> Field:
    """A pydantic field as a control: kind by type, label from the title, help from description and bounds."""
    name = path.replace("/", ".").rsplit(".", 1)[-1]
    annotation, optional = _without_none(info.annotation)
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    control: Control = "json"
    choices: tuple[tuple[str, Any], ...] = ()
    if annotation is PartConfig and parts:
        control, choices = "choice", parts
        default = default.kind if isinstance(default, PartConfig) else parts[0][1]
    elif get_origin(annotation) is Literal:
        values = get_args(annotation)
        control, choices = "choice", tuple((str(v), v) for v in values)
    elif annotation is bool:
        control = "switch"
    elif annotation is int:
        control = "integer"
    elif annotation is float:
        control = "number"
    elif annotation is str:
        control = "text"
    if control == "json":
        default = json.dumps(_plain(default))
    elif control == "text" and default is None:
        default = ""
    help_text = " ".join(t for t in (info.description or "", _bounds(info)) if t)
    return Field(
        path, info.title or name.replace("_", " ").capitalize(), help_text, control, default, choices, when, optional
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        others = [a for a in get_args(annotation) if a is not type(None)]
        if len(others) == 1:
            return others[0], True
    return annotation, False


def _bounds(info: FieldInfo) -> str:
    limits = {k: getattr(m, k) for m in info.metadata for k in ("ge", "gt", "le", "lt") if hasattr(m, k)}
    low = f"from {limits['ge']:g}" if "ge" in limits else f"above {limits['gt']:g}" if "gt" in limits else ""
    if "le" in limits and limits["le"] < 1e5:
        high = f"to {limits['le']:g}" if low else f"at most {limits['le']:g}"
    elif "lt" in limits and limits["lt"] < 1e5:
        high = f"below {limits['lt']:g}"
    else:
        high = ""
    if low and not high:
        return f"(at least {limits['ge']:g})" if "ge" in limits else f"({low})"
    return f"({' '.join(x for x in (low, high) if x)})" if low or high else ""


def _plain(value: Any) -> Any:
    if isinstance(value, Options):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


# ---- values <-> config -----------------------------------------------------------------------------------------


def config_of(
    form: Form, values: Sequence[Any], *, seed: int = 0, base: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A config as plain data from the controls' values (to be checked by ``backend.parts.check``).

    Args:
        base: the config that the form was filled from; what the form has no control for is kept from it.

    Raises:
        InvalidConfig: for text that is no JSON and for an empty number.
    """
    data: dict[str, Any] = {k: v for k, v in (base or {}).items() if k in ("version", "domain")}
    data["seed"] = seed
    chosen = {f.path: v for f, v in zip(form.fields, values, strict=True) if f.control in ("part", "parts")}
    options: dict[tuple[str, str], dict[str, Any]] = {}
    for field, value in zip(form.fields, values, strict=True):
        if field.control in ("part", "parts"):
            continue
        if field.when is not None:
            part, kind = field.when
            wanted = kind == chosen[part] if part != "corrector" else _runs(form, kind, chosen[part])
            if wanted:
                options.setdefault(field.when, {})[field.path.rsplit("/", 1)[1]] = plain_value(field, value)
            continue
        section, _, name = field.path.partition(".")
        if not name:
            data[section] = plain_value(field, value)
        elif field.path == "evaluation.panel_corrector":
            data.setdefault(section, {})[name] = _kept_part(str(value), base)
        else:
            data.setdefault(section, {})[name] = plain_value(field, value)
    for part in SINGLE_PARTS:
        data[part] = {"kind": chosen[part], "options": options.get((part, chosen[part]), {})}
    correctors = [{"kind": k, "options": options.get(("corrector", k), {})} for k in chosen["corrector"] or []]
    if len(correctors) > 1:
        if not form.chain:
            raise InvalidConfig("Only one corrector can be chosen.", "Remove all but one.", "corrector")
        shared = options.get(("corrector", form.chain), {})
        data["corrector"] = {"kind": form.chain, "options": {"parts": correctors, **shared}}
    else:
        data["corrector"] = correctors[0] if correctors else {"kind": "none", "options": {}}
    return data


def _runs(form: Form, kind: str, chosen: Sequence[str] | None) -> bool:
    """Whether a corrector's options matter: it is chosen, or it is the chain of several."""
    return len(chosen or ()) > 1 if kind == form.chain else kind in (chosen or ())


def _kept_part(kind: str, base: Mapping[str, Any] | None) -> dict[str, Any]:
    before = ((base or {}).get("evaluation") or {}).get("panel_corrector") or {}
    return dict(before) if before.get("kind") == kind else {"kind": kind, "options": {}}


def plain_value(field: Field, value: Any) -> Any:
    """A control's value as JSON data of the option.

    Raises:
        InvalidConfig: naming the field.
    """
    where = field.path.replace("/", ".")
    if field.control in ("integer", "number"):
        if value is None or value == "":
            if field.optional:
                return None
            raise InvalidConfig(f"{field.title} is empty.", "Enter a number.", where)
        whole = field.control == "integer" and isinstance(value, float) and value.is_integer()
        return int(value) if whole else value
    if field.control == "json":
        try:
            return json.loads(value or "null")
        except ValueError:
            raise InvalidConfig(f"{field.title} is no JSON.", 'For example: [1, 2] or {"a": 1}.', where) from None
    if field.control == "text":
        return None if field.optional and not value else str(value or "")
    if field.control == "switch":
        return bool(value)
    return value


def values_of(form: Form, config: Mapping[str, Any]) -> list[Any]:
    """The controls' values that stand for a config (missing options: their defaults)."""
    correctors = _correctors(form, config.get("corrector") or {})
    given: dict[tuple[str, str], Mapping[str, Any]] = {
        ("corrector", c["kind"]): c.get("options") or {} for c in correctors
    }
    if len(correctors) > 1:
        given["corrector", form.chain] = config["corrector"]["options"]
    for part in SINGLE_PARTS:
        entry = config.get(part) or {}
        given[part, str(entry.get("kind"))] = entry.get("options") or {}
    values: list[Any] = []
    for field in form.fields:
        if field.path == "corrector":
            values.append([c["kind"] for c in correctors])
        elif field.control == "part":
            values.append((config.get(field.path) or {}).get("kind", field.default))
        elif field.when is not None:
            name = field.path.rsplit("/", 1)[1]
            values.append(_shown(field, given.get(field.when, {}).get(name, _MISSING)))
        else:
            section, _, name = field.path.partition(".")
            value = config.get(section, _MISSING)
            if name:
                value = value.get(name, _MISSING) if isinstance(value, Mapping) else _MISSING
            values.append(_shown(field, value))
    return values


_MISSING = object()


def _shown(field: Field, value: Any) -> Any:
    if value is _MISSING:
        return field.default
    if field.control == "json":
        return json.dumps(value)
    if field.control == "choice" and isinstance(value, Mapping):
        return value.get("kind")
    return "" if field.control == "text" and value is None else value


def _correctors(form: Form, part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    kind = part.get("kind", "none")
    if kind == "none":
        return []
    if kind == form.chain:
        return list((part.get("options") or {}).get("parts") or [])
    return [part]


def field_at(form: Form, path: str, config: Mapping[str, Any] | None = None) -> Field | None:
    """The field behind an error's dotted path (``corrector.options.parts.1.options.gamma``), if the form has it."""
    bits = path.split(".")
    candidates = [path, path.replace(".", "/")]
    if "options" in bits and bits[0] in (*SINGLE_PARTS, "corrector") and config is not None:
        part: Any = config.get(bits[0]) or {}
        rest = bits[1:]
        while len(rest) >= 3 and rest[:2] == ["options", "parts"] and rest[2].isdigit():
            parts = (part.get("options") or {}).get("parts") or []
            part = parts[int(rest[2])] if int(rest[2]) < len(parts) else {}
            rest = rest[3:]
        if len(rest) >= 2:
            candidates.append(f"{bits[0]}/{part.get('kind')}/{rest[1]}")
    candidates += [".".join(bits[:2]), bits[0]]
    return next((f for c in candidates for f in form.fields if f.path == c), None)


def seeds_of(text: str) -> list[int]:
    """``"0, 1, 2"`` or ``"0-4"`` -> seeds without repeats.

    Raises:
        InvalidConfig: for anything else, and for more than 64 of them.
    """
    seeds: list[int] = []
    for bit in str(text).replace(";", ",").split(","):
        first, dash, last = (b.strip() for b in bit.strip().partition("-"))
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InvalidConfig(f"Seeds: {text!r} is no list of whole numbers.", "For example: 0, 1, 2 or 0-4.", "seed")
        stop = int(last) if dash else int(first)
        if stop - int(first) >= 64:
            raise InvalidConfig(f"Seeds: {bit.strip()} are too many.", "At most 64 at a time.", "seed")
        seeds += range(int(first), stop + 1)
    unique = list(dict.fromkeys(seeds))
    if not 0 < len(unique) <= 64:
        raise InvalidConfig(f"Seeds: {len(unique)} of them.", "Give 1 to 64.", "seed")
    return unique


# ---- drawing ---------------------------------------------------------------------------------------------------


def component(field: Field, value: Any = None) -> Any:
    """The Gradio component of a field. Bounds are checked with the config, not by the component (it would pop up)."""
    import gradio as gr

    common: dict[str, Any] = {"label": field.title, "info": field.info or None, "elem_id": field.elem_id}
    value = field.default if value is None else value
    if field.path == "policy":
        return gr.Radio(choices=list(field.choices), value=value, interactive=True, **common)
    if field.control in ("part", "choice"):
        return gr.Dropdown(choices=list(field.choices), value=value, interactive=True, filterable=False, **common)
    if field.control == "parts":
        return gr.Dropdown(choices=list(field.choices), value=value, multiselect=True, interactive=True, **common)
    if field.control == "switch":
        return gr.Checkbox(value=bool(value), interactive=True, **common)
    if field.control in ("integer", "number"):
        return gr.Number(value=value, interactive=True, min_width=150, **common)
    return gr.Textbox(value=value, interactive=True, lines=1, max_lines=1, **common)
