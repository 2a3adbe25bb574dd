"""Puts right what messages and processes got wrong: silent workers, lost messages, loops that wait to be cancelled."""

import logging
import threading
import time
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from backend import auditwork
from backend.context import Backend
from backend.loops import purge
from backend.queue import CPU, GPU
from backend.stages import reclaim, resend, settle_all
from backend.tables import Leader, utc_now

log = logging.getLogger(__name__)

PERIOD_S = 2.0
LEAD_S = 5.0
RESEND_AFTER_S = 10.0
PURGE_EVERY_S = 3600.0
JOB = "reconciler"


def lead(backend: Backend, holder: str) -> bool:
    """Whether ``holder`` is the one process that reconciles; it stays so while it asks at least every LEAD_S."""
    now = utc_now()
    until = now + timedelta(seconds=LEAD_S)
    with backend.database.write() as session:
        won = session.execute(
            update(Leader)
            .where(Leader.name == JOB, (Leader.holder == holder) | (Leader.until < now))
            .values(holder=holder, until=until)
        )
        if won.rowcount:  # type: ignore[attr-defined]
            return True
        if session.scalar(select(Leader.holder).where(Leader.name == JOB)) is not None:
            return False
    try:
        with backend.database.write() as session:
            session.add(Leader(name=JOB, holder=holder, until=until))
    except IntegrityError:
        return False  # another one was quicker
    return True


def reconcile(backend: Backend) -> None:
    """One round."""
    lost = reclaim(backend)
    if lost:
        log.warning("%d stages were taken back from silent workers", lost)
    auditwork.reclaim(backend)
    settle_all(backend)
    for queue in (GPU, CPU):
        # A queue that is not empty will wake somebody; an empty one beside waiting stages has lost messages.
        if backend.queue.waiting(queue) == 0:
            resend(backend, queue, RESEND_AFTER_S)
            if queue == CPU:
                auditwork.resend(backend, RESEND_AFTER_S)


class Reconciler(threading.Thread):
    """Reconciles for ever, as long as no other process does."""

    def __init__(self, backend: Backend, holder: str) -> None:
        super().__init__(name="reconciler", daemon=True)
        self._backend, self._holder = backend, holder
        self._purged_at = 0.0

    def run(self) -> None:
        while True:
            try:
                if lead(self._backend, self._holder):
                    reconcile(self._backend)
                    self._purge_now_and_then()
            except (SQLAlchemyError, OSError) as error:
                log.warning("Could not reconcile: %s", error)
            time.sleep(PERIOD_S)

    def _purge_now_and_then(self) -> None:
        if time.monotonic() - self._purged_at > PURGE_EVERY_S or not self._purged_at:
            self._purged_at = time.monotonic()
            purge(self._backend)
