"""How long loops will take and how much they will store, before they are launched.

A stage's time is a fixed overhead plus a rate times its work (training steps, samples). Rates come from the
generations that this data folder has recorded; where it has none, from a table measured on another machine.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from backend.pace import Paces, megabytes_of, past_paces, seconds_of
from backend.queue import CPU, queue_of
from core.config import LoopConfig, PartConfig, digest
from core.errors import LoopscopeError
from core.loop import PART_S, stages_of
from core.policies import POLICIES

if TYPE_CHECKING:
    from backend.context import Backend

DEFAULT_RATES: dict[tuple[str, str], float] = {
    # Seconds of one core per unit of work: windows of 40 frames and 15 joints, batch 64, 10 sampler steps, guided.
    # Measured on a 2-core cloud machine for the latent MLP and physics; the transformer and the others are estimates
    # from the feasibility study's ratios.
    ("learn", "latent-mlp"): 1 / 50,
    ("learn", "transformer"): 1 / 28,
    ("synthesize", "latent-mlp"): 1 / 900,
    ("synthesize", "transformer"): 1 / 200,
    ("evaluate", "latent-mlp"): 1 / 700,
    ("evaluate", "transformer"): 1 / 170,
    ("correct", "none"): 0.0,
    ("correct", "kinematic"): 0.005,
    ("correct", "idealized"): 0.01,
    ("correct", "physics"): 0.1,
}
TRANSFORMER = {"width": 128.0, "layers": 4.0, "patch": 4.0}  # the table's
STAGE_OVERHEAD_S = 0.3  # loading, storing and handing over, per stage
EVALUATOR_S = 22.0  # training a data set's frozen judge, once per data folder (one core)
START_S = 8.0  # from the launch to the first step of work: imports, reading the data set
LIGHT_START_S = 3.0  # the same where there is none to read
GPU_SPEEDUP = 400.0  # of networks over one core: a guess, until a loop here has been measured
CHECKPOINT_MB = 12.0
SAMPLE_MB = 0.011  # a motion of 40 frames and 15 joints
RECENT_GENERATIONS = 400  # how much of the past is looked at


class Estimate(BaseModel):
    """Wall time and disk space of loops launched together, and in words what the figures rest on."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    megabytes: float
    note: str


@dataclass(frozen=True)
class Past:
    """What this data folder already knows.

    Attributes:
        rates: seconds per unit of work; a corrector's by digest of its part.
        judged: digests of data sets whose evaluator is trained.
        begun: keys of generations 0 that are cached.
        checkpoint_mb: mean size of a stored model, by model kind.
        paces: of light loops (:mod:`backend.pace`).
        speedup: of the device over the one of the table, for networks.
    """

    rates: Mapping[tuple[str, str], float] = field(default_factory=dict)
    judged: frozenset[str] = frozenset()
    begun: frozenset[str] = frozenset()
    checkpoint_mb: Mapping[str, float] = field(default_factory=dict)
    paces: Paces = field(default_factory=dict)
    speedup: float = 1.0


def estimate(backend: "Backend", config: LoopConfig | Sequence[LoopConfig]) -> Estimate:
    """Wall time and disk space of one loop, or of several launched together.

    Raises:
        InvalidConfig: naming the field that cannot be.
    """
    from backend import parts

    given = [config] if isinstance(config, LoopConfig) else list(config)
    configs = [parts.check(one) for one in given]  # as they are stored, so that what is cached is recognised
    return estimate_from(_past(backend), configs, backend.settings.processes_for_physics, os.cpu_count() or 2)


def estimate_from(past: Past, configs: Sequence[LoopConfig], cpu_workers: int, cores: int = 2) -> Estimate:
    """The same from given knowledge: one process for networks, ``cpu_workers`` for physics, all on ``cores``."""
    judged, begun = set(past.judged), set(past.begun)
    prepared_s, network_s, physics_s, longest_s, megabytes = 0.0, 0.0, 0.0, 0.0, 0.0
    heavy, light = _by_weight(configs)
    for config in light:  # they run in blocks, on the queue of physics, and nothing is prepared for them
        physics_s += seconds_of(config, past.paces)
        longest_s = max(longest_s, seconds_of(config, past.paces))
        megabytes += megabytes_of(config)
    for config in heavy:
        if (data := digest(config.data)) not in judged:
            judged.add(data)
            prepared_s += EVALUATOR_S
        key = beginning(config)
        chain_s = 0.0  # what cannot overlap within one loop
        for t in range(config.generations + 1):
            for stage in stages_of(config, t):
                seconds = STAGE_OVERHEAD_S + _work_s(past, config, t, stage)
                waited_s = seconds
                if (t, stage) == (0, "learn") and key in begun:
                    seconds = STAGE_OVERHEAD_S
                    waited_s = seconds if key in past.begun else waited_s  # a loop launched with it trains it meanwhile
                if queue_of(config, stage) == CPU:
                    physics_s += seconds
                else:
                    network_s += seconds
                if stage == "correct":
                    waited_s /= min(cpu_workers, max(1, round(_work_s(past, config, t, stage) / PART_S)))
                if stage not in ("panel", "evaluate") or t == config.generations:
                    chain_s += waited_s
        begun.add(key)
        longest_s = max(longest_s, chain_s)
        megabytes += _megabytes(past, config)
    # The evaluator is prepared on the cpu queue while generation 0 learns; nothing is finished without it.
    physics_s += prepared_s
    busy_s = max(network_s, physics_s / cpu_workers, (network_s + physics_s) / cores)
    seconds = (START_S if heavy else LIGHT_START_S) + max(busy_s, longest_s, prepared_s)
    measured = bool(past.rates if heavy else past.paces)
    return Estimate(
        seconds=round(seconds, 1),
        megabytes=round(megabytes, 1),
        note=_note(measured=measured, evaluator=prepared_s > 0, guessed=past.speedup != 1 and bool(heavy)),
    )


def stored_megabytes(backend: "Backend", configs: Sequence[LoopConfig]) -> float:
    """Disk space of checked configs alone, from what their kinds of model took here: quick enough for every launch."""
    heavy, light = _by_weight(configs)
    sizes = {kind: size for kind in {c.model.kind for c in heavy} if (size := _newest_model_mb(backend, kind))}
    return sum(map(megabytes_of, light)) + sum(_megabytes(Past(checkpoint_mb=sizes), config) for config in heavy)


def _newest_model_mb(backend: "Backend", kind: str) -> float | None:
    """Size of the models that the last loops with that kind stored."""
    from sqlalchemy import func, select

    from backend.tables import Artifact, Loop

    last = (
        select(Loop.id)
        .where(Loop.generation >= 0, Loop.config["model"]["kind"].as_string() == kind)
        .order_by(Loop.created_at.desc())
        .limit(5)
    )
    newest = select(func.max(Artifact.size)).where(Artifact.name == "model", Artifact.loop_id.in_(last))
    with backend.database.read() as session:
        size = session.scalar(newest)
    return None if size is None else size / 1e6


def _by_weight(configs: Sequence[LoopConfig]) -> tuple[list[LoopConfig], list[LoopConfig]]:
    """Configs of loops that run stage by stage, and of those that run in blocks of generations."""
    from backend.parts import domain_part

    heavy: list[LoopConfig] = []
    light: list[LoopConfig] = []
    for config in configs:
        (light if domain_part(config.domain).light else heavy).append(config)
    return heavy, light


def beginning(config: LoopConfig) -> str:
    """Key of generation 0: loops with the same one train it once between them."""
    training = config.training.model_dump(mode="json", exclude={"mode", "steps", "fine_tune_learning_rate"})
    parts = (config.data.model_dump(mode="json"), config.n, config.model.model_dump(mode="json"), training, config.seed)
    return digest(parts)


def _note(*, measured: bool, evaluator: bool, guessed: bool) -> str:
    """What the figures rest on."""
    first = (
        f"The data set's evaluator is trained first, once ({EVALUATOR_S:.0f} s, beside other work). "
        if evaluator
        else ""
    )
    if measured:
        return f"{first}From the timings of earlier loops on this machine."
    if guessed:
        return f"{first}A guess for a GPU that nothing was measured on yet; the first loop here will tell."
    return f"{first}From timings of another machine with two CPU cores; the first loop here will tell better."


def _units(config: LoopConfig, t: int, stage: str) -> float:
    """Work of a stage in the unit of its rate: steps at batch 64, or guided samples of 10 sampler steps."""
    if stage == "learn":
        initial = t == 0 or config.training.mode == "from-scratch"
        steps = config.training.initial_steps if initial else config.training.steps
        return steps * config.training.batch_size / 64 * _size(config.model)
    if stage == "correct":
        return _synthetic_count(config)
    guidance = config.sampling.guidance_synthesis if stage == "synthesize" else config.sampling.guidance_evaluation
    count = {"synthesize": _synthetic_count(config), "panel": config.evaluation.shown}.get(
        stage, config.evaluation.samples
    )
    return count * config.sampling.steps / 10 * (0.55 if guidance == 1 else 1.0) * _size(config.model)


def _size(model: PartConfig) -> float:
    """Arithmetic of a transformer relative to the table's: layers, width squared, tokens. A smaller one is hardly
    quicker, and the others' sizes matter little."""
    if model.kind != "transformer":
        return 1.0
    width, layers, patch = (float(str(model.options.get(name, usual))) for name, usual in TRANSFORMER.items())
    usual_width, usual_layers, usual_patch = TRANSFORMER.values()
    return max(0.5, (width / usual_width) ** 2 * (layers / usual_layers) * (usual_patch / patch))


def _checkpoint_mb(past: Past, model: PartConfig) -> float:
    """A stored model; a transformer's weights (12 width squared per layer, 4 bytes each) may be more than usual."""
    known = past.checkpoint_mb.get(model.kind, CHECKPOINT_MB)
    if model.kind != "transformer":
        return known
    width, layers = (float(str(model.options.get(name, TRANSFORMER[name]))) for name in ("width", "layers"))
    return max(known, 48e-6 * layers * width**2)


def _work_s(past: Past, config: LoopConfig, t: int, stage: str) -> float:
    units = _units(config, t, stage)
    if stage == "correct":
        return units * _correct_rate(past, config.corrector)
    seconds = units * _rate(past, "synthesize" if stage == "panel" else stage, config.model.kind)
    if stage == "panel":
        shown = config.corrector if config.corrector.kind != "none" else config.evaluation.panel_corrector
        seconds += config.evaluation.shown * _correct_rate(past, shown)
    if stage == "evaluate" and config.corrector.kind != "none" and config.correction.where != "loop":
        seconds += config.evaluation.samples * _correct_rate(past, config.corrector)
    return seconds


def _rate(past: Past, stage: str, kind: str) -> float:
    key = (stage, kind)
    if key in past.rates:
        return past.rates[key]
    return DEFAULT_RATES.get(key, DEFAULT_RATES.get((stage, "latent-mlp"), 0.0)) / past.speedup


def _correct_rate(past: Past, corrector: PartConfig) -> float:
    """Seconds per sample; of a composition the sum of its parts'."""
    measured = past.rates.get(("correct", digest(corrector)))
    if measured is not None:
        return measured
    inner = list(_inner_parts(corrector.options))
    if inner:
        return sum(_correct_rate(past, part) for part in inner)
    return DEFAULT_RATES.get(("correct", corrector.kind), DEFAULT_RATES["correct", "physics"])


def _inner_parts(options: Any) -> Iterator[PartConfig]:
    """Parts within the options of a composition, whatever field they stand in."""
    if isinstance(options, dict):
        if isinstance(options.get("kind"), str):
            yield PartConfig(kind=options["kind"], options=options.get("options") or {})
        else:
            for value in options.values():
                yield from _inner_parts(value)
    elif isinstance(options, list):
        for value in options:
            yield from _inner_parts(value)


def _synthetic_count(config: LoopConfig) -> int:
    """Fresh synthetic samples per generation."""
    part = POLICIES.get(config.policy.kind)
    if part is None:
        return config.n
    return int(part.build(part.options.model_validate(config.policy.options)).synthetic_count(config.n))


def _megabytes(past: Past, config: LoopConfig) -> float:
    checkpoint = _checkpoint_mb(past, config.model)
    synthetic = _synthetic_count(config) * (2 if "correct" in stages_of(config, 1) else 1)
    per_generation = checkpoint + SAMPLE_MB * (synthetic + 3 * config.evaluation.shown)
    return (config.generations + 1) * per_generation


def _past(backend: "Backend") -> Past:
    """What SQL tells: recorded seconds by stage, sizes of stored models, which beginnings exist."""
    from sqlalchemy import func, select

    from backend.parts import catalogue
    from backend.presence import device_found
    from backend.tables import Artifact, Generation, Loop

    domains = catalogue()["domain"].items()
    heavy = [kind for kind, part in domains if not getattr(part, "light", False)]
    stage_by_stage = Loop.config["domain"].as_string().in_(heavy)  # thousands of light generations tell nothing here
    with backend.database.read() as session:
        recorded = session.execute(
            select(Loop.config, Generation.index, Generation.seconds)
            .join(Generation, Generation.loop_id == Loop.id)
            .where(stage_by_stage)
            .order_by(Generation.recorded_at.desc())
            .limit(RECENT_GENERATIONS)
        ).all()
        begun = session.scalars(select(Loop.config).where(Loop.generation >= 0, stage_by_stage)).all()
        sizes = session.execute(
            select(Loop.config, func.avg(Artifact.size))
            .join(Artifact, Artifact.loop_id == Loop.id)
            .where(Artifact.name == "model")
            .group_by(Loop.id)
            .order_by(Loop.created_at.desc())
            .limit(50)
        ).all()
        paces = past_paces(session)
    started = [config for plain in begun if (config := _readable(plain)) is not None]
    megabytes: dict[str, list[float]] = {}
    for plain, size in sizes:
        megabytes.setdefault(str(plain["model"]["kind"]), []).append(float(size) / 1e6)
    return Past(
        rates=rates_of([(c, t, s) for plain, t, s in recorded if (c := _readable(plain)) is not None]),
        judged=frozenset(digest(config.data) for config in started),
        begun=frozenset(beginning(config) for config in started),
        checkpoint_mb={kind: median(values) for kind, values in megabytes.items()},
        paces=paces,
        speedup=GPU_SPEEDUP if device_found(backend) == "cuda" else 1.0,
    )


def rates_of(recorded: Sequence[tuple[LoopConfig, int, Mapping[str, float]]]) -> dict[tuple[str, str], float]:
    """Median seconds per unit of work of recorded generations ``(config, index, seconds by stage)``.

    Generation 0 is left out: its seconds depend on what was cached.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for config, t, seconds in recorded:
        for stage, value in seconds.items():
            mixed = stage == "panel" or (stage == "evaluate" and config.correction.where != "loop")
            units = _units(config, t, stage) if t > 0 and not mixed else 0
            if units:
                key = (stage, digest(config.corrector) if stage == "correct" else config.model.kind)
                found.setdefault(key, []).append(max(float(value) - STAGE_OVERHEAD_S, 0.0) / units)
    return {key: median(values) for key, values in found.items()}


def _readable(plain: Mapping[str, Any]) -> LoopConfig | None:
    """A stored config, or None where an older version wrote one that is read no more."""
    from core.config import parse

    try:
        return parse(LoopConfig, plain)
    except LoopscopeError:
        return None
