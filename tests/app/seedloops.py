"""Loops of many seeds at once that nobody has run: rows of their means and of every seed."""

from typing import Any

import numpy as np

from backend import loops
from backend.context import Backend
from backend.parts import read_config
from backend.tables import Generation, Loop, MetricValue, TraceValue, utc_now
from backend.views import LoopView
from core.config import LoopConfig

SEEDS = 40


def gaussian(**changes: Any) -> LoopConfig:
    """A small loop of the Gaussian domain; ``lam`` and ``gamma`` make it augment and correct."""
    plain: dict[str, Any] = {"domain": "gaussian", "n": 100, "generations": 30, "replicates": SEEDS}
    if "lam" in changes:
        plain["policy"] = {"kind": "augment", "options": {"lam": changes.pop("lam")}}
    if "gamma" in changes:
        plain["corrector"] = {"kind": "idealized", "options": {"gamma": changes.pop("gamma")}}
    return read_config(plain | changes)


def values_of(seed: int, last: int, seeds: int) -> np.ndarray:
    """(T, S) numbers that drift apart."""
    rng = np.random.default_rng(seed)
    return np.asarray(1.0 + np.abs(rng.normal(size=(last + 1, seeds))).cumsum(0) * 0.01)


def keep_seeds(backend: Backend, config: LoopConfig, name: str, *, last: int = 4, group: str = "") -> LoopView:
    """A finished loop with the metrics w2 and variance, of as many seeds as its config says."""
    view = loops.launch(backend, config, name=name, group=group)
    with backend.database.write() as session:
        for k, metric in enumerate(("w2", "variance")):
            values = values_of(config.seed + k, last, config.replicates)
            for t in range(last + 1):
                if not k:
                    session.merge(
                        Generation(loop_id=view.id, index=t, counts={"real": config.n}, training={}, seconds={},
                                   recorded_at=utc_now())
                    )  # fmt: skip
                session.merge(MetricValue(loop_id=view.id, generation=t, name=metric, value=float(values[t].mean())))
                if config.replicates > 1:
                    session.merge(TraceValue(loop_id=view.id, generation=t, name=metric, values=values[t].tolist()))
        loop = session.get_one(Loop, view.id)
        loop.generation, loop.state, loop.started_at, loop.finished_at = last, "done", utc_now(), utc_now()
    return loops.show_loop(backend, view.id)
