"""The data folder: whether it can be used, and whether somebody works on it."""

import os
import shutil
from typing import TYPE_CHECKING

from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.settings import Settings

LEAST_FREE_MB = 300


def is_up(settings: "Settings") -> bool:
    """Whether somebody works on the settings' queue: a ``loopscope up`` here, or (assumed) one's own workers."""
    if settings.redis_url:
        return True
    from filelock import FileLock, Timeout

    path = settings.home / "supervisor.lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def check_home(settings: "Settings") -> None:
    """Make the data folder.

    Raises:
        LoopscopeError: when it cannot be written, or its disk is full.
    """
    hint = "Set LOOPSCOPE_HOME (or --home) to another folder."
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        free_mb = shutil.disk_usage(settings.home).free / 1e6
    except OSError as error:
        raise LoopscopeError(f"The data folder {settings.home} cannot be made: {error.strerror}.", hint) from None
    if not os.access(settings.home, os.W_OK | os.X_OK):
        raise LoopscopeError(f"The data folder {settings.home} cannot be written.", hint)
    if free_mb < LEAST_FREE_MB:
        raise LoopscopeError(
            f"Only {free_mb:.0f} MB are free for the data folder {settings.home}; at least {LEAST_FREE_MB} are needed.",
            f"Make room. {hint}",
        )
