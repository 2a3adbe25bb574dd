"""One stage, from lease to published outcome. The one place where an error becomes a loop's state."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend import logs
from backend.beating import Beating, LastResort
from backend.context import Backend
from backend.diagnosis import check_space, in_one_line, ran_out_of_memory, trouble_of
from backend.loops import BODY
from backend.memo import WAITING
from backend.parts import build_run
from backend.queue import ListQueue
from backend.shelf import SqlShelf
from backend.stages import RUNNABLE, Lease, claim, publish, release
from backend.tables import Loop
from backend.troubles import give_up, insist_on_publishing
from backend.turns import claim_next
from core.blocks import BLOCK
from core.config import LoopConfig
from core.errors import Cancelled, LeaseLost, LoopscopeError
from core.loop import Run, parts_of, perform
from core.panel import names_of_samples
from core.protocols import Tick
from core.records import Item
from core.threads import threads
from worker.block import run_block_stage
from worker.memory import free_memory
from worker.tick import Leaving, StageTick

log = logging.getLogger(__name__)


def run_next(
    backend: Backend,
    queue: str,
    *,
    worker: str = "here",
    device: str = "auto",
    leaving: Callable[[], bool] = lambda: False,
) -> bool:
    """Do the stage of a queue whose turn it is, if any; returns whether it was published. Raises nothing."""
    if leaving():
        return False  # the reconciler sends again
    try:
        lease = claim_next(backend, queue, worker)
    except SQLAlchemyError as error:
        log.warning("Nothing is taken from %s: %s", queue, in_one_line(error))
        return False
    return lease is not None and _run(backend, lease, worker=worker, device=device, leaving=leaving)


def run_stage(
    backend: Backend,
    loop_id: str,
    generation: int,
    stage: str,
    part: int,
    *,
    worker: str = "here",
    device: str = "auto",
    leaving: Callable[[], bool] = lambda: False,
) -> bool:
    """Do a certain stage, if it is still to be done; returns whether it was published. Raises nothing that a stage
    raises."""
    lease = claim(backend, loop_id, generation, stage, part, worker)
    if lease is None:
        log.info("%s of generation %d of loop %s is not to be had", stage, generation, loop_id)
        return False
    return _run(backend, lease, worker=worker, device=device, leaving=leaving)


def _run(backend: Backend, lease: Lease, *, worker: str, device: str, leaving: Callable[[], bool]) -> bool:
    ids = {
        "loop": lease.loop_id, "generation": lease.generation, "stage": lease.stage, "part": lease.part,
        "attempt": lease.attempt,
    }  # fmt: skip
    with logs.about(**ids):
        try:
            if lease.stage == BLOCK:
                return run_block_stage(backend, lease, worker=worker, device=device, leaving=leaving)
            return _run_one(backend, lease, device, leaving)
        except SQLAlchemyError as error:  # nobody can be told: the silence of this lease will be noticed
            log.warning("SQL does not answer; the stage will be taken up again: %s", in_one_line(error))
            return False


def _run_one(backend: Backend, lease: Lease, device: str, leaving: Callable[[], bool]) -> bool:
    with StageTick(backend, lease, leaving=leaving) as tick:
        try:
            check_space(backend.settings)
            _do_stage(backend, lease, tick, device)
        except Cancelled:
            tick.stop()
            release(backend, lease)
        except Leaving:
            tick.stop()
            release(backend, lease, resend=True)
        except LeaseLost as error:
            log.warning("%s", error)
        except Exception as error:  # the boundary: whatever a stage raises becomes the loop's state
            if trouble_of(error, backend.settings) is None:
                log.exception("%s of generation %d of loop %s failed", lease.stage, lease.generation, lease.loop_id)
            tick.stop()
            give_up(backend, lease, error, traceback.format_exc())
            if ran_out_of_memory(error):
                free_memory()
        else:
            return True
    return False


def _do_stage(backend: Backend, lease: Lease, tick: Tick, device: str) -> None:
    began, shelf = time.perf_counter(), SqlShelf(backend, lease.loop_id)
    run = build_run(lease.config, shelf=shelf, memo=backend.memo, tick=tick, device=device)
    perform(run, lease.generation, lease.stage, lease.part)
    samples = _keep_panel(run, shelf, lease) if lease.stage == "panel" else []
    seconds = time.perf_counter() - began
    insist_on_publishing(
        backend,
        lease,
        lambda: publish(
            backend, lease, shelf.pending, lambda following: parts_of(run, following), seconds=seconds, samples=samples
        ),
    )


def prepare(
    backend: Backend,
    loop_id: str,
    what: str,
    *,
    device: str = "auto",
    leaving: Callable[[], bool] = lambda: False,
) -> None:
    """Compute ahead what a loop's stages will ask the memo for; ``what`` is one of :data:`backend.queue.PREPARED`.

    Losing this is harmless, and so are its errors: the stage that needs the thing computes it, or fails in words.
    """
    try:
        with backend.database.read() as session:
            loop = session.get(Loop, loop_id)
    except SQLAlchemyError as error:
        log.warning("Nothing prepared for loop %s: %s", loop_id, in_one_line(error))
        return
    if loop is None or loop.state not in RUNNABLE:
        return

    nothing = LastResort(backend.settings.hang_after_s, lambda _: None, lambda: None)
    with Beating(lambda *_: "go", lambda: "go", "preparation", leaving, nothing) as beating:

        def tick(fraction: float, sentence: str) -> None:
            beating(fraction, sentence)
            if leaving() or sentence == WAITING:  # somebody is at it: this process has better things to do
                raise Leaving

        try:
            config = LoopConfig.model_validate(loop.config)
            shelf = SqlShelf(backend, loop_id)
            run = build_run(config, shelf=shelf, memo=backend.memo, tick=tick, device=device)
            if what == "evaluator":
                run.domain.generator()  # brings torch with it, which is held back only once it is there
            with threads(1):
                if what == "evaluator":
                    run.domain.evaluator(tick).floor(config.evaluation.samples)
                else:
                    real = run.domain.real(config.n)
                    (run.corrector or run.panel_corrector).correct(real, rows=slice(0, 1), tick=tick)
        except Leaving:
            pass
        except (LoopscopeError, SQLAlchemyError, OSError) as error:
            log.warning("Nothing prepared for loop %s: %s", loop_id, in_one_line(error))


def drain(backend: Backend, limit: int = 10_000) -> int:
    """Do everything that waits in a :class:`backend.queue.ListQueue`, in this process; returns how many stages."""
    if not isinstance(backend.queue, ListQueue):
        raise TypeError("only a queue in memory can be drained")
    count = 0
    while backend.queue.messages and count < limit:
        message = backend.queue.messages.pop(0)
        run_stage(backend, message.loop_id, message.generation, message.stage, message.part)
        count += 1
    return count


def _keep_panel(run: Run, shelf: SqlShelf, lease: Lease) -> list[tuple[str, Mapping[str, Any]]]:
    """(what it was asked by, outcome) per panel sample: its class, with its caption where it was drawn by one, or the
    words of a prompt. Beside the panel, what a viewer needs to play it without the data set."""
    shelf.save(lease.generation, BODY, Item(meta=run.domain.body()))
    corrected = shelf.load(lease.generation, "panel-corrected")
    names = names_of_samples(run.domain, corrected.arrays, run.config.evaluation.prompts)
    return list(zip(names, corrected.meta["outcomes"], strict=True))
