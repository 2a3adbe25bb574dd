"""How long generations of light loops take: those that run in blocks, milliseconds each."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from backend.parts import domain_part
from core.blocks import BLOCK
from core.config import LoopConfig, digest
from core.errors import LoopscopeError
from core.policies import POLICIES, Policy

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

GENERATION_S, SAMPLES = 1.5e-3, 24_000
"""A generation of hardly any samples, on a 2-core cloud machine (one core); how many samples take that long again."""
PUBLISH_S = 0.3e-3  # per generation
VALUE_MB, GENERATION_MB = 20e-6, 0.008  # one value of one seed in SQL; panel, histogram and record of a generation
MEASURED = 8  # metrics of a generation, about
RECENT_BLOCKS = 60

Paces = Mapping[str, float]
"""Seconds per unit of work, by key of :func:`_keys`."""


def seconds_of(config: LoopConfig, paces: Paces) -> float:
    """A whole loop, on one core, from the pace of those most like it."""
    pace = next((paces[key] for key in _keys(config) if key in paces), GENERATION_S)
    return (config.generations + 1) * (pace * _units(config) + PUBLISH_S)


def megabytes_of(config: LoopConfig) -> float:
    """What SQL and the artifact store keep of a loop."""
    sets = len(_policy(config).past_generations(config.generations + 1))
    kept = sets * _policy(config).synthetic_count(config.n) if sets > 1 else 0
    traced = (config.generations + 1) * config.replicates * MEASURED * VALUE_MB
    return traced + (config.generations + 1) * GENERATION_MB + kept * config.replicates * 16e-6


def paces_of(measured: Sequence[tuple[LoopConfig, float]]) -> Paces:
    """From measured seconds per generation: of loops just like one, else of its model, else of its domain."""
    found: dict[str, list[float]] = {}
    for config, seconds in measured:
        for key in _keys(config):
            found.setdefault(key, []).append(seconds / _units(config))
    return {key: median(values) for key, values in found.items()}


def past_paces(session: "Session") -> Paces:
    """From the blocks that this data folder has published."""
    from sqlalchemy import select

    from backend.tables import Artifact, Loop, Stage

    rows = session.execute(
        select(Loop.config, Stage.seconds, Artifact.facts)
        .join(Stage, Stage.loop_id == Loop.id)
        .join(
            Artifact,
            (Artifact.loop_id == Stage.loop_id) & (Artifact.generation == Stage.generation) & (Artifact.name == BLOCK),
        )
        .where(Stage.stage == BLOCK, Stage.state == "done")
        .order_by(Stage.finished_at.desc())
        .limit(RECENT_BLOCKS)
    )
    measured = []
    for plain, seconds, facts in rows:
        first, last = facts["generations"]
        try:
            config = LoopConfig.model_validate(plain)
            _units(config)
        except (ValueError, KeyError, LoopscopeError):
            continue  # an older version wrote it
        measured.append((config, seconds / (last - first + 1)))
    return paces_of(measured)


def _keys(config: LoopConfig) -> tuple[str, str, str]:
    """From just this experiment to its domain."""
    like = config.model_dump(mode="json", exclude={"seed", "generations", "replicates", "tripwires"})
    return digest(like), f"{config.domain} {config.model.kind}", config.domain


def _units(config: LoopConfig) -> float:
    """Work of a generation in the middle of the loop, in generations of hardly any samples; a step of training, where
    the domain has them, is taken for one."""
    policy = _policy(config)
    fresh = policy.synthetic_count(config.n)
    learned = config.n + fresh * len(policy.past_generations(max(config.generations // 2, 1)))
    steps = 0.0
    if "training" in domain_part(config.domain).sections:
        training, count = config.training, config.generations + 1
        later = training.initial_steps if training.mode == "from-scratch" else training.steps
        steps = (training.initial_steps + (count - 1) * later) / count
    return 1.0 + steps + config.replicates * (learned + fresh + config.evaluation.samples) / SAMPLES


def _policy(config: LoopConfig) -> Policy:
    part = POLICIES[config.policy.kind]
    policy: Policy = part.build(part.options.model_validate(config.policy.options))
    return policy
