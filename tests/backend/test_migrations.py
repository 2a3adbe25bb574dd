import threading
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from backend.context import Backend
from backend.database import open_database
from backend.migrations import configuration, upgrade
from backend.tables import Base


def test_the_migrations_make_the_tables_of_the_code(either_backend: Backend) -> None:
    with either_backend.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_they_can_be_undone_and_done_again(either_backend: Backend) -> None:
    database, home = either_backend.database, either_backend.settings.home
    config = configuration()
    with database.writing.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    upgrade(database, home)
    upgrade(database, home)
    assert set(Base.metadata.tables) <= set(inspect(database.engine).get_table_names())


def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    databases = [open_database(f"sqlite:///{tmp_path / 'x.db'}") for _ in range(4)]
    errors: list[Exception] = []

    def go(index: int) -> None:
        try:
            upgrade(databases[index], tmp_path)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=go, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()
    assert errors == []
