"""The tick of a running stage, or of several that run together."""

from collections.abc import Callable, Sequence

from backend.beating import LOOK_S, Beating, LastResort, Leaving, Verdict, end_process
from backend.context import Backend
from backend.reclaiming import hung
from backend.stages import Lease, heartbeat, look, release

__all__ = ["LOOK_S", "Leaving", "StageTick"]


class StageTick(Beating):
    """Beats for the leases of one stage each; what stops one of them stops the work."""

    def __init__(
        self,
        backend: Backend,
        *leases: Lease,
        leaving: Callable[[], bool] = lambda: False,
        end: Callable[[], None] = end_process,
    ) -> None:
        def beat(fraction: float, sentence: str) -> Verdict:
            return _worst([heartbeat(backend, lease, fraction, sentence) for lease in leases])

        def tell_hung(silent_s: float) -> None:
            for lease in leases:
                hung(backend, lease, silent_s)

        def give_back() -> None:
            for lease in leases:
                release(backend, lease, resend=True)

        super().__init__(
            beat, lambda: _worst([look(backend, lease) for lease in leases]), leases[0].stage, leaving,
            LastResort(backend.settings.hang_after_s, tell_hung, give_back, end),
        )  # fmt: skip


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("lost", "cancel", "go")
    return min(verdicts, key=order.index)
