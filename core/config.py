"""What a loop is: versioned, frozen, JSON. Each exchangeable part is a ``(kind, options)``; the options' class stands
beside the part's code, in its registry, and is checked when the parts are put together."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import PydanticCustomError

from core.complaints import complaint_of
from core.errors import InvalidConfig
from core.tripwires import ALLOWED, MOST_RULES, NotARule, parse_tripwire


class Options(BaseModel):
    """Base of every options class: frozen, unknown fields refused. Titles, descriptions and bounds make the form."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PartConfig(Options):
    """A part by the name of its registry entry, and its options (checked against the entry's options class)."""

    kind: str
    options: dict[str, JsonValue] = Field(default_factory=dict)


class TrainingConfig(Options):
    """How a generation learns."""

    mode: Literal["fine-tune", "from-scratch"] = Field(
        "fine-tune",
        title="Learning",
        description="Go on from the previous generation's weights (the papers' iterative fine-tuning), or start over.",
    )
    initial_steps: int = Field(1000, ge=1, le=1_000_000, title="Steps, generation 0", description="Steps on real data.")
    steps: int = Field(
        60, ge=0, le=1_000_000, title="Steps per generation", description="Steps of every later generation."
    )
    batch_size: int = Field(64, ge=1, le=8192, title="Batch size")
    learning_rate: float = Field(3e-3, gt=0, le=1, title="Learning rate, generation 0")
    fine_tune_learning_rate: float = Field(5e-4, gt=0, le=1, title="Learning rate, later generations")
    ema_decay: float = Field(
        0.98, ge=0, lt=1, title="EMA decay", description="Of the weights that samples are drawn with."
    )
    label_dropout: float = Field(
        0.1,
        ge=0,
        le=1,
        title="Label dropout",
        description="Share of unconditional examples, for classifier-free guidance.",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", exclude_if=lambda chosen: chosen == "auto", title="Precision",
        description="Of the training steps: auto is bf16 on a GPU that has it and fp32 elsewhere.",
    )  # fmt: skip
    compile: Literal["auto", "on", "off"] = Field(
        "auto", exclude_if=lambda chosen: chosen == "auto", title="Compile",
        description="torch.compile, which takes about a minute: auto does so for long training on a GPU.",
    )  # fmt: skip
    deterministic: bool = Field(
        False, exclude_if=lambda wanted: not wanted, title="Deterministic on a GPU",
        description="The same bits in every run, somewhat slower; on a CPU they are anyway.",
    )  # fmt: skip
    threads: int = Field(
        1, ge=1, le=64, exclude_if=lambda count: count == 1, title="Threads on a CPU",
        description="Used by learning. Sums of several threads differ in their last bits from those of one, so the "
        "number belongs to the experiment and not to the machine.",
    )  # fmt: skip


class SamplingConfig(Options):
    """How samples are drawn from a generation."""

    guidance_synthesis: float = Field(
        2.5, ge=0, le=20, title="Guidance scale, synthetic training set",
        description="Classifier-free guidance of what the next generation learns from; 1 = no guidance.",
    )  # fmt: skip
    guidance_evaluation: float = Field(
        2.5,
        ge=0,
        le=20,
        title="Guidance scale, evaluation",
        description="Guidance of the samples that are measured and shown.",
    )
    steps: int = Field(10, ge=1, le=1000, title="Sampler steps", description="Calls of the network per sample.")
    solver: Literal["ddim", "ddpm", "dpm-solver++"] = Field(
        "ddim", exclude_if=lambda chosen: chosen == "ddim", title="Solver",
        description="ddim: deterministic, few steps; dpm-solver++: the same of second order; ddpm: adds noise at each "
        "step and needs many.",
    )  # fmt: skip


class CorrectionConfig(Options):
    """Where the corrector acts, and what becomes of what it rejects."""

    where: Literal["loop", "output", "both"] = Field(
        "loop",
        title="Correct",
        description="Inside the loop (the next generation learns from it), at the measured output only, or both.",
    )
    rejected: Literal["drop", "redraw", "keep raw"] = Field(
        "drop",
        title="Rejected samples",
        description="Leave them out of training; draw them anew, and leave out what is still rejected; or let their "
        "raw form in.",
    )
    attempts: int = Field(
        2, ge=1, le=20, title="Redraws", description="How often a rejected sample is drawn anew, where it is."
    )


MOST_PROMPTS, LONGEST_PROMPT = 16, 200


def _prompt(text: str) -> str:
    """A prompt as it is shown: one line, blanks made single."""
    plain = " ".join(text.split())
    if not plain or not plain.isprintable() or len(plain) > LONGEST_PROMPT:
        raise PydanticCustomError(
            "prompt", "a prompt is one line of 1 to {most} characters that can be seen", {"most": LONGEST_PROMPT}
        )
    return plain


Prompt = Annotated[str, AfterValidator(_prompt)]


class EvaluationConfig(Options):
    """What is measured and kept for the eye in each generation."""

    samples: int = Field(
        300,
        ge=16,
        le=100_000,
        title="Samples measured",
        description="FID depends on it: compare equal counts only.",
    )
    panel: int = Field(
        10,
        ge=1,
        le=256,
        title="Panel",
        description="Samples kept for viewing: the same labels and noise in every generation.",
    )
    panel_corrector: PartConfig = Field(
        default_factory=lambda: PartConfig(kind="physics"), title="Panel's corrector",
        description="Shown beside the raw panel when the loop itself corrects nothing.",
    )  # fmt: skip
    prompts: tuple[Prompt, ...] = Field(
        (), max_length=MOST_PROMPTS, exclude_if=lambda texts: not texts, title="Prompts",
        description="One per line: what a model told text makes of these words, after the panel's own samples, with "
        "the same noise in every generation.",
    )  # fmt: skip

    @property
    def shown(self) -> int:
        """Samples on the panel, those of prompts included."""
        return self.panel + len(self.prompts)


def _rule(text: str) -> str:
    """A stop rule as it is written for good."""
    try:
        return str(parse_tripwire(text))
    except NotARule as error:
        raise PydanticCustomError("tripwire", "{why}", {"why": str(error), "hint": ALLOWED}) from None


class LoopConfig(Options):
    """One loop, whole. The same config gives the same numbers, in process and through the queue."""

    version: Literal[1] = 1
    domain: str = "motion"
    data: PartConfig = Field(default_factory=lambda: PartConfig(kind="deepmimic"))
    n: int = Field(256, ge=8, le=1_000_000, title="Real training samples n")
    policy: PartConfig = Field(default_factory=lambda: PartConfig(kind="augment"))
    corrector: PartConfig = Field(default_factory=lambda: PartConfig(kind="none"))
    correction: CorrectionConfig = CorrectionConfig()
    model: PartConfig = Field(default_factory=lambda: PartConfig(kind="latent-mlp"))
    training: TrainingConfig = TrainingConfig()
    sampling: SamplingConfig = SamplingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    generations: int = Field(10, ge=0, le=10_000, title="Generations", description="After generation 0.")
    seed: int = Field(0, ge=0, le=2**31 - 1, title="Seed", description="Every random draw comes from it.")
    replicates: int = Field(
        1, ge=1, le=10_000, title="Seeds at once", description="Run in one computation, drawn as mean and band.",
    )  # fmt: skip
    tripwires: tuple[Annotated[str, AfterValidator(_rule)], ...] = Field(
        (), max_length=MOST_RULES, exclude_if=lambda rules: not rules, title="Stop rules",
        description="One per line; the loop stops at the first generation that breaks one.",
    )  # fmt: skip

    @property
    def arm(self) -> Literal["real", "raw", "corrected"]:
        """Which of the three arms of a comparison this loop is: its colour everywhere."""
        if self.policy.kind == "real":
            return "real"
        return "raw" if self.corrector.kind == "none" else "corrected"


OptionsT = TypeVar("OptionsT", bound=Options)


def parse(cls: type[OptionsT], data: object, field: str = "") -> OptionsT:
    """Checked options from plain data.

    Raises:
        InvalidConfig: naming the first offending field (dotted, below ``field``), its value and what was expected.
    """
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join([*([field] if field else []), *(str(p) for p in first["loc"])])
        if first["type"] == "extra_forbidden":
            here = _fields_at(cls, first["loc"][:-1])
            hint = _options_here(here, str(first["loc"][-1]))
            raise InvalidConfig(f"There is no option {path!r}.", hint, path) from None
        hint = str(first.get("ctx", {}).get("hint", ""))
        told = complaint_of(first, repr(first["input"])[:80])
        entry = bool(first["loc"]) and isinstance(first["loc"][-1], int)
        named = path.rpartition(".")[0] if entry else path  # of a list's entry, the value says which
        raise InvalidConfig(f"{named or 'config'}: {told}.", hint, path) from None


def _fields_at(cls: type[BaseModel], place: Sequence[str | int]) -> Iterable[str]:
    """Names of the options where ``place`` leads to."""
    for key in place:
        field = cls.model_fields.get(str(key))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return ()
        cls = field.annotation
    return cls.model_fields


def _options_here(names: Iterable[str], near: str) -> str:
    """What could have been meant: the one that begins alike (``train`` -> ``training``), else all that there are."""
    names = list(names)
    alike = get_close_matches(near, names, 1)
    return f"Did you mean {alike[0]!r}?" if alike else f"Options here: {', '.join(names) or 'none'}."


def digest(value: object) -> str:
    """Short stable identifier of plain JSON data or of a config."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:24]


def with_changes(config: LoopConfig, changes: Mapping[str, Any]) -> LoopConfig:
    """A clone with edits: ``{"sampling.guidance_synthesis": 1.0, "corrector": {"kind": "physics"}}``; a number leads
    into a list: ``corrector.options.parts.0.options.gamma``.

    Raises:
        InvalidConfig: when a path names nothing or the outcome is not a config.
    """
    data = config.model_dump(mode="json")
    for path, value in changes.items():
        node: Any = data
        *above, last = path.split(".")
        for key in above:
            if isinstance(node, dict) and key not in node:
                raise InvalidConfig(f"There is no option {path!r}.", _options_here(node, key), path)
            node = node[key] if isinstance(node, dict) else _element(node, key)
            if not isinstance(node, dict | list):
                raise InvalidConfig(f"There is no option {path!r}.", f"{key!r} holds no options.", path)
        if not isinstance(node, dict):
            raise InvalidConfig(f"There is no option {path!r}.", f"{last!r} is not an option but a whole part.", path)
        node[last] = deepcopy(value)  # a later change may go inside it
    return parse(LoopConfig, data)


def _element(node: Any, key: str) -> Any:
    """Of a list, or None where it has no such."""
    return node[int(key)] if isinstance(node, list) and key.isdigit() and int(key) < len(node) else None
