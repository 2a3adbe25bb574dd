"""Everything that the functions of this package work with, opened once per process and passed along."""

from dataclasses import dataclass

from backend.database import Database, open_database
from backend.gate import Gate, OpenGate
from backend.memo import DiskMemo
from backend.queue import Queue, open_queue
from backend.settings import Settings, read_settings
from backend.store import ArtifactStore


@dataclass(frozen=True)
class Backend:
    """Settings, SQL, artifacts, memo and queue of one installation, and who may change it through this door."""

    settings: Settings
    database: Database
    store: ArtifactStore
    memo: DiskMemo
    queue: Queue
    gate: Gate = OpenGate()

    def close(self) -> None:
        self.queue.close()
        self.database.close()


def open_backend(settings: Settings | None = None, *, migrate: bool = True, queue: Queue | None = None) -> Backend:
    """Open the installation that the settings name (default: those of the environment).

    Args:
        migrate: bring the tables up to date first.
        queue: another one than the settings' broker (tests).
    """
    settings = settings if settings is not None else read_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.sql_url)
    if migrate:
        from backend.migrations import upgrade

        upgrade(database, settings.home)
    return Backend(
        settings,
        database,
        ArtifactStore(settings.home / "artifacts"),
        DiskMemo(settings.home / "memo"),
        queue if queue is not None else open_queue(settings),
    )
