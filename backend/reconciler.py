"""Puts right what messages and processes got wrong: silent workers, lost messages, loops that wait to be cancelled."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from backend import jobwork
from backend.context import Backend
from backend.diagnosis import in_one_line, is_database_trouble
from backend.jobs import KINDS
from backend.journal import sql_now
from backend.loops import purge
from backend.queue import CPU, GPU
from backend.reclaiming import mend_times, name_queues, reclaim, resend, settle_all, wake
from backend.tables import Leader

log = logging.getLogger(__name__)

PERIOD_S = 2.0
LEAD_S = 8.0
JUMP_S = 5.0  # a clock that moves so much more or less than time does has been set
RESEND_AFTER_S = 5.0
PURGE_EVERY_S = 3600.0
STOP_WITHIN_S = 5.0
JOB = "reconciler"


def lead(backend: Backend, holder: str) -> bool:
    """Whether ``holder`` is the one process that reconciles; it stays so while it asks at least every LEAD_S.

    A lease that ends later than a lease can was written before the clock was set back: it has ended.
    """
    with backend.database.read() as session:
        now = sql_now(session)
        found = session.execute(select(Leader.holder, Leader.until).where(Leader.name == JOB)).one_or_none()
    until, latest = now + timedelta(seconds=LEAD_S), now + timedelta(seconds=LEAD_S + JUMP_S)
    if found is None:
        try:
            with backend.database.write() as session:
                session.add(Leader(name=JOB, holder=holder, until=until))
        except IntegrityError:
            return False  # another one was quicker
        return True
    if found.holder != holder and now <= found.until <= latest:
        return False
    with backend.database.write() as session:
        won = session.execute(
            update(Leader)
            .where(Leader.name == JOB, (Leader.holder == holder) | (Leader.until < now) | (Leader.until > latest))
            .values(holder=holder, until=until)
        )
    return bool(won.rowcount)  # type: ignore[attr-defined]


def resign(backend: Backend, holder: str) -> None:
    """Let another process lead at once."""
    with backend.database.write() as session:
        now = sql_now(session)
        session.execute(
            update(Leader).where(Leader.name == JOB, Leader.holder == holder).values(until=now - timedelta(seconds=1))
        )


def reconcile(backend: Backend, *, trust_silence: bool = True) -> None:
    """One round.

    Args:
        trust_silence: whether a worker that has not been heard of is lost; not while the clock or SQL was disturbed.
    """
    name_queues(backend)
    mend_times(backend)
    if trust_silence:
        lost = reclaim(backend)
        if lost:
            log.warning("%d stages were taken back from silent workers", lost)
        jobwork.reclaim(backend)
    settle_all(backend)
    wake(backend)
    for queue in (GPU, CPU):
        # A queue that is not empty will wake somebody; an empty one beside waiting stages has lost messages.
        waiting = backend.queue.waiting(queue)
        if waiting is None:
            break  # asking a broker that is away takes seconds
        if waiting == 0:
            resend(backend, queue, RESEND_AFTER_S)
            jobwork.resend(backend, RESEND_AFTER_S, [kind for kind in KINDS if kind.queue == queue])


def clock_of(backend: Backend) -> datetime:
    """The time that leases are told by."""
    with backend.database.read() as session:
        return sql_now(session)


class Calm:
    """Whether silence means what it says: not for ``hold_s`` after the clock has jumped or SQL was away.

    Args:
        hold_s: enough for every living worker to be heard of again.
        steady: a clock that nobody sets, in seconds.
    """

    def __init__(self, hold_s: float, steady: Callable[[], float] = time.monotonic) -> None:
        self._hold_s, self._steady = hold_s, steady
        self._last: tuple[datetime, float] | None = None
        self._until = float("-inf")

    def look(self, now: datetime) -> bool:
        """Compare a clock that can be set with the steady one; whether all is calm."""
        steady = self._steady()
        if self._last is not None:
            jump_s = (now - self._last[0]).total_seconds() - (steady - self._last[1])
            if abs(jump_s) > JUMP_S:
                log.warning("The clock jumped by %.0f s: nothing is taken back for %.0f s", jump_s, self._hold_s)
                self.disturb()
        self._last = (now, steady)
        return steady >= self._until

    def disturb(self) -> None:
        """Something else kept workers from being heard."""
        self._until = self._steady() + self._hold_s


class Reconciler:
    """Reconciles in a thread of its own until stopped, whenever no other process does. No error ends it."""

    def __init__(
        self,
        backend: Backend,
        holder: str,
        *,
        period_s: float = PERIOD_S,
        clock: Callable[[Backend], datetime] = clock_of,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend, self._holder, self._period_s, self._clock, self._steady = (
            backend, holder, period_s, clock, steady,
        )  # fmt: skip
        self._calm = Calm(backend.settings.stale_after_s, steady)
        self._purged_at = float("-inf")
        self._troubles: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and let another process lead."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)

    def round(self) -> None:
        """One round, if this process leads; errors are logged, each kind once until it is over."""
        try:
            began = self._steady()
            calm = self._calm.look(self._clock(self._backend))
            if lead(self._backend, self._holder):
                if self._steady() - began > JUMP_S:  # SQL was locked or away: heartbeats had to wait as well
                    self._calm.disturb()
                    calm = False
                reconcile(self._backend, trust_silence=calm)
                self._purge_now_and_then()
            self._troubles.clear()
        except Exception as error:  # whatever it is, the next round may do better
            if is_database_trouble(error):
                self._calm.disturb()
            kind = type(error).__name__
            if kind not in self._troubles:
                self._troubles.add(kind)
                log.warning("Could not reconcile: %s", in_one_line(error), exc_info=not is_database_trouble(error))

    def _run(self) -> None:
        while not self._over.is_set():
            self.round()
            self._over.wait(self._period_s)
        try:
            resign(self._backend, self._holder)
        except Exception as error:  # its lease ends by itself
            log.info("Could not resign: %s", in_one_line(error))

    def _purge_now_and_then(self) -> None:
        if self._steady() - self._purged_at > PURGE_EVERY_S:
            self._purged_at = self._steady()
            purge(self._backend)
