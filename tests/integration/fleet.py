"""A fleet of separate programs on loopback: broker, database, bucket, workers with data folders of their own, web
server. What a test asks of it goes over HTTP; what it sees, it sees in SQL."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import select

from backend.client import Client, Unreachable
from backend.context import Backend, open_backend
from backend.queue import ListQueue
from backend.s3blobs import S3Blobs
from backend.settings import Settings
from backend.tables import Stage
from backend.views import LoopView
from core.config import LoopConfig
from tests.backend.buckets import Service
from tests.backend.toys import in_process, toy_config
from tests.integration.programs import TOY_SERVER, Programs, free_port, wait_until

KEYS = {
    "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "geheim", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip
BUCKET = "loopscope"


@dataclass
class Fleet:
    """Attributes:
    settings: of a machine, by its name; all but the data folder are the same.
    client: of the web server.
    backend: a look into the database.
    pids: of workers by name.
    store: the service that artifacts lie in, where it is none of the folders.
    """

    programs: Programs
    settings: Callable[[str], Settings]
    client: Client
    backend: Backend
    pids: dict[str, int] = field(default_factory=dict)
    store: Service | None = None

    def add_worker(self, name: str, queues: str) -> None:
        self.pids[name] = self.programs.worker(name, self.settings(name), queues)

    def launch(self, name: str, **options: Any) -> tuple[str, LoopConfig]:
        config = toy_config(**options)
        return self.client.launch(config, name=name).id, config

    def wait_for(self, loop_id: str, fits: Callable[[LoopView], bool], patience_s: float = 40.0) -> LoopView:
        def look() -> LoopView | None:
            view = self.client.show_loop(loop_id)
            return view if fits(view) else None

        def told() -> str:
            events = [event.sentence for event in self.client.events(loop_id)]
            return f"{self.client.show_loop(loop_id).sentence} {events}"

        found = wait_until(look, told, patience_s)
        assert found is not None
        return found

    def check_done(self, loop_id: str, config: LoopConfig, patience_s: float = 40.0) -> None:
        """Wait until a loop is done, and compare it with one process."""
        self.wait_for(loop_id, lambda view: view.state == "done", patience_s)
        found = [(g.index, g.metrics, g.counts) for g in self.client.generations(loop_id)]
        assert found == in_process(config)

    def stages(self, *loop_ids: str) -> list[Stage]:
        with self.backend.database.read() as session:
            return list(session.scalars(select(Stage).where(Stage.loop_id.in_(loop_ids))))

    def family(self, name: str) -> set[int]:
        """Process ids of a worker and of its children."""
        process = psutil.Process(self.pids[name])
        return {process.pid, *(child.pid for child in process.children(recursive=True))}


@contextmanager
def a_bucket(patch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A bucket in moto's server, with the keys to it in the environment."""
    for name, value in KEYS.items():
        patch.setenv(name, value)
    service = Service()
    service.start()
    try:
        blobs = S3Blobs(BUCKET, endpoint=service.endpoint)
        blobs._ask(lambda files: files.call_s3("create_bucket", Bucket=BUCKET))
        blobs.close()
        yield service
    finally:
        service.stop()


@contextmanager
def a_fleet(programs: Programs, folder: Path, **changes: Any) -> Iterator[Fleet]:
    """The web server on a free port, and room for workers."""
    for name in [name for name in os.environ if name.startswith("LOOPSCOPE_")]:
        raise AssertionError(f"{name} would reach the programs of this test")
    port = free_port()

    def settings(machine: str) -> Settings:
        return Settings(
            **{
                "home": folder / machine, "port": port, "cpu_workers": 1, "stale_after_s": 4.0, "min_free_mb": 0,
                **changes,
            }
        )  # fmt: skip

    backend = open_backend(settings("web"), queue=ListQueue())
    programs.start("web", TOY_SERVER, settings("web").environment())
    try:
        with Client(f"http://127.0.0.1:{port}") as client:
            fleet = Fleet(programs, settings, client, backend)
            wait_until(lambda: _is_up(client), lambda: f"no web server: {programs.log('web')[-2000:]}", 90.0)
            yield fleet
    finally:
        backend.close()


def _is_up(client: Client) -> bool:
    try:
        client.health()
    except Unreachable:
        return False
    return True
