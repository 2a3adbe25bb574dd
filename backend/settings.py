"""Settings, read from ``LOOPSCOPE_*`` in the environment. Passed along, never global."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.complaints import complaint
from core.errors import InvalidConfig

SOCKET_PATH_LIMIT = 100  # a unix socket's address holds 108 bytes on Linux, 104 on macOS


class Settings(BaseSettings):
    """Where data lies, what to listen on, which broker and database, how many workers."""

    model_config = SettingsConfigDict(env_prefix="LOOPSCOPE_", frozen=True, extra="ignore")

    home: Path = Field(Path("~/.loopscope"), description="Folder of everything that Loopscope keeps.")
    host: str = Field("127.0.0.1", description="Address that the server listens on.")
    port: int = Field(7860, ge=1, le=65535, description="Port that the server listens on.")
    database_url: str = Field("", description="SQLAlchemy URL; empty = SQLite in the data folder.")
    redis_url: str = Field("", description="Broker; empty = the bundled server, started with the workers.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="What networks run on.")
    cpu_workers: int = Field(
        0, ge=0, le=256, description="Processes for physics; 0 = one less than there are cores, at least two."
    )
    artifacts_url: str = Field(
        "", description="Where artifacts lie: empty = the data folder; or file:///folder, or s3://bucket/prefix."
    )
    s3_endpoint: str = Field("", description="Address of an S3 service other than Amazon's; keys as AWS_* variables.")
    hosts: str = Field(
        "", description="Names, comma-separated, under which browsers may reach this server, besides its addresses."
    )
    https: bool = Field(False, description="Whether browsers reach this server by https only, through a proxy.")
    proxies: str = Field(
        "", description="Addresses, comma-separated, of proxies that are believed for whom they speak (X-Forwarded-*)."
    )
    session_hours: float = Field(12.0, gt=0, le=24 * 90, description="How long a log-in lasts.")
    hang_after_s: float = Field(
        900.0,
        ge=5,
        description="A stage that says nothing of progress for so long counts as hung; its worker is ended.",
    )
    max_active_loops: int = Field(1000, ge=1, description="Loops of one user that may be queued or running at once.")
    max_active_draws: int = Field(
        100, ge=1, description="Draws of new samples of one user that may be queued or running at once."
    )
    max_samples: int = Field(100_000, ge=16, description="Most samples of a loop: real, measured, or synthetic.")
    max_frames: int = Field(20_000, ge=16, description="Most frames of an uploaded motion.")
    min_free_mb: float = Field(300.0, ge=0, description="Disk space that launching and working leave free.")
    log_format: Literal["text", "json"] = Field("text", description="Of logs: for people, or one JSON object a line.")
    upload_limit_mb: int = Field(64, ge=1, le=4096, description="Largest file that can be uploaded.")
    stale_after_s: float = Field(
        15.0, ge=1, le=600, description="Silence after which a worker counts as lost and its stage is taken up again."
    )
    purge_after_days: float = Field(7.0, ge=0, description="How long a deleted loop can be brought back.")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @model_validator(mode="before")
    @classmethod
    def _unset(cls, data: Any) -> Any:
        """An empty variable is an unset one (compose files and CI pass them so)."""
        return {k: v for k, v in data.items() if v != ""} if isinstance(data, dict) else data

    @property
    def sql_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'loopscope.db'}"

    @property
    def processes_for_physics(self) -> int:
        return self.cpu_workers or max(2, (os.cpu_count() or 2) - 1)

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def broker_socket(self) -> Path:
        """Unix socket of the bundled broker: in the data folder, or in a short private one where that is too long."""
        inside = self.home / "broker" / "valkey.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_LIMIT:
            return inside
        short = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"loopscope-{os.getuid()}-{short}" / "valkey.sock"

    @property
    def broker_url(self) -> str:
        return self.redis_url or f"redis+socket://{self.broker_socket}"

    def environment(self) -> dict[str, str]:
        """The same settings as variables, for child processes."""
        values = self.model_dump(mode="json")
        return {f"LOOPSCOPE_{name.upper()}": str(value) for name, value in values.items()}


def read_settings(**changes: Any) -> Settings:
    """Settings from the environment, with ``changes`` on top.

    Raises:
        InvalidConfig: naming the variable that cannot be.
    """
    try:
        return Settings(**changes)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"LOOPSCOPE_{str(first['loc'][0]).upper()}" if first["loc"] else "LOOPSCOPE_*"
        got = "" if name.endswith(("_URL", "_TOKEN")) else f" (got {first['input']!r})"  # addresses hold passwords
        raise InvalidConfig(f"{name}: {complaint(first)}{got}.", "Change or unset it.", name) from None
