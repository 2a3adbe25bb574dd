"""A data folder with loops in it that nobody has run: rows and, where asked for, motions of a panel."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from backend import loops
from backend.context import Backend, open_backend
from backend.journal import note, touch
from backend.queue import Message
from backend.settings import Settings
from backend.tables import Artifact, Generation, Loop, MetricValue, PanelSample, Stage, utc_now
from backend.views import LoopView
from core.config import LoopConfig, PartConfig
from core.records import Item

FLOOR = {"fid": [2.0, 2.4], "multimodality": [6.0, 6.2], "coverage": [0.9], "recall": [0.88], "skate": [0.47, 0.49]}
NOISE = {
    "fid": [4.0, 4.4, 3.8], "fid_snapped": [3.0, 3.3, 2.9], "mode_share": [0.9, 0.92, 0.88],
    "multimodality": [6.0, 6.1, 5.8], "validity_share": [0.2, 0.22, 0.19],
}  # fmt: skip
CAVEAT = "Too few for a covariance."


@dataclass
class Silent:
    """A queue that wakes nobody."""

    sent: list[Message] = field(default_factory=list)
    audits: list[str] = field(default_factory=list)
    draws: list[str] = field(default_factory=list)

    def send(self, messages: Sequence[Message]) -> None:
        self.sent += messages

    def prepare(self, loop_id: str) -> None:
        del loop_id

    def audit(self, audit_id: str) -> None:
        self.audits.append(audit_id)

    def draw(self, draw_id: str) -> None:
        self.draws.append(draw_id)

    def waiting(self, queue: str) -> int | None:
        return sum(message.queue == queue for message in self.sent)

    def close(self) -> None:
        self.sent.clear()


def open_silent(home: Path) -> Backend:
    return open_backend(Settings(home=home), queue=Silent())


def record(backend: Backend, view: LoopView, last: int, *, state: str = "done", drift: float = 0.3) -> LoopView:
    """Generations 0 to ``last`` of a launched loop; ``drift``: how fast its metrics go wrong."""
    config = LoopConfig.model_validate(view.config)
    rng = np.random.default_rng(config.seed)
    with backend.database.write() as session:
        loop = session.get_one(Loop, view.id)
        for t in range(last + 1):
            worse = 1.0 + drift * t + 0.02 * t * float(rng.normal())
            metrics = {
                "fid": 4.0 * worse**1.6, "multimodality": 6.0 / worse, "coverage": 0.9 / worse, "recall": 0.88 / worse,
                "precision": 0.9, "accuracy": 0.95, "penetration": 9.0 * worse**0.4, "skate": 0.48 * worse**0.3,
                "float": 12.0, "jerk": 90.0 * worse**0.2, "tail": 0.05 * worse,
            }  # fmt: skip
            counts = {"real": config.n, "synthetic": config.n if t else 0}
            if config.corrector.kind != "none" and t:
                counts |= {"corrected": config.n - 9, "unchanged": 6, "rejected": 3}
            seconds = {"synthesize": 0.6, "correct": 6.0, "learn": 2.1, "panel": 1.4, "evaluate": 1.1}
            session.merge(
                Generation(
                    loop_id=view.id,
                    index=t,
                    counts=counts,
                    training={"loss": 0.2 / (t + 1), "steps": 60},
                    seconds=seconds,
                    recorded_at=utc_now(),
                )  # fmt: skip
            )
            for name, value in metrics.items():
                session.merge(MetricValue(loop_id=view.id, generation=t, name=name, value=value))
            for index, label in enumerate(("walk", "run", "backflip", "crawl")):
                session.merge(
                    PanelSample(loop_id=view.id, generation=t, index=index, label=label, outcome=outcome(index, worse))
                )
        facts = {"floor": FLOOR}
        session.merge(Artifact(loop_id=view.id, generation=0, name="metrics", digest="0" * 64, size=0, facts=facts))
        loop.generation, loop.state = last, state
        loop.started_at = loop.created_at
        loop.finished_at = utc_now() + timedelta(seconds=70) if state == "done" else None
        note(session, loop, "recorded", f"Generation {last} recorded.", last)
        touch(session, loop)
    return loops.show_loop(backend, view.id)


def judged(backend: Backend, view: LoopView, *, artefacts: bool, last: int = 3) -> LoopView:
    """A recorded loop that says what drifts: artefacts, or else its modes."""
    view = record(backend, view, last)
    with backend.database.write() as session:
        for t in range(last + 1):
            fid = 4.0 + 8.0 * t
            values = {"fid": fid, "fid_snapped": 3.0 if artefacts else fid - 1.0, "multimodality": 6.0}
            values |= {"mode_share": 0.9 if artefacts else 0.9 - 0.25 * t, "validity_share": 0.8 if artefacts else 0.1}
            for name, value in values.items():
                session.merge(MetricValue(loop_id=view.id, generation=t, name=name, value=value))
        row = session.get_one(Artifact, (view.id, 0, "metrics"))
        row.facts = {"floor": FLOOR, "noise": NOISE, "caveats": {"fid": CAVEAT}}
    return loops.show_loop(backend, view.id)


def outcome(index: int, worse: float = 1.0) -> dict[str, Any]:
    before = {"penetration_mm": 9.0 * worse, "float_mm": 12.0, "skate_m_s": 0.5 * worse, "jerk_m_s3": 90.0}
    after = {"penetration_mm": 3.0, "float_mm": 11.0, "skate_m_s": 0.3, "jerk_m_s3": 84.0}
    if index == 2:
        return {"status": "rejected", "reason": "the body fell at 1.2 s", "moved_m": 0.0, "residual_force_bw": 0.0,
                "before": before, "after": before}  # fmt: skip
    return {"status": "corrected", "reason": "", "moved_m": 0.021, "residual_force_bw": 0.06,
            "before": before, "after": after}  # fmt: skip


def running(backend: Backend, view: LoopView, generation: int, stage: str = "learn") -> None:
    """A stage at work, 38 of 60 steps done."""
    now = utc_now()
    with backend.database.write() as session:
        loop = session.get_one(Loop, view.id)
        loop.state, loop.started_at = "running", now
        session.merge(
            Stage(
                loop_id=view.id,
                generation=generation,
                stage=stage,
                part=0,
                state="running",
                attempt=1,
                token="t",
                worker="gpu@here",
                sent_at=now,
                heartbeat_at=now,
                started_at=now,
                fraction=0.63,
                sentence="step 38 of 60",
            )  # fmt: skip
        )
        touch(session, loop)


def failed(backend: Backend, view: LoopView, traceback: str) -> None:
    with backend.database.write() as session:
        loop = session.get_one(Loop, view.id)
        loop.state = "failed"
        loop.error = {
            "code": "training_diverged", "message": "Training diverged: the loss was nan at step 31.",
            "hint": "Lower the learning rate or clip gradients harder.", "traceback": traceback, "stage": "learn",
            "generation": 3,
        }  # fmt: skip
        touch(session, loop)


def keep_motions(backend: Backend, view: LoopView, last: int) -> None:
    """Panels that can be played: real windows, with noise and drift in place of a model."""
    from model.datasets.deepmimic import DeepMimicOptions, build

    data = build(DeepMimicOptions())
    real = data.train(4)
    body = {"skeleton": data.skeleton.as_dict(), "fps": data.fps, "class_names": list(data.class_names)}
    rng = np.random.default_rng(0)
    with backend.database.write() as session:
        for t in range(last + 1):
            arrays = real.arrays()
            raw = dict(arrays)
            sway = np.cumsum(rng.normal(size=arrays["root_position_m"].shape), axis=1) * 0.004 * (1 + t)
            raw["root_position_m"] = (arrays["root_position_m"] + sway - [0, 0.01 * t, 0]).astype(np.float32)
            corrected = dict(arrays)
            corrected["root_position_m"] = (arrays["root_position_m"] + 0.3 * sway).astype(np.float32)
            items = {"body": Item(meta=body), "panel-real": Item(arrays), "panel-raw": Item(raw),
                     "panel-corrected": Item(corrected, {"outcomes": [outcome(i) for i in range(4)]})}  # fmt: skip
            for name, item in items.items():
                stored = backend.store.put(item)
                session.merge(
                    Artifact(loop_id=view.id, generation=t, name=name, digest=stored.digest, size=stored.size, facts={})
                )


def small(seed: int = 0, **changes: Any) -> LoopConfig:
    return LoopConfig(n=64, seed=seed, policy=PartConfig(kind="replace")).model_copy(update=changes)
