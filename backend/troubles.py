"""Trouble that time cures: the stage waits and is tried again, which does not count as an attempt."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from backend.context import Backend
from backend.diagnosis import Trouble, is_database_trouble, trouble_of
from backend.journal import note, sql_now, touch
from backend.stages import RUNNABLE, Lease, fail, leased, published, running_parts, settle, what_of
from backend.tables import Event, Loop
from core.errors import LeaseLost

log = logging.getLogger(__name__)

FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 60.0
INSIST_S = 60.0

T = TypeVar("T")


def insist(call: Callable[[], T], for_s: float = INSIST_S) -> T:
    """Call again while SQL is away or locked, at most for so long; then its error is raised."""
    retrying = Retrying(
        retry=retry_if_exception(is_database_trouble),
        stop=stop_after_delay(for_s),
        wait=wait_random_exponential(multiplier=0.2, max=3.0),
        reraise=True,
    )
    return retrying(call)


def insist_on_publishing(backend: Backend, lease: Lease, publish: Callable[[], None]) -> None:
    """Publish, whatever SQL does for a minute.

    Raises:
        LeaseLost: when another worker holds the stage by now.
    """
    try:
        insist(publish)
    except LeaseLost:
        if not insist(lambda: published(backend, lease)):  # committed, but the answer was lost with the connection
            raise


def give_up(backend: Backend, lease: Lease, error: Exception, traceback: str) -> None:
    """A stage raised: its loop waits for what time cures, else the attempt has failed."""
    trouble = trouble_of(error, backend.settings)
    if trouble is None:
        insist(lambda: fail(backend, lease, error, traceback))
    else:
        log.warning("%s of loop %s waits: %s", what_of(lease.stage, lease.generation), lease.loop_id, trouble.message)
        insist(lambda: postpone(backend, lease, trouble))


def postpone(backend: Backend, lease: Lease, trouble: Trouble, after_s: float | None = None) -> None:
    """Put a stage back until later; the loop says what it waits for.

    Args:
        after_s: how long to wait; by itself twice as long each time, up to LONGEST_WAIT_S.
    """
    with backend.database.write() as session:
        try:
            loop, row = leased(session, lease)
        except LeaseLost:
            return
        now, known = sql_now(session), loop.trouble or {}
        tries = int(known.get("tries", 0)) if known.get("code") == trouble.code else 0
        wait_s = min(FIRST_WAIT_S * 2 ** min(tries, 8), LONGEST_WAIT_S) if after_s is None else after_s
        row.state, row.token, row.attempt = "queued", "", row.attempt - 1
        row.sent_at, row.retry_at = now, now + timedelta(seconds=wait_s)
        row.fraction, row.sentence = 0.0, ""
        session.flush()
        if loop.state in RUNNABLE:
            loop.state = "running" if running_parts(session, loop) else "interrupted"
            loop.trouble = trouble.plain | {"tries": tries + 1}
            _note_once(session, loop, lease, f"Waits: {trouble.title}; it goes on by itself.")
        settle(session, loop)
        touch(session, loop)


def _note_once(session: Session, loop: Loop, lease: Lease, sentence: str) -> None:
    """Add the event, unless it is what was told last."""
    last = session.scalar(select(Event).where(Event.loop_id == loop.id).order_by(Event.id.desc()).limit(1))
    if last is None or last.sentence != sentence:
        note(session, loop, "waiting", sentence, lease.generation, lease.stage)
