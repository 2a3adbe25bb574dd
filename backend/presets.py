"""Experiments at one click: what each asks, what it shows, what it does not show, and the loops that it launches."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from backend.estimate import Estimate, estimate
from backend.preset import PAPER, PHYSICS, REAL, Preset
from backend.protocol import Device, ProtocolChoices, protocol, read_choices
from core.config import CorrectionConfig, EvaluationConfig, LoopConfig, PartConfig, SamplingConfig, TrainingConfig
from core.errors import InvalidConfig, NotFound

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

SHUMAILOV = "Shumailov et al. 2024, AI models collapse when trained on recursively generated data (Nature 631)"


def _demo() -> Preset:
    guided = SamplingConfig(guidance_synthesis=2.5, guidance_evaluation=2.5)
    raw = LoopConfig(
        n=128,
        policy=PartConfig(kind="replace"),
        generations=10,
        training=TrainingConfig(steps=60),
        sampling=guided,
        evaluation=EvaluationConfig(samples=300),
    )
    corrector = PartConfig(
        kind="chain", options={"parts": [{"kind": "idealized", "options": {"gamma": 2.0}}, {"kind": "physics"}]}
    )
    redrawn = CorrectionConfig(rejected="redraw")
    return Preset(
        title="Collapse and correction",
        question="What becomes of a motion model that learns from its own output, and what does correction change?",
        shows=(
            "Three loops share generation 0 and the panel's noise. Raw learns from nothing but the previous "
            "generation's samples, drawn with guidance 2.5: within a few generations its motions of a class become "
            "one motion, and FID leaves that of the real-only control far behind. Corrected is the same loop, but "
            "each sample is first moved two thirds of the way to a real one of its class (the idealized corrector, "
            "gamma = 2) and then passed through the physics corrector; what that rejects is drawn again. Real only "
            "takes the same training steps on real data. Measured over three seeds: FID at generation 10 of 46 to 56 / "
            "13 to 18 / 8 to 9, within-class diversity .1 to 1.0 / 6.1 to 7.2 / 7.2 to 7.8."
        ),
        does_not_show=(
            "It does not show that physics stops collapse: the diversity that Corrected keeps comes from the real "
            "motion blended into its samples. Physics alone, measured in this regime, went the way of Raw: FID 46, "
            "diversity 1.2, floor penetration 20.8 mm at generation 10 (raw 19.6, real only 13.7). The kinematic steps "
            "in place of physics, which reject no blend, reached FID 15. A small model and 15 classes; nothing here "
            "speaks about larger ones."
        ),
        minutes=2,
        paper=f"{SHUMAILOV}; the idealized corrector: {PAPER}",
        loops=(
            ("Raw", raw),
            ("Corrected", raw.model_copy(update={"corrector": corrector, "correction": redrawn})),
            ("Real only", raw.model_copy(update={"policy": REAL})),
        ),
    )


def _paper_regime() -> Preset:
    raw = LoopConfig(
        n=64,
        policy=PartConfig(kind="augment", options={"lam": 1.0}),
        generations=16,
        training=TrainingConfig(steps=60),
        sampling=SamplingConfig(guidance_synthesis=2.5, guidance_evaluation=2.5),
    )
    unguided = SamplingConfig(guidance_synthesis=1.0, guidance_evaluation=2.5)
    arms: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Real only", {"policy": REAL}),
        ("Raw", {}),
        ("Corrected", {"corrector": PHYSICS}),
        ("Raw, guidance 1", {"sampling": unguided}),
    )
    return Preset(
        title="Paper's regime",
        question="With the real data kept, does correcting the synthetic half by physics keep a loop from drifting?",
        shows=(
            "64 real motions stay in every training set, beside as many synthetic ones (lambda = 1); three seeds. Mean "
            "FID over generations 9-16, measured: 12.6 real only, 19.4 raw, 19.5 corrected by physics, 14.7 raw with "
            "the synthetic set drawn without guidance (scale 1, evaluated at 2.5 like the rest). Physics bought "
            "nothing that three seeds agree on: against raw its FID was 1.2 higher, .1 higher and .9 lower, floor "
            "penetration .5 mm higher, .1 and 1.0 mm lower (raw 14.3, real only 12.1); foot skate stayed at .62 m/s in "
            "both (real only: .56)."
        ),
        does_not_show=(
            "It does not show that physics keeps the loop where the control is: the drift stays. What drifts "
            "is which motions are made, more than whether they are valid, and a corrector of single motions cannot "
            "bring lost ones back; drawing without guidance bought far more. An earlier study with another evaluator "
            "found 16.9 / 24.4 / 24.4 / 19.7. The paper trains another model (MDM in raw motion space, 50 "
            "generations); with it the question is open. Trust no single seed."
        ),
        minutes=8,
        paper=PAPER,
        loops=tuple(
            (f"{name}, seed {seed}", raw.model_copy(update=changes | {"seed": seed}))
            for seed in (0, 1, 2)
            for name, changes in arms
        ),
    )


PROTOCOL = "paper-protocol"
PRESETS: dict[str, Preset] = {
    "demo": _demo(), "paper-regime": _paper_regime(), PROTOCOL: protocol(ProtocolChoices(), "cpu"),
}  # fmt: skip


def preset(key: str, choices: Mapping[str, Any] | None = None, device: Device = "cpu") -> Preset:
    """The preset of that key; of the paper's protocol, for these choices and this device.

    Raises:
        NotFound: naming the keys that exist.
        InvalidConfig: for a choice that cannot be, and for choices where there are none.
    """
    if key not in PRESETS:
        raise NotFound(f"There is no preset named {key!r}.", f"Choose one of: {', '.join(PRESETS)}.")
    if key == PROTOCOL:
        return protocol(read_choices(choices or {}), device)
    if choices:
        raise InvalidConfig(
            f"The preset {key!r} is launched as it is; it leaves nothing to choose.", "Clone its loops instead.",
            next(iter(choices)),
        )  # fmt: skip
    return PRESETS[key]


class NamedLoop(BaseModel):
    name: str
    config: LoopConfig


class PresetView(BaseModel):
    """A preset as the API and the command line tell of it. ``choices``: JSON schema of what there is to choose."""

    model_config = ConfigDict(frozen=True)

    key: str
    title: str
    question: str
    shows: str
    does_not_show: str
    minutes: float
    paper: str
    loops: tuple[NamedLoop, ...]
    sized: str = ""
    choices: dict[str, Any] | None = None


def views(device: Device = "cpu") -> list[PresetView]:
    """All presets, in the order of their cards."""
    return [view_of(key, preset(key, device=device)) for key in PRESETS]


def view_of(key: str, p: Preset) -> PresetView:
    return PresetView(
        key=key, title=p.title, question=p.question, shows=p.shows, does_not_show=p.does_not_show, minutes=p.minutes,
        paper=p.paper, loops=tuple(NamedLoop(name=name, config=config) for name, config in p.loops), sized=p.sized,
        choices=ProtocolChoices.model_json_schema() if key == PROTOCOL else None,
    )  # fmt: skip


def chosen(backend: "Backend", key: str, choices: Mapping[str, Any] | None = None) -> Preset:
    """The preset as this installation would launch it: sized to its device, its paths confined, its loops checked.

    Raises:
        NotFound, InvalidConfig, DataMissing: as :func:`preset` and :func:`backend.parts.check`.
    """
    from backend import parts
    from backend.paths import confined
    from backend.presence import device_found

    if key == PROTOCOL and choices:  # before any of its files is read
        confined(backend, LoopConfig(data=read_choices(choices).data))
    wanted = preset(key, choices, device_found(backend) if key == PROTOCOL else "cpu")
    return replace(wanted, loops=tuple((name, parts.check(config)) for name, config in wanted.loops))


class PresetEstimate(BaseModel):
    """What a preset would launch with the choices made, and what that would take."""

    model_config = ConfigDict(frozen=True)

    preset: PresetView
    estimate: Estimate


def look(backend: "Backend", key: str, choices: Mapping[str, Any] | None = None) -> PresetEstimate:
    """What launching it would do.

    Raises:
        NotFound, InvalidConfig, DataMissing: as :func:`chosen`; InvalidConfig for a deleted data set, too.
    """
    from backend.datasets import check_not_deleted

    wanted = chosen(backend, key, choices)
    configs = [config for _, config in wanted.loops]
    check_not_deleted(backend, configs)
    return PresetEstimate(preset=view_of(key, wanted), estimate=estimate(backend, configs))


def launch_preset(
    backend: "Backend", key: str, choices: Mapping[str, Any] | None = None, *, again: bool = False
) -> "list[LoopView]":
    """The preset's loops, in its order, in one group; those that this data folder already has unless ``again``.

    A preset whose launch stopped half way is completed, never doubled; one that was edited since it was launched, or
    with other choices, is launched as a group of its own, like one asked for ``again``.

    Raises:
        NotFound, InvalidConfig, DataMissing: as :func:`chosen`.
    """
    from backend.grouped import launch_group

    wanted = chosen(backend, key, choices)
    return launch_group(backend, wanted.title, wanted.loops, again=again)
