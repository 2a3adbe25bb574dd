"""The work of an audit. A worker does it, or the command line in its own process."""

from collections.abc import Callable
from typing import Any

import numpy as np

from backend import jobwork
from backend.audits import AuditConfig
from backend.context import Backend
from backend.jobs import AUDIT
from backend.journal import finite
from backend.parts import build_domain
from backend.shelf import SqlShelf
from backend.tables import Loop
from core.config import LoopConfig, parse
from core.errors import InvalidConfig
from core.protocols import Reference, Tick, silent
from core.seeds import seed_for
from core.threads import threads
from corrector.audit import Audit, Given, audit

HELD_OUT_DRAW = 4
"""Draw 0 of the held-out windows is the evaluator's reference, the next three are its floors."""


def compute(backend: Backend, config: AuditConfig, *, device: str = "auto", tick: Tick = silent) -> Audit:
    """The audit of a checked config.

    Raises:
        InvalidConfig: when the data set's evaluator shows no features.
    """
    from corrector.registry import CORRECTORS
    from model.domains import dataset_of

    assert config.data is not None  # checked configs name it
    form = LoopConfig(n=config.real, data=config.data)
    domain = build_domain(form, backend.memo, device)
    domain.generator()  # brings torch with it, which is held back only once it is there
    with threads(1):
        real = domain.real(config.real)
        judge: Any = domain.evaluator(jobwork.share(tick, 0.0, 0.05))
        part = CORRECTORS[config.corrector.kind]
        options = parse(part.options, config.corrector.options, "corrector.options")
        corrector = part.build(options, Reference(real, f"{domain.digest}-{config.real}", backend.memo))
        generated = [
            _generated(backend, config, t, device, jobwork.share(tick, 0.05, 0.06)) for t in config.generations
        ]
        return audit(
            corrector, judge, real, dataset_of(config.data).held_out(config.n, HELD_OUT_DRAW), generated=generated,
            perturbations=config.perturbations, seed=config.seed, tick=jobwork.share(tick, 0.06, 1.0),
        )  # fmt: skip


def _generated(backend: Backend, config: AuditConfig, t: int, device: str, tick: Tick) -> Given:
    """n samples of generation t's model, drawn as it would draw the next generation's training set."""
    with backend.database.read() as session:
        row = session.get(Loop, config.loop)
    if row is None:
        raise InvalidConfig(f"The loop {config.loop!r} is not there any more.", "Choose another one.", "loop")
    loop = LoopConfig.model_validate(row.config)
    domain = build_domain(loop, backend.memo, device)
    classes = np.unique(domain.real(loop.n).labels)
    samples = domain.generator().sample(
        SqlShelf(backend, config.loop).load(t, "model"),
        classes[np.arange(config.n) % len(classes)],
        guidance=loop.sampling.guidance_synthesis,
        seed=seed_for(config.seed, t, "audit"),
        tick=tick,
    )
    return Given(f"generation-{t}", f"{row.name}, generation {t}", "generated", samples)


def work(
    backend: Backend,
    audit_id: str,
    *,
    worker: str = "here",
    device: str = "auto",
    leaving: Callable[[], bool] = lambda: False,
    also: Tick = silent,
) -> bool:
    """Do an audit, if it is still to be done; see :func:`backend.jobwork.work`."""

    def do(asked: dict[str, Any], tick: Tick) -> jobwork.Outcome:
        return outcome_of(compute(backend, AuditConfig.model_validate(asked), device=device, tick=tick))

    return jobwork.work(backend, AUDIT, audit_id, do, worker=worker, leaving=leaving, also=also)


def outcome_of(result: Audit) -> jobwork.Outcome:
    """What is published of an audit."""
    return jobwork.Outcome({"result": finite(result.model_dump(mode="json"))})
