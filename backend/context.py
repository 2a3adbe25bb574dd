"""Everything that the functions of this package work with, opened once per process and passed along."""

import logging
from dataclasses import dataclass

from backend.database import Database, open_database
from backend.gate import Gate, OpenGate
from backend.library import ImportedLibrary
from backend.memo import DiskMemo
from backend.queue import Queue, open_queue
from backend.settings import Settings, read_settings
from backend.store import ArtifactStore, StoreRefused, StoreUnreachable, open_blobs, open_store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backend:
    """Settings, SQL, artifacts, memo and queue of one installation, and who may change it through this door."""

    settings: Settings
    database: Database
    store: ArtifactStore
    memo: DiskMemo
    queue: Queue
    gate: Gate = OpenGate()
    library: ImportedLibrary | None = None

    def close(self) -> None:
        if self.library is not None:
            self.library.take_back()
        self.queue.close()
        self.database.close()
        self.store.close()


def open_backend(settings: Settings | None = None, *, migrate: bool = True, queue: Queue | None = None) -> Backend:
    """Open the installation that the settings name (default: those of the environment).

    Args:
        migrate: bring the tables up to date first, and see that artifacts can be kept.
        queue: another one than the settings' broker (tests).

    Raises:
        InvalidConfig: when a setting cannot be.
        StoreRefused: when there is no such place for artifacts, or it does not accept the keys.
    """
    settings = settings if settings is not None else read_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    blobs = open_blobs(settings)
    elsewhere = bool(settings.artifacts_url)
    if migrate and elsewhere:
        try:
            blobs.check()
        except StoreRefused:
            blobs.close()
            raise
        except StoreUnreachable as error:  # loops wait until it answers; everything else works meanwhile
            log.warning("%s", error)
    database = open_database(settings.sql_url)
    if migrate:
        from backend.migrations import upgrade

        upgrade(database, settings.home)
    store = open_store(settings, blobs)
    library = ImportedLibrary(settings.home / "cache" / "datasets", database, store)
    library.lend()
    return Backend(
        settings,
        database,
        store,
        DiskMemo(settings.home / "memo", shared=blobs if elsewhere else None),
        queue if queue is not None else open_queue(settings),
        library=library,
    )
