"""Loops of motion whose models have hardly learned, to draw from."""

from typing import Any

from backend import loops
from backend.context import Backend
from backend.parts import build_domain
from backend.shelf import SqlShelf
from backend.tables import Artifact
from core.config import LoopConfig, with_changes
from tests.app.seeding import keep_motions, record, small

TEXT = {"width": 32, "layers": 1, "components": 16, "condition": "text", "encoder": "words"}
CLASS = {"width": 32, "layers": 1, "components": 16}


def drawable(backend: Backend, model: dict[str, Any] = CLASS, *, name: str = "Tiny", last: int = 1) -> str:
    """Id of a loop with panels of generations 0 to ``last``, and one and the same model in each."""
    kinematic = {"kind": "kinematic", "options": {}}
    config = with_changes(
        small(), {"model.options": model, "evaluation.panel_corrector": kinematic, "sampling.steps": 2}
    )
    view = record(backend, loops.launch(backend, config, name=name), last)
    keep_motions(backend, view, last)
    config = LoopConfig.model_validate(view.config)
    domain, shelf = build_domain(config, backend.memo, "cpu"), SqlShelf(backend, view.id)
    shelf.save(0, "model", domain.generator().fit(domain.real(64), start=None, scratch=False, steps=2, seed=0))
    stored = shelf.pending[0, "model"].stored
    with backend.database.write() as session:
        for t in range(last + 1):
            session.merge(
                Artifact(loop_id=view.id, generation=t, name="model", digest=stored.digest, size=stored.size, facts={})
            )
    return view.id
