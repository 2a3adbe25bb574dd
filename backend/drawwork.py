"""The work of a draw: sample, find the nearest real motions, correct. A worker does it, or the command line here."""

from collections.abc import Callable
from typing import Any

import numpy as np

from backend import jobwork
from backend.context import Backend
from backend.drawing import DrawRequest, name_of
from backend.jobs import DRAW
from backend.journal import finite, get_loop
from backend.parts import build_run
from backend.shelf import SqlShelf
from backend.tables import Artifact
from core.config import LoopConfig
from core.panel import names_of_samples, prompted, shown
from core.protocols import Tick, silent
from core.records import Item
from core.seeds import seed_for
from core.threads import threads

DRAWN = 0.3  # share of the time after which samples are drawn; the rest corrects them


def compute(
    backend: Backend, request: DrawRequest, *, device: str = "auto", tick: Tick = silent
) -> tuple[Item, list[dict[str, Any]]]:
    """The motions of a checked request (arrays ``real.*``, ``raw.*``, ``corrected.*``), and what became of each.

    Noise depends on the request's seed only, so that generations and loops can be compared.

    Raises:
        NotFound, DataMissing: when the loop or the checkpoint is gone.
    """
    with backend.database.read() as session:
        config = LoopConfig.model_validate(get_loop(session, request.loop).config)
    run = build_run(config, shelf=SqlShelf(backend, request.loop), memo=backend.memo, tick=tick, device=device)
    domain, generator, model = run.domain, run.domain.generator(), run.shelf.load(request.generation, "model")
    assert request.guidance_scale is not None  # checked requests name it
    how: dict[str, Any] = {
        "guidance": request.guidance_scale, "seed": seed_for(request.seed, 0, "draw"),
        "tick": jobwork.share(tick, 0.0, DRAWN),
    }  # fmt: skip
    with threads(1):  # after the generator, which brings torch with it
        prompts = [request.prompt] * request.count if request.prompt else []
        if prompts:
            raw = prompted(generator, model, prompts, **how)
        else:
            label = list(domain.class_names).index(request.label) if request.label else 0
            raw = generator.sample(model, np.full(request.count, label, np.int64), **how)
        items = shown(
            domain, domain.real(config.n), raw, run.eye, seed=seed_for(request.seed, 0, "draw-correct"),
            tick=jobwork.share(tick, DRAWN, 1.0),
        )  # fmt: skip
    names, outcomes = names_of_samples(domain, items["raw"].arrays, prompts), items["corrected"].meta["outcomes"]
    arrays = {f"{kind}.{name}": values for kind, item in items.items() for name, values in item.arrays.items()}
    told = [{"label": name, "outcome": finite(outcome)} for name, outcome in zip(names, outcomes, strict=True)]
    return Item(arrays, {"body": domain.body(), "request": request.model_dump(mode="json")}), told


def work(
    backend: Backend,
    draw_id: str,
    *,
    worker: str = "here",
    device: str = "auto",
    leaving: Callable[[], bool] = lambda: False,
    also: Tick = silent,
) -> bool:
    """Do a draw, if it is still to be done; see :func:`backend.jobwork.work`."""

    def do(asked: dict[str, Any], tick: Tick) -> jobwork.Outcome:
        request = DrawRequest.model_validate(asked)
        item, samples = compute(backend, request, device=device, tick=tick)
        stored = backend.store.put(item)
        artifact = Artifact(
            loop_id=request.loop, generation=request.generation, name=name_of(draw_id), digest=stored.digest,
            size=stored.size, facts={},
        )  # fmt: skip
        return jobwork.Outcome({"samples": samples}, (artifact,))

    return jobwork.work(backend, DRAW, draw_id, do, worker=worker, leaving=leaving, also=also)
