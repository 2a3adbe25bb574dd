"""What one person may ask of the machine: loops and draws at once, samples, disk. Checked before it is written."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.context import Backend
from backend.estimate import stored_megabytes
from backend.gate import Actor
from backend.settings import Settings
from core.config import LoopConfig
from core.errors import InvalidConfig
from core.policies import POLICIES

SEEDS_TOGETHER = 200
"""Seeds that run at once may hold so many times the samples of one loop between them."""


class OverQuota(InvalidConfig):
    """Nothing is wrong with it but that it is more than this installation allows, or has room for."""

    code = "over_quota"


def check_sizes(backend: Backend, configs: Sequence[LoopConfig]) -> None:
    """Refuse loops launched together that ask for more samples than settings allow, or for more disk than is free.

    Raises:
        OverQuota: with both numbers, and the field where one is to blame.
    """
    for config in configs:
        _check_samples(config, backend.settings.max_samples)
    _check_disk(backend, configs)


def check_active(backend: Backend, session: Session, actor: Actor, more: int) -> None:
    """Refuse ``more`` loops that would be too many of one person's at once; inside launch's transaction.

    Raises:
        OverQuota: with both numbers.
    """
    _check_active(session, actor, more, backend.settings.max_active_loops)


def check_room(backend: Backend, more: int) -> None:
    """The same before anything is launched, for whoever asks what a launch would do.

    Raises:
        OverQuota: with both numbers.
    """
    actor = backend.gate.require("viewer")
    with backend.database.read() as session:
        _check_active(session, actor, more, backend.settings.max_active_loops)


def check_draws(backend: Backend, session: Session, actor: Actor) -> None:
    """Refuse one more draw that would be too many of one person's at once; inside its transaction.

    Raises:
        OverQuota: with both numbers.
    """
    from backend.jobs import PENDING
    from backend.tables import DrawJob

    mine = (DrawJob.owner == actor.name, DrawJob.state.in_(PENDING))
    active = session.scalar(select(func.count()).select_from(DrawJob).where(*mine)) or 0
    limit = backend.settings.max_active_draws
    hint = "Wait for some to be done, delete some, or raise LOOPSCOPE_MAX_ACTIVE_DRAWS."
    _check_at_once("draw", actor, active, 1, limit, hint)


def _check_active(session: Session, actor: Actor, more: int, limit: int) -> None:
    from backend.tables import Loop
    from backend.views import ACTIVE

    mine = (Loop.owner == actor.name, Loop.state.in_(ACTIVE), Loop.deleted_at.is_(None))
    active = session.scalar(select(func.count()).select_from(Loop).where(*mine)) or 0
    hint = "Wait for some to end, cancel some, or raise LOOPSCOPE_MAX_ACTIVE_LOOPS."
    _check_at_once("loop", actor, active, more, limit, hint)


def _check_at_once(what: str, actor: Actor, active: int, more: int, limit: int, hint: str) -> None:
    if active + more > limit:
        whose = f"{actor.name} has" if actor.name else "There is" if active == 1 else "There are"
        counted = f"{active} {what}" if active == 1 else f"{active} {what}s"
        words = f"{whose} {counted} queued or running; {more} more would be above the {limit} that are allowed."
        raise OverQuota(words, hint)


def free_megabytes(settings: Settings) -> float | None:
    """Free space of the disk that artifacts go to; None where they go to no disk of this machine."""
    address = urlsplit(settings.artifacts_url)
    if address.scheme not in ("", "file"):
        return None
    folder = Path(unquote(address.path)) if address.path else settings.home
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / 1e6


def _check_samples(config: LoopConfig, limit: int) -> None:
    """Each set of samples of one seed, and what all seeds hold at once to learn from."""
    part = POLICIES[config.policy.kind]
    policy = part.build(part.options.model_validate(config.policy.options))
    synthetic = int(policy.synthetic_count(config.n))
    sets = len(policy.past_generations(config.generations))
    learned = config.n + policy.fresh_count(config.n) + sets * synthetic
    for what, count, field in (
        ("real training samples", config.n, "n"),
        ("samples measured", config.evaluation.samples, "evaluation.samples"),
        ("samples on the panel", config.evaluation.shown, "evaluation.panel"),
        ("synthetic samples per generation", synthetic, "policy.options"),
        (f"samples to learn from in generation {config.generations}", learned, "generations"),
    ):
        if count > limit:
            raise OverQuota(
                f"{count:,} {what} are more than the {limit:,} that a loop may have here.",
                "Ask for fewer, or raise LOOPSCOPE_MAX_SAMPLES.",
                field,
            )
    together = config.replicates * (learned + config.evaluation.samples)
    if config.replicates > 1 and together > SEEDS_TOGETHER * limit:
        raise OverQuota(
            f"{config.replicates:,} seeds at once would hold {together:,} samples; {SEEDS_TOGETHER * limit:,} are "
            "allowed here.",
            "Run fewer seeds at once, or raise LOOPSCOPE_MAX_SAMPLES.",
            "replicates",
        )


def _check_disk(backend: Backend, configs: Sequence[LoopConfig]) -> None:
    free = free_megabytes(backend.settings)
    if free is None:
        return
    wanted, kept_free = stored_megabytes(backend, configs), backend.settings.min_free_mb
    if wanted + kept_free > free:
        what = "This loop would" if len(configs) == 1 else f"These {len(configs)} loops would"
        raise OverQuota(
            f"{what} store about {wanted:,.0f} MB; {free:,.0f} MB are free, of which {kept_free:,.0f} MB stay free.",
            "Delete loops that are no longer needed and run `loopscope gc`, ask for fewer generations or samples, or "
            "lower LOOPSCOPE_MIN_FREE_MB.",
        )
