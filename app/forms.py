"""The launch form, made from the options classes of every registered part: a new registry entry appears by itself.

A ``Form`` is plain data: the fields of all domains in drawing order, and which of them each domain shows. What the
controls hold is read and written by ``app.formvalues``; ``component`` draws a field.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

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
from core.protocols import DomainPart, Part

Catalogue = Mapping[str, Mapping[str, Part]]
Control = Literal["part", "parts", "choice", "offered", "switch", "integer", "number", "text", "lines", "json"]

SECTIONS: dict[str, type[Options]] = {
    "correction": CorrectionConfig,
    "training": TrainingConfig,
    "sampling": SamplingConfig,
    "evaluation": EvaluationConfig,
}
COUNTS = ("n", "generations", "replicates")
RULES = "tripwires"
PROMPTS = "evaluation.prompts"
LINES_LIKE = {
    RULES: "fid > 60\nfid > 3x generation 0, then roll back\nfid flat for 5\nhours > 2",
    PROMPTS: "a person walks in a circle\nsomebody jumps twice",
}
"""What boxes of lines look like filled in."""
CHOICES_FROM = "choices_from"
"""In the ``json_schema_extra`` of a part's option: the source of ``app.choices`` that its choices come from."""
NO_CORRECTOR = ("None", "none")
SINGLE_PARTS = ("data", "policy", "model")
PANEL_CORRECTOR = "evaluation.panel_corrector"
Choices = tuple[tuple[str, Any], ...]
"""(What is shown, value)."""


@dataclass(frozen=True)
class Field:
    """One control.

    Attributes:
        path: where its value goes: ``training.steps``; a part's option: ``policy/augment/lam``; a part: ``policy``.
        when: (part, kind) whose choice shows the field; None = always there.
        choices: of all domains; a domain's own are in its :class:`Offer`.
        optional: whether empty means None.
        source: name of the source of ``app.choices`` that an ``offered`` control has its choices from.
    """

    path: str
    title: str
    info: str
    control: Control
    default: Any
    choices: Choices = ()
    when: tuple[str, str] | None = None
    optional: bool = False
    source: str = ""

    @property
    def elem_id(self) -> str:
        return "field-" + self.path.replace("/", "-").replace(".", "-").replace("_", "-")

    @property
    def section(self) -> str:
        """``training``...; the part's name for its selector and options; ``top`` otherwise."""
        head = self.path.split("/")[0].split(".")[0]
        return head if head != self.path or self.control in ("part", "parts") else "top"


@dataclass(frozen=True)
class Offer:
    """What the form shows for one domain.

    Attributes:
        choices: of the selectors that offer other kinds in other domains, by path.
        paths: fields outside the parts' options that mean something here.
    """

    choices: Mapping[str, Choices]
    paths: frozenset[str]


@dataclass(frozen=True)
class Form:
    """All fields, and the name of the corrector that runs several in turn ("" where there is none).

    Attributes:
        offers: by domain.
    """

    fields: tuple[Field, ...]
    chain: str
    offers: Mapping[str, Offer]

    def of_section(self, section: str) -> list[int]:
        """Indices of the fields that are always there."""
        return [i for i, f in enumerate(self.fields) if f.section == section and f.when is None]

    def of_kind(self, part: str, kind: str) -> list[int]:
        """Indices of a kind's options."""
        return [i for i, f in enumerate(self.fields) if f.when == (part, kind)]

    def kinds(self, part: str) -> list[str]:
        """Kinds of a part that have options, in drawing order."""
        return list(dict.fromkeys(f.when[1] for f in self.fields if f.when is not None and f.when[0] == part))

    def choices(self, path: str, domain: str) -> Choices:
        """What a selector offers in a domain."""
        own = self.offers[domain].choices.get(path) if domain in self.offers else None
        return self.fields[self.index(path)].choices if own is None else own

    def shows(self, path: str, domain: str) -> bool:
        """Whether a field outside the parts' options means something in a domain."""
        return domain in self.offers and path in self.offers[domain].paths

    def sections(self, domain: str) -> list[str]:
        """The sections that have a field to show in a domain."""
        return [s for s in SECTIONS if any(self.shows(self.fields[i].path, domain) for i in self.of_section(s))]

    def index(self, path: str) -> int:
        return next(i for i, f in enumerate(self.fields) if f.path == path)

    def defaults(self) -> list[Any]:
        return [f.default for f in self.fields]


def form_of(catalogue: Catalogue) -> Form:
    """The form of all registered parts."""
    fields = [_domain_selector(catalogue["domain"])]
    fields += [field_of(name, LoopConfig.model_fields[name]) for name in COUNTS]
    for part in SINGLE_PARTS:
        default = LoopConfig.model_fields[part].get_default(call_default_factory=True).kind
        fields.append(_selector(part, catalogue[part], default))
        for kind, entry in catalogue[part].items():
            fields += _options(part, kind, entry)
    chain = _chain_of(catalogue["corrector"])
    choices = _correctors(catalogue["corrector"], chain)
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
            fields.append(field_of(f"{section}.{name}", info, parts=(NO_CORRECTOR, *choices)))
    fields.append(_rules())
    offers = {
        kind: _offer(entry, catalogue["corrector"], chain)
        for kind, entry in catalogue["domain"].items()
        if isinstance(entry, DomainPart)
    }
    return Form(tuple(fields), chain, offers)


def _domain_selector(domains: Mapping[str, Part]) -> Field:
    default = LoopConfig.model_fields["domain"].default
    choices = tuple((entry.title, kind) for kind, entry in domains.items())
    return Field("domain", "Domain", "What is generated: the form follows it.", "part", default, choices)


def _rules() -> Field:
    info = LoopConfig.model_fields[RULES]
    words = (
        f'{info.description} "then roll back" returns to the best one. A cap on the synthetic share is an option of '
        "the policies that keep real data."
    )
    return Field(RULES, info.title or RULES, words, "lines", "")


def _correctors(correctors: Mapping[str, Part], chain: str) -> Choices:
    return tuple((p.title, k) for k, p in correctors.items() if k not in ("none", chain))


def _offer(domain: DomainPart, correctors: Mapping[str, Part], chain: str) -> Offer:
    fitting = _correctors({k: p for k, p in correctors.items() if k in domain.correctors}, chain)
    choices = {
        "data": tuple((p.title, k) for k, p in domain.data.items()),
        "model": tuple((p.title, k) for k, p in domain.models.items()),
        "corrector": fitting,
        PANEL_CORRECTOR: (NO_CORRECTOR, *fitting),
    }
    within = {f"{section}.{name}" for section in domain.sections for name in SECTIONS[section].model_fields}
    wanted = {path for path in within if not domain.fields or path in domain.fields}
    if not domain.prompted:
        wanted -= {PROMPTS}
    if not fitting:
        wanted -= {PANEL_CORRECTOR, *(path for path in within if path.startswith("correction."))}
    counts = set(COUNTS) if domain.light else set(COUNTS) - {"replicates"}
    return Offer(choices, frozenset(wanted | counts | {RULES}))


def _chain_of(correctors: Mapping[str, Part]) -> str:
    return next((kind for kind, entry in correctors.items() if "parts" in entry.options.model_fields), "")


def _selector(part: str, entries: Mapping[str, Part], default: str) -> Field:
    titles = {"data": "Data set", "policy": "Policy", "model": "Model"}
    infos = {
        "policy": "What the next generation learns from.",
        "data": "Real samples: generation 0 learns from them.",
        "model": "The generative model.",
    }
    choices = tuple((entry.title, kind) for kind, entry in entries.items())
    chosen = default if default in entries else next(iter(entries))
    return Field(part, titles[part], infos[part], "part", chosen, choices)


def _options(part: str, kind: str, entry: Part) -> list[Field]:
    known = entry.options.model_fields
    own = entry.options.__annotations__  # what it inherits comes after
    names = sorted(known, key=lambda name: name not in own)
    return [field_of(f"{part}/{kind}/{name}", known[name], when=(part, kind)) for name in names]


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
    source = str(info.json_schema_extra.get(CHOICES_FROM, "")) if isinstance(info.json_schema_extra, dict) else ""
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
        control = "offered" if source else "text"
    elif get_origin(annotation) is tuple and _plain_type(get_args(annotation)[0]) is str:
        control, default = "lines", "\n".join(default or ())
    if control == "json":
        default = json.dumps(_plain(default))
    elif control in ("text", "offered") and default is None:
        default = ""
    help_text = " ".join(t for t in (info.description or "", _bounds(info)) if t)
    title = info.title or name.replace("_", " ").capitalize()
    return Field(path, title, help_text, control, default, choices, when, optional, source)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        others = [a for a in get_args(annotation) if a is not type(None)]
        if len(others) == 1:
            return others[0], True
    return annotation, False


def _plain_type(annotation: Any) -> Any:
    """The type behind ``Annotated``."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _bounds(info: FieldInfo) -> str:
    """Bounds in words; those that nobody would reach are not told."""
    found = {k: getattr(m, k) for m in info.metadata for k in ("ge", "gt", "le", "lt") if hasattr(m, k)}
    limits = {k: v for k, v in found.items() if abs(v) < 1e5}
    low = f"from {limits['ge']:g}" if "ge" in limits else f"above {limits['gt']:g}" if "gt" in limits else ""
    if "le" in limits:
        high = f"to {limits['le']:g}" if low else f"at most {limits['le']:g}"
    else:
        high = f"below {limits['lt']:g}" if "lt" in limits else ""
    if low and not high:
        return f"(at least {limits['ge']:g})" if "ge" in limits else f"({low})"
    return f"({' '.join(x for x in (low, high) if x)})" if low or high else ""


def _plain(value: Any) -> Any:
    if isinstance(value, Options):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def component(field: Field, value: Any = None, *, choices: Choices | None = None, visible: bool = True) -> Any:
    """The Gradio component of a field. Bounds are checked with the config, not by the component (it would pop up)."""
    import gradio as gr

    common: dict[str, Any] = {"label": field.title, "info": field.info or None, "elem_id": field.elem_id,
                              "visible": visible}  # fmt: skip
    offered = field.choices if choices is None else choices
    value = field.default if value is None else value
    if field.path == "policy":
        return gr.Radio(choices=list(offered), value=value, interactive=True, **common)
    if field.control in ("part", "choice"):
        return gr.Dropdown(choices=list(offered), value=value, interactive=True, filterable=False, **common)
    if field.control == "offered":
        return gr.Dropdown(choices=list(offered), value=value or None, interactive=True, **common)
    if field.control == "parts":
        return gr.Dropdown(choices=list(offered), value=value, multiselect=True, interactive=True, **common)
    if field.control == "switch":
        return gr.Checkbox(value=bool(value), interactive=True, **common)
    if field.control in ("integer", "number"):
        return gr.Number(value=value, interactive=True, min_width=150, **common)
    if field.control == "lines":
        return gr.Textbox(
            value=value, interactive=True, lines=2, max_lines=6, placeholder=LINES_LIKE.get(field.path), **common
        )
    return gr.Textbox(value=value, interactive=True, lines=1, max_lines=1, **common)
