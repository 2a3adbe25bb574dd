"""What has happened since this process began to look, as numbers that only grow: events and finished stages."""

from bisect import bisect_left
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.context import Backend
from backend.journal import sql_now
from backend.tables import Event, Stage

BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
OVERLAP_IDS = 500  # a transaction may commit a lower id after a higher one
OVERLAP = timedelta(seconds=60)  # and an earlier time after a later one; clocks of machines differ
LONGEST_LOOK_BACK = timedelta(hours=1)  # after a long time without anybody asking


@dataclass
class Durations:
    """A histogram: ``counts[i]`` of values up to ``BUCKETS_S[i]``, the last of those above all; not cumulative."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.total_s += seconds


class Recent:
    """Which of the last so many keys have been seen."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._keys: OrderedDict[object, None] = OrderedDict()

    def new(self, key: object) -> bool:
        """Whether a key has not been seen before; from now on it has."""
        if key in self._keys:
            return False
        self._keys[key] = None
        while len(self._keys) > self._count:
            self._keys.popitem(last=False)
        return True


class Ledger:
    """Counts what is new at every look: two queries, however much there is already.

    Attributes:
        events: by kind.
        attempts: of finished stages, by stage; more of them than stages means that some were tried again.
        durations: of finished stages, by stage.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.events: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.durations: dict[str, Durations] = {}
        self._seen_events, self._seen_stages = Recent(4 * OVERLAP_IDS), Recent(50_000)
        self._last_event: int | None = None
        self._last_finish: datetime | None = None

    def look(self) -> None:
        """Add what has happened since the last look; the first one only remembers where things stand.

        Raises:
            SQLAlchemyError: when SQL is away; the next look adds what this one missed.
        """
        with self._backend.database.read() as session:
            now = sql_now(session)
            self._look_at_events(session)
            self._look_at_stages(session, now)

    def _look_at_events(self, session: Session) -> None:
        if self._last_event is None:
            self._last_event = session.scalar(select(func.max(Event.id))) or 0
            for found in session.scalars(select(Event.id).where(Event.id > self._last_event - OVERLAP_IDS)):
                self._seen_events.new(found)
            return
        rows = session.execute(select(Event.id, Event.kind).where(Event.id > self._last_event - OVERLAP_IDS)).all()
        for number, kind in rows:
            if self._seen_events.new(number):
                self.events[kind] += 1
            self._last_event = max(self._last_event, number)

    def _look_at_stages(self, session: Session, now: datetime) -> None:
        since = max((self._last_finish or now) - OVERLAP, now - LONGEST_LOOK_BACK)
        rows = session.execute(
            select(
                Stage.loop_id, Stage.generation, Stage.stage, Stage.part, Stage.finished_at, Stage.seconds,
                Stage.attempt,
            ).where(Stage.finished_at > since, Stage.state == "done")
        ).all()  # fmt: skip
        first, latest = self._last_finish is None, self._last_finish or now
        for loop_id, generation, stage, part, finished_at, seconds, attempt in rows:
            if self._seen_stages.new((loop_id, generation, stage, part, finished_at)) and not first:
                self.attempts[stage] += attempt
                self.durations.setdefault(stage, Durations()).add(seconds)
            if finished_at is not None:
                latest = max(latest, finished_at)
        self._last_finish = min(latest, now)
