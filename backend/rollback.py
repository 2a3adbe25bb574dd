"""Going back: a loop that has ended forgets its later generations, and resume makes them anew from there."""

from typing import Literal

from sqlalchemy import func, select

from backend import tripping
from backend.context import Backend
from backend.journal import lock_loop, touch
from backend.loops import show_loop
from backend.tables import Generation, Stage
from backend.views import ACTIVE, LoopView
from core.errors import Conflict, NotFound


def rollback(backend: Backend, loop_id: str, to: int | Literal["best"], metric: str = "") -> LoopView:
    """Remove what a loop made after generation ``to``, or after the best of a metric (default: its domain's first).

    Raises:
        Conflict: when it is at work or deleted.
        NotFound: when that generation is not recorded.
        InvalidConfig: for a metric that is none, or without a finite value.
    """
    backend.gate.require("runner")
    with backend.database.write() as session:
        loop = lock_loop(session, loop_id)
        if loop.deleted_at is not None:
            raise Conflict(f"The loop {loop.name!r} is deleted.", "Restore it first.")
        if loop.state in ACTIVE:
            raise Conflict(f"The loop {loop.name!r} is {loop.state}.", "Cancel it first, then roll it back.")
        target = tripping.best_generation(session, loop, metric)[1] if to == "best" else to
        if session.get(Generation, (loop.id, target)) is None:
            recorded = f"Generations 0 to {loop.generation} are." if loop.generation >= 0 else "None is yet."
            raise NotFound(f"Generation {target} of {loop.name!r} is not recorded.", recorded)
        beyond = session.scalar(
            select(func.count()).select_from(Stage).where(Stage.loop_id == loop.id, Stage.generation > target)
        )
        if beyond or loop.generation > target:
            tripping.cut(session, loop, target)
            if loop.state != "cancelled":
                rule = (loop.stop or {}).get("rule", "")
                loop.stop = {"rule": rule, "sentence": "rolled back", "generation": target, "best": target}
                loop.state, loop.error = "stopped", None
            touch(session, loop)
    return show_loop(backend, loop_id)
