"""One lease on many generations, for loops whose generations take milliseconds; loops that can run as one do."""

import logging
import time
import traceback
from collections.abc import Callable, Sequence

from backend.beating import Leaving
from backend.blocks import publish_block, siblings_of
from backend.context import Backend
from backend.diagnosis import check_space, ran_out_of_memory, trouble_of
from backend.parts import build_run
from backend.shelf import SqlShelf
from backend.stages import Lease, claim, release
from backend.troubles import give_up, insist_on_publishing
from core.blocks import BLOCK, BLOCK_S, Block, run_block
from core.errors import Cancelled, LeaseLost
from core.loop import Run
from core.protocols import Tick
from core.stack import run_stack
from worker.memory import free_memory
from worker.tick import StageTick

log = logging.getLogger(__name__)


def run_block_stage(backend: Backend, lease: Lease, *, worker: str, device: str, leaving: Callable[[], bool]) -> bool:
    """Run and publish generations of a loop, and of those that wait beside it and can run with it.

    What ends a block after its first generation (a cancel, an error) keeps those before it; the next block tells of
    an error. Where a stack gets nowhere, its first loop goes on alone and the others are given back.

    Returns:
        Whether the block of ``lease`` was published. Raises nothing that a stage raises.
    """
    others = [claim(backend, loop, lease.generation, BLOCK, 0, worker) for loop in siblings_of(backend, lease)]
    leases = [lease, *(other for other in others if other is not None)]
    if len(leases) > 1:
        done = _try(backend, leases, device, leaving)
        if done is not None:
            return done
        for other in leases[1:]:
            release(backend, other, resend=True)
    return bool(_try(backend, [lease], device, leaving))


def _try(backend: Backend, leases: Sequence[Lease], device: str, leaving: Callable[[], bool]) -> bool | None:
    """Whether the first lease's block was published; None where a stack has to be taken apart."""
    with StageTick(backend, *leases, leaving=leaving) as tick:
        try:
            check_space(backend.settings)
            began = time.perf_counter()
            runs = [_run_of(backend, lease, tick, device) for lease in leases]
            blocks = _blocks(runs, leases[0].generation)
            seconds = (time.perf_counter() - began) / len(leases)
            published = [
                _publish(backend, lease, run, block, seconds)
                for lease, run, block in zip(leases, runs, blocks, strict=True)
            ]
        except (Cancelled, LeaseLost, Leaving) as error:
            tick.stop()
            for lease in leases:  # whoever lost its lease has nothing to give back; whoever was cancelled rests
                release(backend, lease, resend=isinstance(error, Leaving))
            return False
        except Exception as error:  # the boundary: whatever a stage raises becomes the loop's state
            tick.stop()
            if len(leases) > 1:
                log.info("%d loops cannot go on together: %r", len(leases), error)
                return None
            if trouble_of(error, backend.settings) is None:
                log.exception("Generation %d of loop %s failed", leases[0].generation, leases[0].loop_id)
            give_up(backend, leases[0], error, traceback.format_exc())
            if ran_out_of_memory(error):
                free_memory()
            return False
    return published[0]


def _run_of(backend: Backend, lease: Lease, tick: Tick, device: str) -> Run:
    shelf = SqlShelf(backend, lease.loop_id)
    return build_run(lease.config, shelf=shelf, memo=backend.memo, tick=tick, device=device)


def _blocks(runs: Sequence[Run], first: int) -> list[Block]:
    if len(runs) == 1:
        return [run_block(runs[0], first, seconds=BLOCK_S)]
    return run_stack(runs, first, seconds=BLOCK_S)


def _publish(backend: Backend, lease: Lease, run: Run, block: Block, seconds: float) -> bool:
    try:
        insist_on_publishing(
            backend, lease, lambda: publish_block(backend, lease, block, body=run.domain.body(), seconds=seconds)
        )
    except LeaseLost as error:
        log.warning("%s", error)
        return False
    return True
