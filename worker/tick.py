"""The tick of a running stage."""

from collections.abc import Callable
from functools import partial

from backend.beating import LOOK_S, Beating, Leaving
from backend.context import Backend
from backend.stages import Lease, heartbeat, look

__all__ = ["LOOK_S", "Leaving", "StageTick"]


class StageTick(Beating):
    """Beats for the lease of one stage."""

    def __init__(self, backend: Backend, lease: Lease, leaving: Callable[[], bool] = lambda: False) -> None:
        super().__init__(partial(heartbeat, backend, lease), partial(look, backend, lease), "stage", leaving)
