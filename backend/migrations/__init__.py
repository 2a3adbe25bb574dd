"""Brings the tables up to date, one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from filelock import FileLock

from backend.database import Database

FOLDER = Path(__file__).parent
LOCK_KEY = 0x10095C09E  # of PostgreSQL's advisory locks: any number of our own


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def upgrade(database: Database, home: Path) -> None:
    """Run the migrations that are missing. Two processes that start together do not get in each other's way."""
    config = configuration()
    with FileLock(home / "migrate.lock"), database.writing.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK_KEY})")
            connection.commit()
        try:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        finally:
            if connection.dialect.name == "postgresql":
                connection.rollback()
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({LOCK_KEY})")
                connection.commit()
